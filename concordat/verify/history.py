"""A subject's own entries, checked: each is in the log, and together they are all there are.

    chain = Chain()
    for page in pages:
        chain.take(page, ...)      # raises HistoryBrokenError at the first entry that does not fit
    chain.require_complete()       # and where entries are missing at the end

Each entry names, under a salt of its own, its place and the one before; so one that is left out, moved or
changed breaks the chain, and one that is left off the end contradicts what the exchange signed, now or to this
wallet before, or the receipt of whoever took part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
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
from concordat.trust.errors import StatementMalformedError, TrustError
from concordat.verify.consent import require_fresh
from concordat.verify.receipt import Logged, open_receipt, open_record, opened_checkpoint


@dataclass(frozen=True, slots=True)
class Kept:
    """What the exchange signed and this wallet verified before, to be held against what it says now.

    ``history`` and ``checkpoint`` are the signed bytes of it: without them nobody else need believe it.
    """

    length: int = 0
    head: bytes = NO_ENTRY
    log_size: int = 0
    log_root: bytes = merkle.EMPTY_ROOT
    history: v1.Envelope = field(default_factory=v1.Envelope)
    checkpoint: bytes = b""


class HistoryBrokenError(Exception):
    """The exchange's account of a subject's entries does not hold.

    The evidence: ``pages``, as the exchange gave them, the last being where it broke, with its
    ``history`` (signed by the exchange) and ``checkpoint`` (signed by the log); ``kept``, what it signed
    before; and ``receipt``, of the entry that is missing, where there is one.
    """

    def __init__(
        self,
        detail: str,
        pages: Sequence[v1.ListAccessesResponse],
        kept: Kept,
        receipt: v1.LogReceipt | None = None,
    ) -> None:
        """Find the history broken."""
        super().__init__(detail)
        self.pages = tuple(pages)
        self.kept = kept
        self.receipt = receipt

    @property
    def history(self) -> v1.Envelope:
        """The exchange's ``AccessHistory`` that does not hold."""
        return self.pages[-1].history

    @property
    def checkpoint(self) -> bytes:
        """The note that it speaks of."""
        return self.pages[-1].checkpoint


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One of the subject's entries, verified; ``record`` is None where it was erased."""

    sequence: int
    index: int
    entry: v1.LogEntry
    record: v1.LogRecord | None


