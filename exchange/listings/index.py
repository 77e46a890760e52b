"""The listings in force, in memory: what lenders' checks are answered from.

Only entries that a lender may see by their state are put in; pending, suppressed, withdrawn and repaired
listings are not here at all. Whether one is past its end, or its court's feed is stale, is checked when it
is looked up.

Most entries lie in sorted arrays (``exchange.listings.sorted_entries``). Changes lie beside them, by
subject, each with all records that the subject has now, so that a lookup takes a subject's records from one
place or the other. When changes are many, a thread merges them into new arrays.

Lookups may run on any number of threads while changes are made: each takes one state, which never changes.
A merge of 10^7 entries takes seconds and for its time the memory of them once more. Lookups go on meanwhile;
when the old arrays are freed they wait once for some 50 ms.

How long a lookup takes must not tell why nothing is shown. A subject who was never listed has the records of
the subject behind it read and checked in place of its own, at the cost of one whose listings are past their
end or of a stale feed. What still differs:

- Who was listed and is not has one blank record, which lies in the processor's cache, until the next merge.
- In a packed lookup who changed since the last merge costs some 0.5 microseconds more.
- What was looked up a moment ago is in the cache, whatever it is.
- What is shown costs more, and is told anyway.
"""

import struct
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from itertools import islice
from threading import Lock, Thread

import numpy as np
from numpy.typing import NDArray

from exchange.listings.entries import (
    ENTRIES,
    KEY_BYTES,
    RECORD,
    RECORD_BYTES,
    REF_BYTES,
    Entry,
    Records,
    count,
    halves,
    pack,
    pack_all,
    pack_array,
    require_ids,
    unpack,
    visible,
    with_record,
)
from exchange.listings.index_state import State
from exchange.listings.merging import merge, sort_entries
from exchange.listings.sorted_entries import SortedEntries, as_words

__all__ = ["ENTRIES", "Builder", "Change", "Entry", "ListingIndex", "LiveFeeds", "Removal"]

# Which feeds are fresh. Asked about 0 too, which stands for no feed: that answer counts for nothing.
LiveFeeds = Callable[[int], bool] | frozenset[int]

_AT_ONCE = 65_536  # entries that are packed together
_MERGE_ABOVE = 10_000  # subjects that changed
_MERGE_SHARE = 16  # and one of so many entries


@dataclass(frozen=True, slots=True)
class Removal:
    """That a listing is in force no more."""

    subject_ref: bytes  # 32 bytes
    listing_id: bytes  # 16 bytes


Change = Entry | Removal


