"""What is entered in the log, as drafts: made from values, pure. They become entries when sequenced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id, new_ids
from concordat.v1 import DataCategory, LogEntryKind, ReleaseResult
from concordat.verify.case_notice import notice_record_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from google.protobuf.timestamp_pb2 import Timestamp

    from exchange.listings.cause import Cause
    from exchange.listings.machine import Listing
    from exchange.supervision.orders.rules import Order

_RESULTS = {
    "complete": ReleaseResult.RELEASE_RESULT_COMPLETE,
    "partial": ReleaseResult.RELEASE_RESULT_PARTIAL,
    "no_score": ReleaseResult.RELEASE_RESULT_NO_SCORE,
}


@dataclass(frozen=True, slots=True)
class Draft:
    """One act that is to be logged: its record, serialised, and what it is found by."""

    record_id: bytes
    kind: LogEntryKind.ValueType
    subject_ref: bytes  # empty where it is about no person
    record: bytes
    sealed_for: bytes = b""  # whose key seals the record, where that is another's than the chain's


def _draft(
    kind: LogEntryKind.ValueType,
    at: Timestamp,
    subject_ref: bytes = b"",
    record_id: bytes | None = None,
    **act: Any,
) -> Draft:
    """Return the draft of an act, which is the one keyword: a field of ``LogRecord.act``."""
    record = v1.LogRecord(
        record_id=record_id or new_id(), recorded_at=at, subject_ref=subject_ref, **act
    )
    serialised = record.SerializeToString(deterministic=True)
    return Draft(record.record_id, kind, record.subject_ref, serialised)


def intent(
    request: v1.ViewRequest,
    digest: bytes,
    consent: v1.Consent,
    access_id: bytes,
    at: datetime,
) -> Draft:
    """A request that is let in; its record id is the access id."""
    act = v1.AccessIntent(
        lender=request.lender,
        purpose=request.purpose,
        disclosure=request.disclosure,
        consent_id=consent.consent_id,
        request_digest=digest,
        providers=consent.providers,
    )
    kind = LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT
    return _draft(kind, to_timestamp(at), request.subject_ref, access_id, intent=act)


def refused_attempt(
    request: v1.ViewRequest,
    digest: bytes,
    consent_id: bytes,
    access_id: bytes,
    reason: v1.Reason.ValueType,
    at: datetime,
) -> Draft:
    """A lender's own signed request that did not pass."""
    act = v1.AccessRefusal(
        lender=request.lender,
        purpose=request.purpose,
        consent_id=consent_id,
        request_digest=digest,
        reason=reason,
        disclosure=request.disclosure,
    )
    kind = LogEntryKind.LOG_ENTRY_KIND_ACCESS_REFUSAL
    return _draft(kind, to_timestamp(at), request.subject_ref, access_id, refusal=act)


def release(view: v1.View, digest: bytes, categories: Sequence[DataCategory.ValueType]) -> Draft:
    """A view that is about to go out."""
    act = v1.AccessRelease(
        access_id=view.receipt.access_id,
        lender=view.lender,
        view_digest=digest,
        result=_RESULTS[view.WhichOneof("outcome") or ""],
        categories=categories,
        parts=[v1.ReleasedPart(provider=p.provider, kind=p.kind) for p in view.providers],
        listings=len(view.listings.listings),
        calibration_version=view.calibration_version,
    )
    kind = LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE
    return _draft(kind, view.issued_at, view.subject_ref, release=act)


def listing_release(
    answer: v1.ListingAnswer, digest: bytes, categories: Sequence[DataCategory.ValueType]
) -> Draft:
    """A listing answer that is about to go out."""
    act = v1.AccessRelease(
        access_id=answer.access_id,
        lender=answer.lender,
        view_digest=digest,
        result=ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY,
        categories=categories,
        listings=len(answer.listings.listings),
    )
    kind = LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE
    return _draft(kind, answer.issued_at, answer.subject_ref, release=act)


def consent_act(statement: v1.Consent | v1.ConsentEvent, digest: bytes, at: datetime) -> Draft:
    """A consent that is put on record, or the subject's event that changes one."""
    kind = LogEntryKind.LOG_ENTRY_KIND_CONSENT
    if isinstance(statement, v1.ConsentEvent):
        kind = LogEntryKind.LOG_ENTRY_KIND_CONSENT_EVENT
    act = v1.ConsentAct(consent_id=statement.consent_id, digest=digest)
    return _draft(kind, to_timestamp(at), statement.subject_ref, consent=act)


