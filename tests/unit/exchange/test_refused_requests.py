"""What is refused before the store is asked is on record all the same: the subject sees the attempt."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.v1 import Purpose, Reason
from tests.builders import AT, DAY, LENDER, signer
from tests.exchange_builders import ExchangeDesk


@pytest.fixture
def desk() -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk()
    yield desk
    desk.close()


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
    result = desk.ask(granted, request)
    assert isinstance(result, Refusal)
    assert desk.entries() == []
