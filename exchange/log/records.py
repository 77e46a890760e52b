"""What is entered in the log, as drafts: made from values, pure. They become entries when sequenced."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.v1 import DataCategory, LogEntryKind, ReleaseResult

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


def _draft(kind: LogEntryKind.ValueType, record: v1.LogRecord) -> Draft:
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
    return _draft(
        LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT,
        v1.LogRecord(
            record_id=access_id,
            recorded_at=to_timestamp(at),
            subject_ref=request.subject_ref,
            intent=v1.AccessIntent(
                lender=request.lender,
                purpose=request.purpose,
                disclosure=request.disclosure,
                consent_id=consent.consent_id,
                request_digest=digest,
                providers=consent.providers,
            ),
        ),
    )


def refused_attempt(
    request: v1.ViewRequest,
    digest: bytes,
    consent_id: bytes,
    access_id: bytes,
    reason: v1.Reason.ValueType,
    at: datetime,
) -> Draft:
    """A lender's own signed request that did not pass."""
    return _draft(
        LogEntryKind.LOG_ENTRY_KIND_ACCESS_REFUSAL,
        v1.LogRecord(
            record_id=access_id,
            recorded_at=to_timestamp(at),
            subject_ref=request.subject_ref,
            refusal=v1.AccessRefusal(
                lender=request.lender,
                purpose=request.purpose,
                consent_id=consent_id,
                request_digest=digest,
                reason=reason,
            ),
        ),
    )


def release(view: v1.View, digest: bytes, categories: Sequence[DataCategory.ValueType]) -> Draft:
    """A view that is about to go out."""
    outcome = view.WhichOneof("outcome") or ""
    return _draft(
        LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE,
        v1.LogRecord(
            record_id=new_id(),
            recorded_at=view.issued_at,
            subject_ref=view.subject_ref,
            release=v1.AccessRelease(
                access_id=view.receipt.access_id,
                lender=view.lender,
                view_digest=digest,
                result=_RESULTS[outcome],
                categories=categories,
                policy_version=view.policy_version,
                parts=[
                    v1.ReleasedPart(provider=part.provider, kind=part.kind)
                    for part in view.providers
                ],
            ),
        ),
    )


def consent_act(statement: v1.Consent | v1.ConsentEvent, digest: bytes, at: datetime) -> Draft:
    """A consent that is put on record, or the subject's event that changes one."""
    kind = LogEntryKind.LOG_ENTRY_KIND_CONSENT
    if isinstance(statement, v1.ConsentEvent):
        kind = LogEntryKind.LOG_ENTRY_KIND_CONSENT_EVENT
    return _draft(
        kind,
        v1.LogRecord(
            record_id=new_id(),
            recorded_at=to_timestamp(at),
            subject_ref=statement.subject_ref,
            consent=v1.ConsentAct(consent_id=statement.consent_id, digest=digest),
        ),
    )


def member_act(statement: v1.Licence | v1.LicenceStatus, digest: bytes, at: datetime) -> Draft:
    """A licence that is taken in, or a status that changes a member's standing."""
    kind = LogEntryKind.LOG_ENTRY_KIND_LICENCE
    if isinstance(statement, v1.LicenceStatus):
        kind = LogEntryKind.LOG_ENTRY_KIND_LICENCE_STATUS
    return _draft(
        kind,
        v1.LogRecord(
            record_id=new_id(),
            recorded_at=to_timestamp(at),
            member=v1.MemberAct(member_id=statement.member_id, digest=digest),
        ),
    )


def erasure(record_ids: Sequence[bytes], basis: v1.ErasureBasis.ValueType, at: datetime) -> Draft:
    """Openings that are erased in the same transaction."""
    return _draft(
        LogEntryKind.LOG_ENTRY_KIND_ERASURE,
        v1.LogRecord(
            record_id=new_id(),
            recorded_at=to_timestamp(at),
            erasure=v1.Erasure(basis=basis, record_ids=record_ids),
        ),
    )
