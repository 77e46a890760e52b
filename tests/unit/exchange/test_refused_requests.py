"""What is refused before the store is asked is on record all the same: the subject sees the attempt."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.v1 import Purpose, Reason, Role
from tests.bent_requests import BENT, Bent
from tests.builders import AT, DAY, LENDER, Federation, Granted, signer
from tests.exchange_builders import ExchangeDesk


@pytest.fixture
def desk() -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk()
    yield desk
    desk.close()


def reasons(results: Sequence[v1.RequestViewResponse | Refusal]) -> list[str]:
    """Return each result's reason without its prefix, or "" for a view."""
    return [
        Reason.Name(result.reason).removeprefix("REASON_") if isinstance(result, Refusal) else ""
        for result in results
    ]


def as_the_lender_sends_it(
    bent: Bent, federation: Federation, granted: Granted
) -> v1.RequestViewRequest:
    """Return a bent request as it arrives here: the status is yet to be stapled to it."""
    forwarded = bent.bend(federation, granted)
    ask = federation.ask(granted, forwarded.view_request)
    ask.consent.CopyFrom(forwarded.consent)
    ask.binding.CopyFrom(forwarded.binding)
    return ask


@pytest.mark.parametrize(
    "bent", [bent for bent in BENT if bent.at_exchange is not None], ids=lambda bent: bent.name
)
def test_the_exchange_refuses_at_its_own_door(desk: ExchangeDesk, bent: Bent) -> None:
    federation = desk.federation
    good = desk.grant(federation.subject("bob"))
    asks = [as_the_lender_sends_it(bent, federation, desk.grant()), federation.ask(good)]
    assert reasons(asyncio.run(desk.answer(asks))) == [bent.at_exchange, ""]
    assert [entry.subject_ref for entry in desk.entries() if entry.counted] == [good.person.ref]
    # The attempt is on record where the request was the lender's own, and only then.
    attempts = [entry.refusal for entry in desk.entries() if not entry.counted]
    assert attempts in ([], [Reason.Value(f"REASON_{bent.at_exchange}")])
    (asked,) = {len(message.requests) for _, message in desk.links.sent}
    assert asked == 1, "no provider hears of a refused request"


def test_request_in_another_lenders_name_is_refused_though_its_consent_names_that_lender(
    desk: ExchangeDesk,
) -> None:
    desk.federation.enrol("other-lender", Role.ROLE_LENDER)
    granted = desk.grant(recipient="other-lender")
    request = desk.federation.view_request(granted, lender="other-lender", signed_by=LENDER)
    assert reasons([desk.ask(granted, request)]) == ["CALLER_NOT_SIGNER"]
    assert desk.entries() == []
    assert desk.uses(granted) == 0


def test_consent_that_was_never_granted_is_unknown_though_its_id_is_on_record(
    desk: ExchangeDesk,
) -> None:
    federation = desk.federation
    granted = desk.grant()
    wider = federation.periodic(
        granted.person, uses=100, max_uses=100, consent_id=granted.consent.consent_id
    )
    assert reasons([desk.ask(wider)]) == ["CONSENT_UNKNOWN"]
    (entry,) = desk.entries()
    assert (entry.refusal, entry.counted) == (Reason.REASON_CONSENT_UNKNOWN, False)
    assert desk.uses(granted) == 0
    assert desk.links.sent == []


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"recipient": "someone-else"}, Reason.REASON_CONSENT_WRONG_RECIPIENT),
        ({"purpose": Purpose.PURPOSE_GUARANTOR_CHECK}, Reason.REASON_CONSENT_MISMATCH),
        (
            {"valid_from": to_timestamp(AT - 2 * DAY), "valid_until": to_timestamp(AT - DAY)},
            Reason.REASON_CONSENT_EXPIRED,
        ),
    ],
)
def test_request_that_its_consent_does_not_cover_leaves_an_entry(
    desk: ExchangeDesk, terms: dict[str, Any], reason: Reason.ValueType
) -> None:
    federation = desk.federation
    granted = federation.consent(federation.subject(), **terms)
    request = federation.view_request(
        granted, lender=LENDER, purpose=Purpose.PURPOSE_CREDIT_APPLICATION
    )
    result = desk.ask(granted, request)
    assert isinstance(result, Refusal)
    assert result.reason == reason
    (entry,) = desk.entries()
    assert (entry.refusal, entry.counted, entry.released_at) == (reason, False, None)
    assert entry.subject_ref == granted.person.ref
    assert entry.consent_id == granted.consent.consent_id


def test_consent_that_somebody_else_signed_leaves_an_entry_that_names_no_consent(
    desk: ExchangeDesk,
) -> None:
    federation = desk.federation
    granted = federation.consent(federation.subject())
    forged = replace(granted, envelope=seal(granted.consent, signer("mallory")))
    result = desk.ask(forged)
    assert isinstance(result, Refusal)
    assert result.reason == Reason.REASON_SIGNATURE_INVALID
    (entry,) = desk.entries()
    assert (entry.refusal, entry.consent_id) == (Reason.REASON_SIGNATURE_INVALID, b"")


def test_request_that_the_lender_did_not_sign_accuses_nobody(desk: ExchangeDesk) -> None:
    federation = desk.federation
    granted = desk.grant()
    request = federation.view_request(granted, signed_by="mallory")
    assert reasons([desk.ask(granted, request)]) == ["SIGNATURE_INVALID"]
    assert desk.entries() == []
