"""Reading a subject's report from the database, page by page: listings, consents, accesses, in this order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection, select

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.v1 import LogEntryKind, Reason
from exchange.consents import table as consents
from exchange.lenders.duties import outcomes_of
from exchange.listings.table import listing
from exchange.log import sequencing
from exchange.log import table as log
from exchange.subjects.contact_table import address_of
from exchange.subjects.flag_table import NO_FLAGS, flags_of
from exchange.subjects.own_listings import own_listings
from exchange.subjects.report_accesses import (
    ACCESS_KINDS,
    ChainEntry,
    reported_accesses,
    reported_erasures,
)
from exchange.subjects.report_sections import complaint_bodies, limits_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from datetime import datetime

    from concordat.federation.directory import MemberDirectory
    from exchange.listings.profile import Profiles

PAGE_BYTES = 700_000
MOST_ACCESSES = 5000
MOST_OUTCOMES = 200  # of the latest accesses; all are in the log
_LISTINGS, _CONSENTS, _ACCESSES = 0, 1, 2
_CHUNK = 500
_KEY_BYTES = 16
_LAST = (1 << 63) - 1  # what the column holds
_TAG_BYTES = 8  # at most, around a part: what protobuf adds

P_contra = TypeVar("P_contra", bound=Message, contravariant=True)


class Appended(Protocol[P_contra]):
    """What parts are added to."""

    def append(self, part: P_contra, /) -> None:
        """Add one."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whom a report is about, and what it is read with."""

    connection: Connection
    directory: MemberDirectory
    profiles: Profiles
    subject_ref: bytes
    at: datetime


@dataclass(slots=True)
class _Page:
    """A report that fills up."""

    report: v1.SubjectReport
    left: int  # bytes
    count: int = 0
    cursor: bytes = field(default=b"")

    def take(self, section: int, key: bytes, part: P_contra, parts: Appended[P_contra]) -> bool:
        """Add a part and go on behind it; return False where it must wait for the next page."""
        size = part.ByteSize() + _TAG_BYTES
        if self.count and size > self.left:
            return False
        parts.append(part)
        self.left -= size
        self.count += 1
        self.cursor = bytes([section]) + key.rjust(_KEY_BYTES, b"\x00")
        return True


def report_page(source: Source, request_digest: bytes, after: bytes) -> v1.SubjectReport:
    """Return the unsigned page that begins behind ``after``. Raises ``Refusal`` for a place that is none."""
    section, key = _place(after)
    report = v1.SubjectReport(
        federation=source.directory.anchors.federation,
        subject_ref=source.subject_ref,
        request_digest=request_digest,
        as_of=to_timestamp(source.at),
        after=after,
        log_size=sequencing.signed(source.connection).size,
        flags=_flags(source),
    )
    if not after:
        _add_first(report, source)
    page = _Page(report, PAGE_BYTES, cursor=after)
    readers = (_add_listings, _add_consents, _add_accesses)
    for place in range(section, len(readers)):
        start = key if place == section else b""
        if not readers[place](page, source, start):
            report.next = page.cursor
            break
    return report


def _place(after: bytes) -> tuple[int, bytes]:
    if not after:
        return _LISTINGS, b""
    if len(after) != 1 + _KEY_BYTES or after[0] > _ACCESSES:
        raise Refusal(Reason.REASON_MESSAGE_INVALID, "after is no page's next")
    return after[0], after[1:]


def _add_first(report: v1.SubjectReport, source: Source) -> None:
    """Add what is not paged."""
    connection, ref = source.connection, source.subject_ref
    contact = address_of(connection, ref)
    report.contact_email = contact[0] if contact else ""
    report.binding_version = consents.binding_versions(connection, [ref]).get(ref, 0)
    erasures = _chain(source, report.log_size, {LogEntryKind.LOG_ENTRY_KIND_ERASURE_REQUEST})
    report.erasures.extend(reported_erasures(erasures))
    report.outcomes.extend(_outcomes(source))
    report.complain_to.extend(complaint_bodies(source.directory, source.at))
    names = connection.execute(
        select(listing.c.profile).where(listing.c.subject_ref == ref).distinct()
    ).scalars()
    anchors = source.directory.anchors
    exchange = source.directory.require(anchors.bundle.exchange_id, source.at)
    own = source.profiles.name_of(exchange.licence)
    report.limits.extend(limits_of(source.profiles, [own, *names]))


def _outcomes(source: Source) -> Iterator[v1.ReportedOutcome]:
    """Yield what lenders said of their latest accesses, and what they still have to say."""
    for each in outcomes_of(source.connection, source.subject_ref)[-MOST_OUTCOMES:]:
        yield v1.ReportedOutcome(
            access_id=each.access_id,
            lender=each.lender,
            due_by=None if each.due_by is None else to_timestamp(each.due_by),
            event=each.event,
        )


def _add_listings(page: _Page, source: Source, after: bytes) -> bool:
    while True:
        found, more = own_listings(
            source.connection, source.profiles, source.subject_ref, after, source.at
        )
        for own in found:
            _shorten(own)
            if not page.take(_LISTINGS, own.listing_id, own, page.report.listings):
                return False
            after = own.listing_id
        if not more:
            return True


def _shorten(own: v1.OwnListing) -> None:
    """Leave out the oldest steps of a history that no page holds."""
    size = own.ByteSize()
    while size > PAGE_BYTES and len(own.steps) > 1:
        size -= own.steps[0].ByteSize()
        del own.steps[0]


def _add_consents(page: _Page, source: Source, after: bytes) -> bool:
    while found := consents.page(source.connection, source.subject_ref, after, _CHUNK):
        for record in found:
            consent_id = v1.Consent.FromString(record.consent.payload).consent_id
            if not page.take(_CONSENTS, consent_id, record, page.report.consents):
                return False
            after = consent_id
    return True


def _add_accesses(page: _Page, source: Source, after: bytes) -> bool:
    """Add accesses; of the chain no more is opened than is behind: a release comes after its intent."""
    accesses = page.report.accesses
    behind = min(int.from_bytes(after, "big"), _LAST)
    entries = list(_chain(source, page.report.log_size, ACCESS_KINDS, behind))
    for sequence, access in reported_accesses(entries, _cases(source, entries)):
        key = sequence.to_bytes(_KEY_BYTES, "big")
        full = len(accesses) == MOST_ACCESSES
        if full or not page.take(_ACCESSES, key, access, accesses):
            return False
    return True


def _chain(
    source: Source, size: int, kinds: Container[int], after: int = 0
) -> Iterator[ChainEntry]:
    """Yield the subject's entries of some kinds in a log of ``size`` that still open, in order."""
    for opening, record in log.walk(source.connection, source.subject_ref, size, after, kinds):
        yield ChainEntry(opening.sequence, opening.leaf_index, record)


def _cases(source: Source, entries: list[ChainEntry]) -> dict[bytes, v1.LogRecord]:
    """Return the records of the look-ups that the subject was told of, by record id."""
    told = [
        entry.record.case_notice.record_id
        for entry in entries
        if entry.record.WhichOneof("act") == "case_notice"
    ]
    if not told:
        return {}
    found = log.openings(source.connection, [(b"", record_id) for record_id in told])
    records = [v1.LogRecord.FromString(row.record) for row in found if row.record is not None]
    return {record.record_id: record for record in records}


def _flags(source: Source) -> v1.SubjectFlags:
    ref = source.subject_ref
    now = flags_of(source.connection, [ref]).get(ref, NO_FLAGS)
    return v1.SubjectFlags(frozen=now.frozen, fraud_alert=now.fraud_alert)
