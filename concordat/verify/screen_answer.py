"""What a lender is told of a part of its portfolio, checked offline: one result for each subject asked for."""

from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.statements import digest_of
from concordat.trust.envelope import Verified, open_envelope, parse_statement
from concordat.v1 import Reason
from concordat.verify.consent import require_fresh
from concordat.verify.finding import finding, made_at
from concordat.verify.listing_bounds import require_lawful
from concordat.verify.mismatch import MismatchError

_ID_BYTES, _REF_BYTES = 16, 32


@dataclass(frozen=True, slots=True)
class ScreenedSubject:
    """What became of one subject of a screening."""

    subject_ref: bytes
    consent_id: bytes
    refusal: Reason.ValueType  # REASON_UNSPECIFIED where it was answered
    listings: v1.ListingsInForce
    fraud_alert: bool
    access_id: bytes  # empty where it was refused


@dataclass(frozen=True, slots=True)
class VerifiedScreening:
    """The exchange's answer to one message of a screening, each subject in its place."""

    signed: Verified[v1.ScreenAnswer]
    envelope: v1.Envelope  # what to keep
    subjects: tuple[ScreenedSubject, ...]


def verify_screen_answer(
    request: v1.Envelope, answer: v1.Envelope, *, exchange: Member, anchors: Anchors, at: datetime
) -> VerifiedScreening:
    """Check that the exchange answered this very screen request, with one result for each subject.

    The caller made the request, so its signature is not checked. Raises ``AnswerBroken``.
    """
    with finding():
        made = made_at(parse_statement(v1.ScreenAnswer, answer.payload).issued_at, at)
        signed = open_envelope(answer, v1.ScreenAnswer, exchange.keys, made)
        told, asked = signed.message, parse_statement(v1.ScreenRequest, request.payload)
        anchors.require_federation(told.federation)
        require_fresh(from_timestamp(asked.issued_at), from_timestamp(asked.expires_at), made)
        if told.request_digest != digest_of(request) or told.lender != asked.lender:
            raise MismatchError("the answer is to another request")
        return VerifiedScreening(signed, answer, _subjects(asked, told, made))


def _subjects(
    asked: v1.ScreenRequest, told: v1.ScreenAnswer, made: datetime
) -> tuple[ScreenedSubject, ...]:
    """Return each subject's result; raise unless there is exactly one for each."""
    count = len(asked.subject_refs) // _REF_BYTES
    if len(told.results) != count or len(told.access_ids) != count * _ID_BYTES:
        raise MismatchError(f"there is not one result for each of {count} subjects")
    hits = {hit.index: hit.listings for hit in told.hits}
    alerts = set(told.alerts)
    if [hit.index for hit in told.hits] != sorted(hits) or list(told.alerts) != sorted(alerts):
        raise MismatchError("a subject is told twice, or out of order")
    if max((*hits, *alerts), default=0) >= count:
        raise MismatchError("a subject is told that was not asked for")
    return tuple(
        _subject(asked, told, place, hits.get(place), made, alert=place in alerts)
        for place in range(count)
    )


def _subject(
    asked: v1.ScreenRequest,
    told: v1.ScreenAnswer,
    place: int,
    listings: v1.ListingsInForce | None,
    made: datetime,
    *,
    alert: bool,
) -> ScreenedSubject:
    result = told.results[place]
    access_id = told.access_ids[place * _ID_BYTES : (place + 1) * _ID_BYTES]
    if result not in Reason.values():
        raise MismatchError(f"result {result} is no reason that this version knows")
    if bool(result) != (access_id == bytes(_ID_BYTES)):
        raise MismatchError("an answer has an access entry, and a refusal has none")
    if result and (listings is not None or alert):
        raise MismatchError("something is told of a subject that was refused")
    if listings is not None:
        if not listings.listings:
            raise MismatchError("a subject is told to have listings, and none are told")
        require_lawful(listings, made)
    return ScreenedSubject(
        asked.subject_refs[place * _REF_BYTES : (place + 1) * _REF_BYTES],
        asked.consent_ids[place * _ID_BYTES : (place + 1) * _ID_BYTES],
        Reason.ValueType(result),
        listings or v1.ListingsInForce(),
        alert,
        b"" if result else access_id,
    )