def member_act(statement: v1.Licence | v1.LicenceStatus, digest: bytes, at: datetime) -> Draft:
    """A licence that is taken in, or a status that changes a member's standing."""
    kind = LogEntryKind.LOG_ENTRY_KIND_LICENCE
    if isinstance(statement, v1.LicenceStatus):
        kind = LogEntryKind.LOG_ENTRY_KIND_LICENCE_STATUS
    act = v1.MemberAct(member_id=statement.member_id, digest=digest)
    return _draft(kind, to_timestamp(at), member=act)


def calibration_act(calibration: v1.Calibration, digest: bytes, at: datetime) -> Draft:
    """A calibration that is taken in."""
    act = v1.CalibrationAct(version=calibration.version, digest=digest)
    return _draft(LogEntryKind.LOG_ENTRY_KIND_CALIBRATION, to_timestamp(at), calibration=act)


def erasure(record_ids: Sequence[bytes], basis: v1.ErasureBasis.ValueType, at: datetime) -> Draft:
    """Openings that are erased in the same transaction."""
    act = v1.Erasure(basis=basis, record_ids=record_ids)
    return _draft(LogEntryKind.LOG_ENTRY_KIND_ERASURE, to_timestamp(at), erasure=act)


def listing_act(listing: Listing, cause: Cause, at: datetime) -> Draft:
    """A statement that moved a listing."""
    return _listing_draft(listing, cause.kind, cause.actor, cause.digest, at, cause.action)


def retraction_act(
    listing: Listing,
    kind: v1.ListingActKind.ValueType,
    lender: str,
    digest: bytes,
    at: datetime,
) -> Draft:
    """A retraction that was issued to a lender, or that the lender acknowledged."""
    return _listing_draft(listing, kind, lender, digest, at)


def _listing_draft(
    listing: Listing,
    kind: v1.ListingActKind.ValueType,
    actor: str,
    digest: bytes,
    at: datetime,
    action: v1.ListingAction.ValueType = v1.ListingAction.LISTING_ACTION_UNSPECIFIED,
) -> Draft:
    act = v1.ListingAct(
        listing_id=listing.listing_id,
        kind=kind,
        action=action,
        actor=actor,
        digest=digest,
        state=listing.state,
    )
    entry = LogEntryKind.LOG_ENTRY_KIND_LISTING
    return _draft(entry, to_timestamp(at), listing.subject_ref, listing=act)


def subject_act(statement: v1.FlagChange | v1.ContactChange, digest: bytes, at: datetime) -> Draft:
    """A flag that the subject placed or lifted, or where it wants its notices."""
    act = v1.SubjectAct(digest=digest)
    if isinstance(statement, v1.FlagChange):
        act.flag, act.placed = statement.kind, statement.placed
    entry = LogEntryKind.LOG_ENTRY_KIND_SUBJECT
    return _draft(entry, to_timestamp(at), statement.subject_ref, subject=act)


def own_look(request: v1.OwnViewRequest, digest: bytes, look_id: bytes, at: datetime) -> Draft:
    """A subject's look at its own score, before any provider is asked; its record id is the look's."""
    act = v1.OwnLook(request_digest=digest, providers=request.providers)
    kind = LogEntryKind.LOG_ENTRY_KIND_OWN_LOOK
    return _draft(kind, to_timestamp(at), request.subject_ref, look_id, own_look=act)


def own_view(view: v1.OwnView, digest: bytes) -> Draft:
    """An own view that is about to go out to its subject."""
    act = v1.OwnViewRelease(
        look_id=view.receipt.access_id,
        view_digest=digest,
        result=_RESULTS[view.WhichOneof("outcome") or ""],
        calibration_version=view.calibration_version,
        parts=[v1.ReleasedPart(provider=p.provider, kind=p.kind) for p in view.providers],
    )
    kind = LogEntryKind.LOG_ENTRY_KIND_OWN_VIEW
    return _draft(kind, view.issued_at, view.subject_ref, own_view=act)


def report_act(
    subject_ref: bytes, request_digest: bytes, report_digest: bytes, at: datetime
) -> Draft:
    """A page of a subject's report that is about to go out to it."""
    act = v1.ReportAct(request_digest=request_digest, report_digest=report_digest)
    return _draft(LogEntryKind.LOG_ENTRY_KIND_REPORT, to_timestamp(at), subject_ref, report=act)


def erasure_request(
    subject_ref: bytes, request_digest: bytes, erased: int, kept: int, at: datetime
) -> Draft:
    """A subject's request for erasure, and how many records went and stayed."""
    act = v1.ErasureRequestAct(request_digest=request_digest, erased=erased, kept=kept)
    kind = LogEntryKind.LOG_ENTRY_KIND_ERASURE_REQUEST
    return _draft(kind, to_timestamp(at), subject_ref, erasure_request=act)