@dataclass(slots=True)
class Chain:
    """The subject's entries as they come in, page by page."""

    kept: Kept = field(default_factory=Kept)
    entries: list[HistoryEntry] = field(default_factory=list)
    head: bytes = NO_ENTRY
    pages: list["Page"] = field(default_factory=list)

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
        self.pages.append(page)
        for before in self._promises():
            if page.checkpoint.size < before.log_size:
                raise self._broken("the log has shrunk since it was last seen")
            if page.checkpoint.size == before.log_size and page.checkpoint.root != before.log_root:
                raise self._broken("the log has forked: it signed two trees of one size")
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
            _require_answers(history.message, asked)
            erasures = [open_receipt(receipt, anchors) for receipt in response.erasures]
        except (TrustError, Refusal) as error:
            raise self._broken(str(error), response) from error
        told = history.message
        if (told.log_size, told.log_root) != (checkpoint.size, checkpoint.root):
            raise self._broken("the exchange speaks of another log than its checkpoint", response)
        return Page(told, checkpoint, response, {e.entry.record_id: e for e in erasures})

    def _add(self, told: v1.SubjectLogEntry, page: "Page", subject_ref: bytes) -> None:
        """Add one entry; raise unless it is the next of the chain and in the log."""
        sequence = len(self.entries) + 1
        link = told.link
        if (link.sequence, link.previous) != (sequence, self.head):
            raise self._broken(f"entry {sequence} about you is missing, or is not the one it was")
        try:
            found = _open_entry(told, page.checkpoint)
            if found.record is None:
                _require_erased(told, found, page)
        except (TrustError, Refusal) as error:
            raise self._broken(f"entry {sequence} about you: {error}") from error
        if found.record is not None and found.record.subject_ref != subject_ref:
            raise self._broken(f"entry {sequence} is about somebody else")
        if self.entries and self.entries[-1].index >= found.index:
            raise self._broken(f"entry {sequence} about you is out of order")
        self.entries.append(found)
        self.head = found.entry.commitment
        for before in self._promises():
            self._require_promised(found, before)

    def _promises(self) -> list[Kept]:
        """Return what the exchange signed about this chain, before and now."""
        return [self.kept, *(page.kept for page in self.pages)]

    def _require_promised(self, found: HistoryEntry, before: Kept) -> None:
        """Raise where the entry is another than the exchange signed, or one that it had left out."""
        sequence = found.sequence
        if sequence == before.length and self.head != before.head:
            raise self._broken(f"entry {sequence} about you is another than the exchange signed")
        if sequence > before.length and found.index < before.log_size:
            raise self._broken(
                f"the exchange signed that there are {before.length} entries about you in a log of "
                f"{before.log_size}, and entry {found.index} of it is about you too"
            )

    def require_complete(self) -> "Page":
        """Return the last page; raise ``HistoryBrokenError`` where entries are missing at the end."""
        page = self.pages[-1]
        told, shown = page.history, len(self.entries)
        if shown < self.kept.length:
            raise self._broken(
                f"{self.kept.length} entries about you were there before, {shown} are left"
            )
        if (told.length, told.head) != (shown, self.head):
            raise self._broken(
                f"the exchange signs that there are {told.length} entries about you, and shows {shown}"
            )
        return page

    def require_includes(self, receipts: Iterable[v1.LogReceipt]) -> int:
        """Raise ``HistoryBrokenError`` where an entry that somebody holds a receipt of is not among these.

        The caller has verified the receipts, and that they are of this subject. Returns how many were
        found; one that is younger than the log seen here is not counted, unless the exchange showed a log
        that was old already.
        """
        page = self.require_complete()
        known = {found.index: found.entry for found in self.entries}
        answered = from_timestamp(page.history.issued_at)
        count = 0
        for receipt in receipts:
            entry = v1.LogEntry.FromString(receipt.entry)
            if receipt.index < page.checkpoint.size:
                if known.get(receipt.index) != entry:
                    raise self._broken(
                        f"entry {receipt.index} of the log is about you, as the receipt proves, "
                        "and is left out",
                        receipt=receipt,
                    )
                count += 1
            elif from_timestamp(entry.logged_at) + MAX_SKEW < answered:
                raise self._broken(
                    f"the exchange shows an old log, without entry {receipt.index} that is about you",
                    receipt=receipt,
                )
        return count

    def _broken(
        self,
        detail: str,
        response: v1.ListAccessesResponse | None = None,
        *,
        receipt: v1.LogReceipt | None = None,
    ) -> HistoryBrokenError:
        """Return the error with all that the exchange said, ``response`` the last of it if it is no page."""
        said = [page.response for page in self.pages]
        return HistoryBrokenError(
            detail, said if response is None else [*said, response], self.kept, receipt
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of entries, and what it rests on."""

    history: v1.AccessHistory
    checkpoint: SignedCheckpoint
    response: v1.ListAccessesResponse
    erasures: dict[bytes, Logged]  # by record id

    @property
    def kept(self) -> Kept:
        """What to remember of it."""
        told = self.history
        return Kept(
            told.length,
            told.head,
            told.log_size,
            told.log_root,
            self.response.history,
            self.checkpoint.note,
        )


def _require_answers(told: v1.AccessHistory, asked: Verified[v1.SubjectRequest]) -> None:
    """Raise ``TrustError`` or ``Refusal`` unless the history was made for this request, while it was fresh."""
    request = asked.message
    if (told.subject_ref, told.request_digest) != (request.subject_ref, asked.digest):
        raise StatementMalformedError("the exchange answered another request")
    require_fresh(
        from_timestamp(request.issued_at),
        from_timestamp(request.expires_at),
        from_timestamp(told.issued_at),
    )


def _require_erased(told: v1.SubjectLogEntry, found: HistoryEntry, page: Page) -> None:
    """Raise ``Refusal`` unless the log has an erasure, after the entry, that names it: else it is withheld."""
    logged = page.erasures.get(told.erased_under)
    if (
        logged is None
        or logged.entry.kind != v1.LogEntryKind.LOG_ENTRY_KIND_ERASURE
        or found.entry.record_id not in logged.record.erasure.record_ids
        or logged.index <= found.index
    ):
        raise Refusal(
            v1.Reason.REASON_ACCESS_NOT_LOGGED,
            "it is shown as erased, and the log has no erasure of it",
        )


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
    from_timestamp(entry.logged_at)  # a time that nobody can read says nothing of when it was
    record = None if erased else open_record(entry, told.opening.record)
    return HistoryEntry(told.link.sequence, told.index, entry, record)