class ListingIndex:
    """Entries by subject; made by ``Builder``, or empty."""

    def __init__(
        self, base: SortedEntries | None = None, *, merge_above: int = _MERGE_ABOVE
    ) -> None:
        """Start from sorted entries; merge changes of more subjects than this, and a sixteenth of them."""
        base = sort_entries(np.empty(0, RECORD)) if base is None else base
        self._state = State.of(base)
        self._merge_above = merge_above
        self._writing = Lock()
        self._merger: Thread | None = None

    def __len__(self) -> int:
        return self._state.entries

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays take; changes that are not merged yet are not counted."""
        return self._state.nbytes

    def lookup(self, subject_ref: bytes, now: int, live_feeds: LiveFeeds) -> list[Entry]:
        """Return the subject's entries that are shown at ``now`` (microseconds since 1970).

        The oldest delinquency comes first, and by listing id where they are equal. Raises ``ValueError``
        where the ref has not 32 bytes.
        """
        try:
            key = halves(subject_ref)
        except struct.error as error:
            raise ValueError(f"no subject_ref: {error}") from error
        state = self._state
        records: bytes | memoryview = state.base.buffer
        at = state.base.offset(key[0])
        changed = state.changed[subject_ref[0]].get(subject_ref[:KEY_BYTES])
        if changed is not None:
            records, at = changed, 0
        return visible(subject_ref, key, records, at, now, _container(live_feeds))

    def lookup_packed(self, refs: bytes, now: int, live_feeds: LiveFeeds) -> dict[int, list[Entry]]:
        """Return what ``lookup`` does for many subjects, by their place in ``refs`` from 0.

        ``refs`` are packed, 32 bytes each; places where nothing is shown are left out. All are answered from
        the same state. Raises ``ValueError`` where the last ref is cut off.
        """
        if len(refs) % REF_BYTES:
            raise ValueError(f"{len(refs)} bytes are no whole number of subject_refs")
        state, live = self._state, _container(live_feeds)
        changed = state.changed_among(refs)
        found: dict[int, list[Entry]] = {}
        places, shown = state.base.visible(refs, now, live)
        for row, place in enumerate(places):
            if place not in changed:
                entry = unpack(_ref_at(refs, place), shown, row * RECORD_BYTES)
                found.setdefault(place, []).append(entry)
        for place, records in changed.items():
            ref = _ref_at(refs, place)
            if entries := visible(ref, halves(ref), records, 0, now, live):
                found[place] = entries
        return dict(sorted(found.items()))

    def replace(self, changes: Iterable[Change]) -> None:
        """Put each entry, in place of one with its subject and listing id, and take out each removal.

        They are made in their order; a lookup sees all of them or none. Taking out what isn't there changes
        nothing. Raises ``ValueError``, and changes nothing, where a field is out of bounds or a subject
        would have more than 65,535 listings.
        """
        with self._writing:
            state = self._state
            entries, records = state.entries, dict[bytes, bytes]()
            for change in changes:
                record, key = _record_of(change), change.subject_ref[:KEY_BYTES]
                before = records.get(key) or state.records_of_key(key)
                records[key] = with_record(before, change.listing_id, record)
                entries += count(records[key]) - count(before)
            self._state = state.with_records(records, entries)
            self._merge_when_due()

    def put(self, entry: Entry) -> None:
        """Put one entry; see ``replace``."""
        self.replace([entry])

    def remove(self, subject_ref: bytes, listing_id: bytes) -> None:
        """Take one listing out; see ``replace``."""
        self.replace([Removal(subject_ref, listing_id)])

    def wait_for_merge(self) -> None:
        """Return when no merge is under way."""
        merger = self._merger
        if merger is not None:
            merger.join()

    def _merge_when_due(self) -> None:
        state = self._state
        due = max(self._merge_above, len(state.base) // _MERGE_SHARE)
        idle = self._merger is None or not self._merger.is_alive()
        if idle and state.changed_subjects() > due:
            self._merger = Thread(target=self._merge, name="listings-merge", daemon=True)
            self._merger.start()

    def _merge(self) -> None:
        before = self._state
        base = merge(before.base, before.changed)
        with self._writing:
            self._state = self._state.on(base, before)


class Builder:
    """Takes entries in any order, in parts, and makes an index of them."""

    def __init__(self) -> None:
        """Start with none."""
        # One array that grows, not many: what small ones leave behind stays with the process.
        self._records: Records = np.empty(0, RECORD)
        self._count = 0

    def add_many(self, entries: Iterable[Entry] | NDArray[np.void]) -> None:
        """Take entries, or an array of dtype ``ENTRIES``, which is many times faster.

        Raises ``ValueError`` where a field is out of bounds or the array is of another dtype.
        """
        if isinstance(entries, np.ndarray):
            self._add(pack_array(entries))
            return
        waiting = iter(entries)
        while some := list(islice(waiting, _AT_ONCE)):
            self._add(pack_all(some))

    def _add(self, records: Records) -> None:
        end = self._count + len(records)
        if end > len(self._records):
            self._records.resize(max(end, len(self._records) * 5 // 4), refcheck=False)
        as_words(self._records)[self._count : end] = as_words(records)
        self._count = end

    def finish(self) -> ListingIndex:
        """Return the index; the builder is empty then.

        Needs the memory of the entries twice for a moment. Raises ``ValueError`` where a subject has a
        listing twice, or more than 65,535 of them.
        """
        records, self._records = self._records[: self._count], np.empty(0, RECORD)
        self._count = 0
        return ListingIndex(sort_entries(records))


class _Asked:
    """The feeds for which a function returns true."""

    __slots__ = ("_is_live",)

    def __init__(self, is_live: Callable[[int], bool]) -> None:
        self._is_live = is_live

    def __contains__(self, feed: object) -> bool:
        return isinstance(feed, int) and self._is_live(feed)


def _container(feeds: LiveFeeds) -> Container[int]:
    return feeds if isinstance(feeds, frozenset) else _Asked(feeds)


def _ref_at(refs: bytes, place: int) -> bytes:
    return refs[place * REF_BYTES : (place + 1) * REF_BYTES]


def _record_of(change: Change) -> bytes | None:
    """Return the record that a change puts, none for a removal; raise ``ValueError`` as ``pack``."""
    if isinstance(change, Entry):
        return pack(change)
    require_ids(change.subject_ref, change.listing_id)
    return None