def binding_act(binding: v1.SubjectBinding, digest: bytes, at: datetime) -> Draft:
    """A key that took over from another."""
    act = v1.BindingAct(version=binding.version, digest=digest)
    kind = LogEntryKind.LOG_ENTRY_KIND_BINDING
    return _draft(kind, to_timestamp(at), binding.subject_ref, binding=act)


def order_act(order: Order, at: datetime) -> Draft:
    """A regulator's order that was given, or what became of it."""
    act = v1.OrderAct(
        order_id=order.order_id,
        listing_id=order.key[1],
        regulator=order.regulator,
        furnisher=order.furnisher,
        stage=order.stage,
        digest=order.digest,
    )
    kind = LogEntryKind.LOG_ENTRY_KIND_ORDER
    return _draft(kind, to_timestamp(at), order.key[0], order=act)


def outcome(event: v1.OutcomeEvent, digest: bytes, at: datetime) -> Draft:
    """What a lender says came of an access."""
    act = v1.OutcomeReported(
        lender=event.lender,
        access_id=event.access_id,
        digest=digest,
        reviewed=event.reviewed_by_person,
    )
    kind = LogEntryKind.LOG_ENTRY_KIND_OUTCOME
    return _draft(kind, to_timestamp(at), event.subject_ref, outcome=act)


def monitoring(lender: str, subject_ref: bytes, consent_id: bytes, at: datetime) -> Draft:
    """A lender that is to be told that a listing is in force."""
    act = v1.MonitoringAct(lender=lender, consent_id=consent_id)
    kind = LogEntryKind.LOG_ENTRY_KIND_MONITORING
    return _draft(kind, to_timestamp(at), subject_ref, monitoring=act)


def mirror_act(court: str, digest: bytes, at: datetime) -> Draft:
    """A court's register that was found the same as its listings."""
    act = v1.MirrorAct(court=court, digest=digest)
    return _draft(LogEntryKind.LOG_ENTRY_KIND_MIRROR_SYNC, to_timestamp(at), mirror=act)


def outcome_counts(lender: str, digest: bytes, at: datetime) -> Draft:
    """A lender's counts of outcomes that are taken in; about no person."""
    act = v1.OutcomeAct(lender=lender, digest=digest)
    kind = LogEntryKind.LOG_ENTRY_KIND_OUTCOME_COUNTS
    return _draft(kind, to_timestamp(at), outcome_counts=act)


def supervision(
    regulator: str, kind: v1.SupervisionKind.ValueType, provider: str, at: datetime
) -> Draft:
    """A regulator's reading of aggregates; ``provider`` is empty for all."""
    act = v1.SupervisionAct(regulator=regulator, kind=kind, provider=provider)
    return _draft(LogEntryKind.LOG_ENTRY_KIND_SUPERVISION, to_timestamp(at), supervision=act)


def case_look_up(act: v1.CaseLookUp, at: datetime) -> Draft:
    """A regulator's look-up in a case, answered or refused: sealed, in nobody's chain."""
    kind = LogEntryKind.LOG_ENTRY_KIND_CASE_LOOK_UP
    if act.refusal:
        kind = LogEntryKind.LOG_ENTRY_KIND_CASE_REFUSAL
    return _draft(kind, to_timestamp(at), case_look_up=act)


def case_notice(
    subject_ref: bytes, record_id: bytes, index: int, message_id: bytes, at: datetime
) -> Draft:
    """A sealed entry that is opened to its subject: in its chain, from now on, under an id that tells which."""
    act = v1.CaseNoticeAct(record_id=record_id, index=index, message_id=message_id)
    kind, own_id = LogEntryKind.LOG_ENTRY_KIND_CASE_NOTICE, notice_record_id(record_id)
    return _draft(kind, to_timestamp(at), subject_ref, own_id, case_notice=act)


def screenings(
    request: v1.ScreenRequest,
    digest: bytes,
    results: Sequence[tuple[bytes, bytes, v1.Reason.ValueType, int]],
    at: datetime,
) -> list[Draft]:
    """The subjects of a screening: of each its ref, consent id, refusal, and how many listings were shown."""
    # One record for all, in which what differs is written over: a screening has a thousand of them.
    record = v1.LogRecord(
        recorded_at=to_timestamp(at),
        screening=v1.Screening(
            lender=request.lender, purpose=request.purpose, request_digest=digest
        ),
    )
    act, drafts = record.screening, list[Draft]()
    kind = LogEntryKind.LOG_ENTRY_KIND_SCREENING
    for record_id, result in zip(new_ids(len(results)), results, strict=True):
        subject_ref, act.consent_id, act.refusal, act.listings = result
        record.record_id, record.subject_ref = record_id, subject_ref
        serialised = record.SerializeToString(deterministic=True)
        drafts.append(Draft(record_id, kind, subject_ref, serialised))
    return drafts
