"""A subject's own entries, checked: each is in the log, and together they are all there are.

    chain = Chain()
    for page in pages:
        chain.take(page, ...)      # raises HistoryBrokenError at the first entry that does not fit
    chain.require_complete()       # and where entries are missing at the end

Each entry names, under a salt of its own, its place and the one before; so one that is left out, moved or
changed breaks the chain, and one that is left off the end contradicts the exchange's signed ``AccessHistory``,
what this wallet kept, or the receipt of whoever took part.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust import merkle
from concordat.trust.checkpoint import SignedCheckpoint
from concordat.trust.commitment import (
    NO_ENTRY,
    commitment_of,
    link_commitment,
    record_commitment,
)
from concordat.trust.envelope import Verified, open_envelope, parse_statement
from concordat.trust.errors import TrustError
from concordat.verify.receipt import open_record, opened_checkpoint


class HistoryBrokenError(Exception):
    """The exchange's account of a subject's entries does not hold.

    ``history`` (signed by the exchange) and ``checkpoint`` (signed by the log) are the evidence: keep them,
    with the receipt of the entry that is missing where there is one.
    """

    def __init__(self, detail: str, history: v1.Envelope, checkpoint: bytes) -> None:
        """Find the history broken."""
        super().__init__(detail)
        self.history = history
        self.checkpoint = checkpoint


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One of the subject's entries, verified; ``record`` is None where it was erased."""

    sequence: int
    index: int
    entry: v1.LogEntry
    record: v1.LogRecord | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What was verified the last time: where the chain ended, and how large the log was."""

    length: int = 0
    head: bytes = NO_ENTRY
    log_size: int = 0


@dataclass(slots=True)
class Chain:
    """The subject's entries as they come in, page by page."""

    kept: Kept = field(default_factory=Kept)
    entries: list[HistoryEntry] = field(default_factory=list)
    head: bytes = NO_ENTRY
    latest: "Page | None" = None

    def take(
        self,
        response: v1.ListAccessesResponse,
        *,
        exchange: Member,
        anchors: Anchors,
        asked: Verified[v1.SubjectRequest],
        at: datetime,
    ) -> None:
        """Verify a page and add it; raise ``HistoryBrokenError``."""
        page = self._open(response, exchange, anchors, asked, at)
        if page.checkpoint.size < max(
            self.kept.log_size, self.latest.checkpoint.size if self.latest else 0
        ):
            raise page.broken("the log has shrunk since it was last seen")
        self.latest = page
        for told in response.entries:
            self._add(told, page, asked.message.subject_ref)

    def _open(
        self,
        response: v1.ListAccessesResponse,
        exchange: Member,
        anchors: Anchors,
        asked: Verified[v1.SubjectRequest],
        at: datetime,
    ) -> "Page":
        try:
            checkpoint = opened_checkpoint(response.checkpoint, anchors.log, anchors.witnesses)
            with refusing_untrusted():
                history = open_envelope(response.history, v1.AccessHistory, exchange.keys, at)
            anchors.require_federation(history.message.federation)
        except (TrustError, Refusal) as error:
            raise HistoryBrokenError(str(error), response.history, response.checkpoint) from error
        page = Page(history.message, checkpoint, response.history)
        told = history.message
        if (told.subject_ref, told.request_digest) != (asked.message.subject_ref, asked.digest):
            raise page.broken("the exchange answered another request")
        if (told.log_size, told.log_root) != (checkpoint.size, checkpoint.root):
            raise page.broken("the exchange speaks of another log than its checkpoint")
        return page

    def _add(self, told: v1.SubjectLogEntry, page: "Page", subject_ref: bytes) -> None:
        """Add one entry; raise unless it is the next of the chain and in the log."""
        sequence = len(self.entries) + 1
        link = told.link
        if (link.sequence, link.previous) != (sequence, self.head):
            raise page.broken(f"entry {sequence} about you is missing, or is not the one it was")
        try:
            found = _open_entry(told, page.checkpoint)
        except (TrustError, Refusal) as error:
            raise page.broken(f"entry {sequence} about you: {error}") from error
        if found.record is not None and found.record.subject_ref != subject_ref:
            raise page.broken(f"entry {sequence} is about somebody else")
        if self.entries and self.entries[-1].index >= found.index:
            raise page.broken(f"entry {sequence} about you is out of order")
        self.entries.append(found)
        self.head = found.entry.commitment
        if sequence == self.kept.length and self.head != self.kept.head:
            raise page.broken(f"entry {sequence} about you is another than it was")

    def require_complete(self) -> "Page":
        """Return the last page; raise ``HistoryBrokenError`` where entries are missing at the end."""
        page = self.latest
        assert page is not None  # noqa: S101 - a page was taken
        told = page.history
        if len(self.entries) < self.kept.length:
            raise page.broken(
                f"{self.kept.length} entries about you were there before, {len(self.entries)} are left"
            )
        if (told.length, told.head) != (len(self.entries), self.head):
            raise page.broken(
                f"the exchange signs that there are {told.length} entries about you, "
                f"and shows {len(self.entries)}"
            )
        return page

    def require_includes(self, receipts: Iterable[v1.LogReceipt]) -> int:
        """Raise ``HistoryBrokenError`` where an entry that somebody holds a receipt of is not among these.

        Returns how many were found; one that is younger than the log seen here is not counted.
        """
        page = self.require_complete()
        known = {entry.index: entry.entry.record_id for entry in self.entries}
        found = 0
        for receipt in receipts:
            if receipt.index >= page.checkpoint.size:
                continue
            entry = v1.LogEntry.FromString(receipt.entry)
            if known.get(receipt.index) != entry.record_id:
                raise page.broken(
                    f"entry {receipt.index} of the log is about you, as the receipt proves, and is left out"
                )
            found += 1
        return found


@dataclass(frozen=True, slots=True)
class Page:
    """What a page of entries rests on."""

    history: v1.AccessHistory
    checkpoint: SignedCheckpoint
    envelope: v1.Envelope

    def broken(self, detail: str) -> HistoryBrokenError:
        """Return the error that keeps this page's evidence."""
        return HistoryBrokenError(detail, self.envelope, self.checkpoint.note)

    @property
    def kept(self) -> Kept:
        """What to remember of it."""
        return Kept(self.history.length, self.history.head, self.history.log_size)


def _open_entry(told: v1.SubjectLogEntry, checkpoint: SignedCheckpoint) -> HistoryEntry:
    """Verify one entry: in the log, and committing to its record and its link."""
    merkle.verify_inclusion(
        merkle.leaf_hash(told.entry), told.index, checkpoint.size, told.proof, checkpoint.root
    )
    entry = parse_statement(v1.LogEntry, told.entry)
    link = link_commitment(told.link.sequence, told.link.previous, told.link.salt)
    erased = not told.HasField("opening")
    of_record = (
        told.record_commitment
        if erased
        else record_commitment(told.opening.record, told.opening.salt)
    )
    if commitment_of(of_record, link) != entry.commitment:
        raise Refusal(
            v1.Reason.REASON_ACCESS_NOT_LOGGED, "it is not what the log's entry commits to"
        )
    record = None if erased else open_record(entry, told.opening.record)
    return HistoryEntry(told.link.sequence, told.index, entry, record)
