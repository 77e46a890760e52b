"""Attempts that were refused: logged as look-ups are, sealed as they are, and told to the subject."""

from datetime import datetime, timedelta

from google.protobuf.message import DecodeError
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import digest_of
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import Reason
from exchange.log import records
from exchange.log import table as log
from exchange.supervision import bounds
from exchange.supervision.bounds import PER_DAY, Bounded
from exchange.supervision.cases import rules, table
from exchange.supervision.statistics import acts, counting

# What says nothing of the attempt: the exchange itself could not.
NOT_ATTEMPTS = frozenset(
    {
        Reason.REASON_UNAVAILABLE,
        Reason.REASON_INTERNAL,
        Reason.REASON_LOG_UNAVAILABLE,
        Reason.REASON_LOG_UNWITNESSED,
    }
)
_SUBJECT_REF_BYTES = 32


def act_of(case: v1.CaseRequest, digest: bytes, regulator: str, due: datetime) -> v1.CaseLookUp:
    """Return what the log keeps of a look-up in a case."""
    return v1.CaseLookUp(
        regulator=regulator,
        subject_ref=case.subject_ref,
        case_digest=digest,
        legal_article=case.legal_article,
        case_reference=case.case_reference,
        scopes=case.scopes,
        notice_at=to_timestamp(due),
    )


def record(
    connection: Connection,
    envelope: v1.Envelope,
    regulator: str,
    reason: Reason.ValueType,
    at: datetime,
    longest_notice: timedelta,
) -> bool:
    """Log a refused attempt and owe its subject a notice; return whether that was done.

    It is not where the attempt names no subject at all, and beyond the bound of a day: the first such attempt is
    logged, so that it stands there that the bound was reached, and those after it are only counted.
    """
    case = _named(envelope)
    if case is None:
        return False
    many = bounds.count(connection, regulator, Bounded.REFUSED_LOOK_UP, at)
    if many > PER_DAY[Bounded.REFUSED_LOOK_UP] + 1:
        refused = v1.CaseLookUp(regulator=regulator, refusal=reason)
        counting.count(connection, [(at, acts.of_case(refused))])
        return False
    due = rules.refusal_due_at(case, at, longest_notice)
    act = act_of(case, digest_of(envelope), regulator, due)
    act.refusal = reason
    draft = records.case_look_up(act, at)
    log.enqueue(connection, [draft])
    counting.count(connection, [(at, acts.of_case(act))])
    table.owe(connection, case.subject_ref, draft.record_id, due)
    return True


def _named(envelope: v1.Envelope) -> v1.CaseRequest | None:
    """Return the case as it is named, within its bounds or as little of it as tells the subject who tried."""
    try:
        case = v1.CaseRequest.FromString(envelope.payload)
    except DecodeError:
        return None
    if len(case.subject_ref) != _SUBJECT_REF_BYTES:
        return None
    try:
        case.DiscardUnknownFields()
        validate(case)
    except StatementMalformedError:
        kept = v1.CaseRequest(subject_ref=case.subject_ref)
        if case.HasField("notice_at"):
            kept.notice_at.CopyFrom(case.notice_at)
        return kept
    return case
