"""Freezes, fraud alerts and contacts, as they are typed: in force at once, and never replayed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.v1 import FlagKind, Reason
from tests.builders import signer
from tests.unit.clients.cli.conftest import ListingDesk

Wallet = tuple[str, str]
DOWN = [Refusal(Reason.REASON_UNAVAILABLE)] * 4


@pytest.fixture
def wallet(listed: ListingDesk) -> Wallet:
    return listed.wallet()


def changes(desk: ListingDesk) -> list[v1.FlagChange]:
    seen: list[Any] = desk.fake.seen.get("ChangeFlag", [])
    return [v1.FlagChange.FromString(request.change.payload) for request in seen]


@pytest.mark.parametrize(
    ("place", "lift", "kind", "key"),
    [
        ("freeze", "unfreeze", FlagKind.FLAG_KIND_FREEZE, "frozen"),
        ("alert", "unalert", FlagKind.FLAG_KIND_FRAUD_ALERT, "fraud_alert"),
    ],
)
def test_a_flag_is_placed_and_lifted(
    listed: ListingDesk, wallet: Wallet, place: str, lift: str, kind: int, key: str
) -> None:
    assert listed.json("wallet", place, *wallet)[key]
    assert listed.json("wallet", "listings", *wallet)[key]
    assert not listed.json("wallet", lift, *wallet)[key]
    said = changes(listed)
    assert [(c.kind, c.placed, c.sequence) for c in said] == [(kind, True, 1), (kind, False, 2)]


def test_a_frozen_person_reads_how_to_lift_it(listed: ListingDesk, wallet: Wallet) -> None:
    assert "concordat wallet unfreeze" in listed.run("wallet", "freeze", *wallet).stdout
    assert "nothing is released" in listed.run("wallet", "listings", *wallet).stdout


def test_freezing_twice_signs_once(listed: ListingDesk, wallet: Wallet) -> None:
    listed.json("wallet", "freeze", *wallet)
    assert listed.json("wallet", "freeze", *wallet)["frozen"]
    assert len(changes(listed)) == 1


def test_a_freeze_that_the_wallet_did_not_sign_is_not_taken_on_the_exchanges_word(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.flags.frozen = True  # it says so, and does not sign it
    listed.json("wallet", "freeze", *wallet)
    assert len(changes(listed)) == 1


def test_a_freeze_is_signed_though_nobody_can_be_reached_and_sent_later(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.refuse["ListOwnListings"] = list(DOWN)
    listed.fake.refuse["ChangeFlag"] = list(DOWN)
    facts = listed.json("wallet", "freeze", *wallet, code=3)
    assert facts["waits"]
    assert len(list(Path(wallet[1], "outbox").iterdir())) == 1
    assert listed.json("wallet", "freeze", *wallet)["frozen"]
    assert {c.sequence for c in changes(listed)} == {1}
    requests = listed.fake.seen["ChangeFlag"]
    assert len({request.SerializeToString() for request in requests}) == 1
    assert not list(Path(wallet[1], "outbox").iterdir())


def test_a_sequence_is_never_used_twice(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.refuse["ChangeFlag"] = [Refusal(Reason.REASON_BINDING_INVALID)]
    listed.json("wallet", "freeze", *wallet, code=1)
    listed.json("wallet", "alert", *wallet)
    assert [c.sequence for c in changes(listed)] == [1, 2]


def test_a_wallet_goes_on_where_another_of_the_subjects_left_off(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.flag_sequence = 7
    listed.json("wallet", "freeze", *wallet)
    assert [c.sequence for c in changes(listed)] == [8]


def test_a_replayed_change_is_refused_and_the_flag_stays(
    listed: ListingDesk, wallet: Wallet
) -> None:
    """What the wallet sends twice is one statement with one sequence; an older one moves nothing."""
    listed.json("wallet", "freeze", *wallet)
    listed.json("wallet", "unfreeze", *wallet)
    listed.json("wallet", "freeze", *wallet)
    (_, unfreeze, _) = listed.fake.seen["ChangeFlag"]
    outbox = Path(wallet[1], "outbox")
    replayed = outbox / f"{'00' * 16}.flag"
    replayed.write_bytes(unfreeze.SerializeToString())
    facts = listed.json("wallet", "listings", *wallet)
    assert facts["frozen"]
    assert "REPLAYED" in facts["earlier"][0]["problem"]
    assert not replayed.exists()


def test_an_exchange_that_answers_and_does_nothing_is_found(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.drop_flags = True
    facts = listed.json("wallet", "freeze", *wallet, code=3)
    assert facts["reason"] == "ANSWER_NOT_VERIFIED"
    assert facts["waits"]


def test_an_exchange_that_lifts_a_freeze_by_itself_is_found(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.json("wallet", "freeze", *wallet)
    listed.fake.flags.frozen = False
    facts = listed.json("wallet", "listings", *wallet, code=1)
    assert facts["problems"] == ["you placed the freeze, and the exchange has not placed it"]
    shown = listed.run("wallet", "listings", *wallet)
    assert "WHAT THE EXCHANGE SHOWS DOES NOT HOLD" in shown.stdout


def test_an_exchange_that_uses_up_all_numbers_is_told_plainly(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.flag_sequence = 2**32 - 1
    assert "used up" in listed.json("wallet", "freeze", *wallet, code=2)["advice"]


def test_notices_go_where_the_subject_says(listed: ListingDesk, wallet: Wallet) -> None:
    listed.json("wallet", "contact", "--email", "ada@example.org", "--language", "fr", *wallet)
    contact = listed.fake.contact
    assert contact is not None
    assert (contact.email, contact.language, contact.sequence) == ("ada@example.org", "fr", 1)
    assert "inbox alone" in listed.run("wallet", "contact", "--none", *wallet).stdout
    assert (listed.fake.contact.email, listed.fake.contact.sequence) == ("", 2)  # type: ignore[union-attr]


def test_a_contact_is_given_or_taken_away(listed: ListingDesk, wallet: Wallet) -> None:
    both = listed.run("wallet", "contact", "--none", "--email", "a@b.c", *wallet)
    assert both.exit_code == 2


def test_a_contact_is_shown_as_the_subject_signed_it(listed: ListingDesk, wallet: Wallet) -> None:
    assert listed.json("wallet", "contact", *wallet)["email"] is None
    listed.json("wallet", "contact", "--email", "ada@example.org", *wallet)
    shown = listed.json("wallet", "contact", *wallet)
    assert (shown["email"], shown["language"]) == ("ada@example.org", "en")
    assert "ada@example.org" in listed.run("wallet", "contact", *wallet).stdout
    assert len(listed.fake.seen["ChangeContact"]) == 1


def test_saying_the_same_contact_again_signs_nothing(listed: ListingDesk, wallet: Wallet) -> None:
    for _ in range(2):
        listed.json("wallet", "contact", "--email", "ada@example.org", *wallet)
    assert len(listed.fake.seen["ChangeContact"]) == 1


def test_a_contact_that_the_subject_did_not_sign_is_found(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.json("wallet", "contact", "--email", "ada@example.org", *wallet)
    assert listed.fake.contact is not None
    listed.fake.contact.email = "mallory@example.org"
    listed.fake.contact_signed = seal(listed.fake.contact, signer("mallory"))
    told = listed.json("wallet", "contact", *wallet, code=1)
    assert told["reason"] == "ANSWER_NOT_VERIFIED"
    assert "did not sign" in told["advice"]
    assert listed.json("wallet", "listings", *wallet, code=1)["problems"]


def test_a_contact_that_the_subject_has_changed_since_is_found(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.json("wallet", "contact", "--email", "ada@former.example", *wallet)
    old, old_signed = listed.fake.contact, listed.fake.contact_signed
    listed.json("wallet", "contact", "--email", "ada@example.org", *wallet)
    listed.fake.contact, listed.fake.contact_signed = old, old_signed
    told = listed.json("wallet", "contact", *wallet, code=1)
    assert "changed since" in told["advice"]
    # After an erasure they are numbered anew; another wallet of the same person gave one.
    assert old is not None
    old.email, old.sequence = "ada@example.net", 1
    old.decided_at.CopyFrom(to_timestamp(datetime.now(UTC)))
    listed.fake.contact_signed = seal(old, listed.fake.person.signer)
    assert listed.json("wallet", "contact", *wallet)["email"] == "ada@example.net"


def test_an_address_that_is_none_is_refused_here(listed: ListingDesk, wallet: Wallet) -> None:
    facts = listed.json("wallet", "contact", "--email", "no address", *wallet, code=2)
    assert "ContactChange.email" in facts["advice"]
    assert "ChangeContact" not in listed.fake.seen
