"""What a consent shares, as it is typed: a score, listings, flags, and what each purpose allows of them."""

from typing import Any

import pytest

from concordat import v1
from concordat.v1 import DataCategory, Purpose
from tests.builders import EXCHANGE, LENDER, PROVIDERS
from tests.unit.clients.cli.conftest import Desk

Wallet = tuple[str, str]
SCORE, LISTINGS, FLAGS = DataCategory.values()[1:]
ALDER = PROVIDERS[0]


@pytest.fixture
def wallet(desk: Desk) -> Wallet:
    return desk.wallet()


def grant(desk: Desk, wallet: Wallet, *options: object, code: int = 0) -> Any:
    return desk.json(
        "wallet", "grant", "--recipient", LENDER, "--yes", *wallet, *options, code=code
    )


def granted(desk: Desk) -> v1.Consent:
    return v1.Consent.FromString(desk.fake.seen["GrantConsent"][-1].consent.payload)


def test_listings_alone_are_shared_and_no_provider_is_asked(desk: Desk, wallet: Wallet) -> None:
    grant(desk, wallet, "--data", "listings")
    consent = granted(desk)
    assert list(consent.data_categories) == [LISTINGS]
    assert list(consent.providers) == [EXCHANGE]
    shown = desk.run(
        *("wallet", "grant", "--recipient", LENDER, "--yes", "--data", "listings", *wallet)
    ).stdout
    assert "Adverse listings about you ARE shared: lendwell sees every debt" in shown
    assert "no provider is asked" in shown


def test_a_score_goes_with_listings_and_flags(desk: Desk, wallet: Wallet) -> None:
    data = ("--data", "flags", "--data", "score", "--data", "listings")
    grant(desk, wallet, "--provider", ALDER, *data)
    consent = granted(desk)
    assert list(consent.data_categories) == [SCORE, LISTINGS, FLAGS]
    assert list(consent.providers) == [ALDER]


def test_flags_are_granted_for_their_own_purpose(desk: Desk, wallet: Wallet) -> None:
    grant(desk, wallet, "--purpose", "fraud-flags")
    consent = granted(desk)
    assert consent.purpose == Purpose.PURPOSE_FRAUD_FLAGS
    assert list(consent.data_categories) == [FLAGS]
    (line,) = desk.json("wallet", "list", "--offline", *wallet)["consents"]
    assert line["data_categories"] == ["flags"]


@pytest.mark.parametrize(
    ("purpose", "data"),
    [
        ("fraud-flags", ("listings",)),
        ("fraud-flags", ("flags", "listings")),
        ("deposit-waiver", ("listings", "flags")),
    ],
)
def test_what_the_purpose_does_not_allow_is_not_even_asked(
    desk: Desk, wallet: Wallet, purpose: str, data: tuple[str, ...]
) -> None:
    options = [option for category in data for option in ("--data", category)]
    facts = grant(desk, wallet, "--purpose", purpose, *options, code=2)
    assert "does not cover these categories" in facts["advice"]
    assert "GrantConsent" not in desk.fake.seen


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--data", "score"),
        ("--data", "listings", "--provider", ALDER),
        ("--data", "shopping"),
    ],
)
def test_a_score_needs_providers_and_nothing_else_does(
    desk: Desk, wallet: Wallet, options: tuple[str, ...]
) -> None:
    arguments = ("wallet", "grant", "--recipient", LENDER, "--yes", *wallet)
    assert desk.run(*arguments, *options).exit_code == 2


def test_revoking_what_shares_no_score_tells_the_exchange_alone(desk: Desk, wallet: Wallet) -> None:
    consent = grant(desk, wallet, "--data", "listings")["consent_id"]
    facts = desk.json("wallet", "revoke", consent, *wallet)
    assert [told["party"] for told in facts["told"]] == [EXCHANGE]
    assert "NotifyConsentEvent" not in desk.fake.seen
