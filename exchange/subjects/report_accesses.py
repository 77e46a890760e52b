"""Who asked for a subject's data, from the records of its entries in the log: pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from concordat import v1
from concordat.v1 import LogEntryKind
from concordat.v1 import ReportedAccessKind as Kind

ACCESS_KINDS = frozenset(
    {
        LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT,
        LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE,
        LogEntryKind.LOG_ENTRY_KIND_ACCESS_REFUSAL,
        LogEntryKind.LOG_ENTRY_KIND_SCREENING,
        LogEntryKind.LOG_ENTRY_KIND_MONITORING,
        LogEntryKind.LOG_ENTRY_KIND_CASE_NOTICE,
    }
)
"""Entries that accesses are told from: those whose acts ``reported_accesses`` knows."""


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """One of the subject's entries that still opens: its place in the chain and in the log, and its record."""

    sequence: int
    index: int
    record: v1.LogRecord


def reported_accesses(
    entries: Iterable[ChainEntry], cases: Mapping[bytes, v1.LogRecord]
) -> list[tuple[int, v1.ReportedAccess]]:
    """Return every access with the place of its entry in the chain, releases told with their intents.

    ``cases`` are the records of regulators' look-ups that the subject was told of, by record id.
    """
    found: dict[bytes, tuple[int, v1.ReportedAccess]] = {}
    for entry in entries:
        record = entry.record
        if record.WhichOneof("act") == "release":
            _add_release(found, record)
        elif (access := _access(entry, cases)) is not None:
            found[record.record_id] = (entry.sequence, access)
    return list(found.values())


def _access(entry: ChainEntry, cases: Mapping[bytes, v1.LogRecord]) -> v1.ReportedAccess | None:
    record = entry.record
    match record.WhichOneof("act"):
        case "intent":
            act = record.intent
            return _made(entry, Kind.REPORTED_ACCESS_KIND_REQUEST, act.lender, act)
        case "refusal":
            access = _made(
                entry, Kind.REPORTED_ACCESS_KIND_REQUEST, record.refusal.lender, record.refusal
            )
            access.refusal = record.refusal.reason
            return access
        case "screening":
            return _screening(entry, record.screening)
        case "monitoring":
            return _monitoring(entry, record.monitoring)
        case "case_notice":
            return _case(entry, cases.get(record.case_notice.record_id))
    return None


def _made(
    entry: ChainEntry,
    kind: Kind.ValueType,
    member: str,
    act: v1.AccessIntent | v1.AccessRefusal | v1.Screening | None = None,
    at: Timestamp | None = None,
) -> v1.ReportedAccess:
    return v1.ReportedAccess(
        at=at or entry.record.recorded_at,
        kind=kind,
        member=member,
        purpose=act.purpose if act else v1.Purpose.PURPOSE_UNSPECIFIED,
        consent_id=act.consent_id if act else b"",
        log_index=entry.index,
        record_id=entry.record.record_id,
    )


def _screening(entry: ChainEntry, act: v1.Screening) -> v1.ReportedAccess:
    access = _made(entry, Kind.REPORTED_ACCESS_KIND_SCREENING, act.lender, act)
    access.refusal, access.listings = act.refusal, act.listings
    if not act.refusal:
        access.releases = 1
        access.released_at.CopyFrom(entry.record.recorded_at)
        access.result = v1.ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY
        access.categories.append(v1.DataCategory.DATA_CATEGORY_LISTINGS)
    return access


def _monitoring(entry: ChainEntry, act: v1.MonitoringAct) -> v1.ReportedAccess:
    access = _made(entry, Kind.REPORTED_ACCESS_KIND_MONITORING, act.lender)
    access.consent_id = act.consent_id
    access.releases = 1
    access.released_at.CopyFrom(entry.record.recorded_at)
    access.result = v1.ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY
    return access


def _case(entry: ChainEntry, sealed: v1.LogRecord | None) -> v1.ReportedAccess | None:
    """Return a regulator's look-up; None where what opens it is gone: the log itself still shows the notice."""
    if sealed is None:
        return None
    act = sealed.case_look_up
    access = _made(entry, Kind.REPORTED_ACCESS_KIND_CASE, act.regulator, at=sealed.recorded_at)
    access.case_reference, access.legal_article = act.case_reference, act.legal_article
    access.refusal = act.refusal
    if not act.refusal:
        access.releases = 1
        access.released_at.CopyFrom(sealed.recorded_at)
    return access


def _add_release(found: dict[bytes, tuple[int, v1.ReportedAccess]], record: v1.LogRecord) -> None:
    """Tell of a release with its intent; one whose intent is erased tells nothing here."""
    act = record.release
    if act.access_id not in found:
        return
    access = found[act.access_id][1]
    access.releases += 1
    access.released_at.CopyFrom(record.recorded_at)
    access.result, access.listings = act.result, act.listings
    access.calibration_version = act.calibration_version
    del access.categories[:]
    access.categories.extend(act.categories)


def reported_erasures(entries: Iterable[ChainEntry]) -> Iterator[v1.ReportedErasure]:
    """Yield the erasures that the subject asked for."""
    for entry in entries:
        if entry.record.WhichOneof("act") == "erasure_request":
            act = entry.record.erasure_request
            yield v1.ReportedErasure(
                at=entry.record.recorded_at,
                erased=act.erased,
                kept=act.kept,
                log_index=entry.index,
            )
