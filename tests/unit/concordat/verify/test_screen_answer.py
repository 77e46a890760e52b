"""A screening has one result for each subject asked for; a retraction is the exchange's and names an answer."""

from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal
from concordat.v1 import Reason
from concordat.verify.finding import AnswerBroken
from concordat.verify.retraction import require_retraction_of, verify_retraction
from concordat.verify.screen_answer import VerifiedScreening, verify_screen_answer
from tests.builders import AT, DAY, EXCHANGE, LENDER, Federation, signer
from tests.unit.concordat.verify.test_listing_answer import shown

REFS = [bytes([n]) * 32 for n in range(1, 5)]
FEDERATION = Federation()


def request(**fields: Any) -> v1.Envelope:
    given: dict[str, Any] = {
        "request_id": new_id(),
        "federation": FEDERATION.name,
        "lender": LENDER,
        "purpose": v1.Purpose.PURPOSE_ACCOUNT_REVIEW,
        "subject_refs": b"".join(REFS),
        "consent_ids": b"".join(ref[:16] for ref in REFS),
        "issued_at": to_timestamp(AT),
        "expires_at": to_timestamp(AT + timedelta(minutes=1)),
    }
    return seal(v1.ScreenRequest(**(given | fields)), signer(LENDER))


def answer(asked: v1.Envelope, *, signed_by: str = EXCHANGE, **fields: Any) -> v1.Envelope:
    """Return: the first has nothing, the second a listing, the third an alert, the fourth is refused."""
    given: dict[str, Any] = {
        "federation": FEDERATION.name,
        "lender": LENDER,
        "request_digest": digest_of(asked),
        "results": bytes([0, 0, 0, Reason.REASON_CONSENT_REVOKED]),
        "hits": [hit(1)],
        "alerts": [2],
        "access_ids": b"".join(bytes([n]) * 16 for n in (1, 2, 3, 0)),
        "issued_at": to_timestamp(AT),
    }
    return seal(v1.ScreenAnswer(**(given | fields)), signer(signed_by))


def hit(index: int, *listings: v1.ListingInView) -> v1.ScreenHit:
    told = v1.ListingsInForce(listings=listings or [shown()])
    return v1.ScreenHit(index=index, listings=told)


def verify(asked: v1.Envelope, told: v1.Envelope) -> VerifiedScreening:
    exchange = FEDERATION.member(EXCHANGE)
    return verify_screen_answer(asked, told, exchange=exchange, anchors=FEDERATION.anchors, at=AT)


def test_each_subject_gets_its_own_result() -> None:
    asked = request()
    screening = verify(asked, answer(asked))
    assert [subject.subject_ref for subject in screening.subjects] == REFS
    first, second, third, fourth = screening.subjects
    assert not first.listings.listings
    assert len(second.listings.listings) == 1
    assert (third.fraud_alert, second.fraud_alert) == (True, False)
    assert (fourth.refusal, fourth.access_id) == (Reason.REASON_CONSENT_REVOKED, b"")
    assert first.access_id == b"\x01" * 16


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "another request": ({"request_digest": bytes(32)}, "to another request"),
    "another lender": ({"lender": "otherlender"}, "to another request"),
    "another federation": ({"federation": "other"}, "a statement of"),
    "from the future": ({"issued_at": to_timestamp(AT + DAY)}, "says that it was made"),
    "long after the request": ({"issued_at": to_timestamp(AT - DAY)}, "expires"),
    "one result too few": ({"results": bytes(3)}, "not one result for each"),
    "one result too many": ({"results": bytes(5)}, "not one result for each"),
    "access ids that do not fit": ({"access_ids": bytes(16)}, "not one result for each"),
    "a subject nobody asked for": ({"hits": [hit(4)]}, "was not asked for"),
    "an alert nobody asked for": ({"alerts": [9]}, "was not asked for"),
    "a subject told twice": ({"hits": [hit(1), hit(1)]}, "told twice"),
    "out of order": ({"hits": [hit(2), hit(1)]}, "out of order"),
    "alerts out of order": ({"alerts": [2, 0]}, "out of order"),
    "a listing of who was refused": ({"hits": [hit(3)]}, "that was refused"),
    "an alert of who was refused": ({"alerts": [3]}, "that was refused"),
    "a refusal with an access": ({"access_ids": b"\x01" * 64}, "a refusal has none"),
    "an answer without an access": ({"access_ids": bytes(64)}, "an answer has an access"),
    "a reason nobody knows": ({"results": bytes([0, 0, 0, 255])}, "no reason that this"),
    "a hit without listings": (
        {"hits": [v1.ScreenHit(index=1, listings=v1.ListingsInForce())]},
        "none are told",
    ),
    "a listing that ended": (
        {"hits": [hit(1, shown(expires_at=to_timestamp(AT.replace(hour=0) - DAY)))]},
        "after its end",
    ),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_does_not_fit_its_request_does_not_hold(
    case: tuple[dict[str, Any], str],
) -> None:
    fields, why = case
    asked = request()
    with pytest.raises(AnswerBroken, match=why):
        verify(asked, answer(asked, **fields))


