"""When a regulator may look a subject up in a case: pure, from values and the time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import Reason

LONGEST_CASE = timedelta(days=365)
LONGEST_NOTICE = timedelta(days=180)
FIRST_USE_WITHIN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class KnownCase:
    """A case that was looked up in before."""

    case_id: bytes
    regulator: str
    case_reference: str
    subject_ref: bytes
    digest: bytes


def require_in_bounds(case: v1.CaseRequest, at: datetime, longest_notice: timedelta) -> None:
    """Raise ``Refusal`` unless the case is in force at ``at`` and as short as a case must be.

    REASON_CASE_ENDED at and after its end; REASON_CASE_TOO_WIDE where it is longer than a year, or its subject is
    told later than ``longest_notice`` after it was issued, after its end, or before it began;
    REASON_STATEMENT_NOT_FRESH where it was issued in the future.
    """
    with refusing_untrusted():
        issued, ends = from_timestamp(case.issued_at), from_timestamp(case.ends_at)
        told = from_timestamp(case.notice_at)
    if issued > at + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"issued at {issued}")
    if at >= ends:
        raise Refusal(Reason.REASON_CASE_ENDED, f"ended at {ends}")
    if not timedelta() < ends - issued <= LONGEST_CASE:
        raise Refusal(Reason.REASON_CASE_TOO_WIDE, f"from {issued} to {ends}")
    latest = min(LONGEST_NOTICE, longest_notice)
    if told < issued or told > ends or told - issued > latest:
        raise Refusal(Reason.REASON_CASE_TOO_WIDE, f"told at {told}, issued at {issued}")


def require_one_case(
    case: v1.CaseRequest, digest: bytes, known: Iterable[KnownCase], at: datetime
) -> None:
    """Raise ``Refusal`` unless this is a case that is known as it stands, or a fresh one of its own.

    ``known`` are those of its id, and of the regulator's with its reference. REASON_CASE_OTHER_SUBJECT where one
    is about somebody else; REASON_CASE_ENDED where the reference was another case's, or the case is not known and
    was issued too long ago; REASON_REPLAYED_WITH_OTHER_BYTES where the id stands for other terms.
    """
    first = True
    for one in known:
        first = False
        if one.subject_ref != case.subject_ref:
            raise Refusal(Reason.REASON_CASE_OTHER_SUBJECT)
        if one.case_id != case.case_id:
            raise Refusal(Reason.REASON_CASE_ENDED, "the reference was another case's")
        if one.digest != digest:
            raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "the case has other terms")
    if first and at - from_timestamp(case.issued_at) > FIRST_USE_WITHIN:
        raise Refusal(Reason.REASON_CASE_ENDED, "issued too long ago to be begun with")


def require_budget(spent: int, budget: int, at: datetime) -> None:
    """Raise ``Refusal`` (REASON_CASE_BUDGET_SPENT) where the month's look-ups of all regulators are spent."""
    if spent >= budget:
        raise Refusal(
            Reason.REASON_CASE_BUDGET_SPENT,
            f"{spent} look-ups this month",
            retry_after=_next_month(at) - at,
        )


def month_of(at: datetime) -> int:
    """Return the calendar month, UTC: 202606 for June 2026."""
    utc = at.astimezone(UTC)
    return utc.year * 100 + utc.month


def _next_month(at: datetime) -> datetime:
    utc = at.astimezone(UTC)
    return datetime(utc.year + utc.month // 12, utc.month % 12 + 1, 1, tzinfo=UTC)


def due_at(case: v1.CaseRequest, at: datetime) -> datetime:
    """Return when a subject is told of a look-up at ``at``: at the case's date, or at once where that is past."""
    return max(from_timestamp(case.notice_at), at)


def refusal_due_at(case: v1.CaseRequest, at: datetime, longest_notice: timedelta) -> datetime:
    """Return when a subject is told of an attempt that was refused at ``at``.

    At the date that the request names, within what a lawful one could have named; at once where it names none.
    """
    try:
        named = from_timestamp(case.notice_at) if case.HasField("notice_at") else at
    except StatementMalformedError:
        return at
    return min(max(named, at), at + min(LONGEST_NOTICE, longest_notice))