def test_an_answer_by_anyone_but_the_exchange_does_not_hold() -> None:
    asked = request()
    with pytest.raises(AnswerBroken):
        verify(asked, answer(asked, signed_by=LENDER))


# Retractions ------------------------------------------------------------------------------------

ADA = FEDERATION.subject("ada").ref


def retraction(*, signed_by: str = EXCHANGE, **fields: Any) -> v1.Envelope:
    given: dict[str, Any] = {
        "retraction_id": new_id(),
        "federation": FEDERATION.name,
        "lender": LENDER,
        "answer_digest": b"\x07" * 32,
        "subject_ref": ADA,
        "position": 1,
        "cause": v1.RetractionCause.RETRACTION_CAUSE_CORRECTED,
        "issued_at": to_timestamp(AT),
        "acknowledge_by": to_timestamp(AT + 3 * DAY),
    }
    return seal(v1.Retraction(**(given | fields)), signer(signed_by))


def opened(envelope: v1.Envelope) -> v1.Retraction:
    return verify_retraction(
        envelope,
        exchange=FEDERATION.member(EXCHANGE),
        lender=LENDER,
        anchors=FEDERATION.anchors,
        at=AT,
    ).message


def test_a_retraction_names_the_answer_and_the_place_in_it() -> None:
    first, second = shown(), shown(band=v1.AmountBand.AMOUNT_BAND_LARGE)
    found = require_retraction_of(
        opened(retraction()),
        answer_digest=b"\x07" * 32,
        subject_ref=ADA,
        listings=v1.ListingsInForce(listings=[first, second]),
        answered_at=AT - DAY,
    )
    assert found == second


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "by another member": ({"signed_by": LENDER}, "may sign this"),
    "by nobody": ({"signed_by": "mallory"}, "may sign this"),
    "for another lender": ({"lender": "otherlender"}, "is for otherlender"),
    "of another federation": ({"federation": "other"}, "a statement of"),
    "from the future": ({"issued_at": to_timestamp(AT + DAY)}, "says that it was made"),
    "due before it was made": ({"acknowledge_by": to_timestamp(AT - DAY)}, "before it was made"),
}


@pytest.mark.parametrize("case", FORGED.values(), ids=FORGED)
def test_a_forged_retraction_does_not_hold(case: tuple[dict[str, Any], str]) -> None:
    fields, why = case
    with pytest.raises(AnswerBroken, match=why):
        opened(retraction(**fields))


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        ({"answer_digest": bytes(32)}, "of another answer"),
        ({"subject_ref": bytes(32)}, "another subject than the answer"),
        ({"listings": v1.ListingsInForce(listings=[shown()])}, "no listing in the place"),
        ({"answered_at": AT + DAY}, "older than the answer"),
    ],
)
def test_a_retraction_of_what_was_never_told_deletes_nothing(
    kept: dict[str, Any], why: str
) -> None:
    given: dict[str, Any] = {
        "answer_digest": b"\x07" * 32,
        "subject_ref": ADA,
        "listings": v1.ListingsInForce(listings=[shown(), shown()]),
        "answered_at": AT - DAY,
    }
    with pytest.raises(AnswerBroken, match=why):
        require_retraction_of(opened(retraction()), **(given | kept))
