"""Records in an array that never changes: sorted by key, found through a table of where each prefix starts.

Keys of real subjects are spread evenly, so the upper bits of a key tell where it is, to within a few rows,
and a bisection of those finds it. Where keys are not spread evenly the bisection is longer, up to that of
all rows; nothing else depends on it.
"""

import sys
from bisect import bisect_left
from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from exchange.listings.entries import (
    BLANK,
    KEY_BYTES,
    RECORD,
    RECORD_BYTES,
    REF_BYTES,
    Records,
    records_of,
)

_MOST = 0xFFFF_FFFF  # records that the table can count
_MOST_BITS = 30

Column = NDArray[np.uint64]
Rows = NDArray[np.intp]


class SortedEntries:
    """Records by key, a subject's by delinquent day and listing id; behind them a blank one.

    One takes 56 bytes, and the table 4 bytes for each two to four of them.
    """

    __slots__ = ("_depth", "_high", "_highs", "_starts", "buffer", "records", "shift", "start")

    def __init__(self, records: Records) -> None:
        """Take the array over: sorted, with ``rows`` set, and one row more at the end, which this sets.

        Raises ``ValueError`` for more than 2^32 - 1 records.
        """
        total = len(records) - 1
        if total > _MOST:
            raise ValueError(f"{total} records are more than {_MOST}")
        records[total:] = np.frombuffer(BLANK, RECORD)
        bits = min(max(1, total.bit_length() - 2), _MOST_BITS)
        self.records, self.shift = records, 64 - bits
        self._high = records["high"]
        edges = np.arange(1 << bits, dtype=np.uint64) << np.uint64(self.shift)
        # The first row of each prefix, and behind them all the number of rows.
        self.start = np.full((1 << bits) + 1, total, np.uint32)
        self.start[:-1] = self._high[:total].searchsorted(edges)
        self._depth = int(np.diff(self.start).max()).bit_length()
        # The same memory, as a single row is read fastest.
        self.buffer = memoryview(as_words(records)).cast("B")
        self._highs, self._starts = memoryview(self._high), memoryview(self.start)

    def __len__(self) -> int:
        return len(self.records) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays take."""
        return self.records.nbytes + self.start.nbytes

    def offset(self, high: int) -> int:
        """Return where in ``buffer`` records begin, or would, whose key has this first half."""
        highs, starts, bucket = self._highs, self._starts, high >> self.shift
        return RECORD_BYTES * bisect_left(highs, high, starts[bucket], starts[bucket + 1])

    def records_of_key(self, key: bytes) -> bytes:
        """Return the records of the subject with this key, ``BLANK`` where it has none."""
        high = int.from_bytes(key[: KEY_BYTES // 2], sys.byteorder)
        return records_of(key, self.buffer, self.offset(high))

    def visible(self, refs: bytes, now: int, live: Container[int]) -> tuple[list[int], bytes]:
        """Return the records to show of many subjects, and of each its subject's place in ``refs``.

        ``refs`` are packed, 32 bytes each. As in ``entries.visible``, a subject who has none has another's
        records read and checked in their place.
        """
        words = np.frombuffer(refs, np.uint64).reshape(-1, REF_BYTES // 8)
        high, low = words[:, 0], words[:, 1]
        first = self._first(high, low)
        read = np.maximum(self.records["rows"][first], 1).astype(np.intp)
        places = np.arange(len(words)).repeat(read)
        taken = self._take(runs(first, read))
        shown = (taken["high"] == high[places]) & (taken["low"] == low[places])
        shown &= (taken["rows"] > 0) & (now < taken["expires_at"])
        shown &= _are_live(taken["feed"], live)
        return places[shown].tolist(), taken[shown].tobytes()

    def find(self, high: Column, low: Column) -> tuple[Rows, Rows]:
        """Return first row and number of rows of each key; any row and 0 where there are none."""
        row = self._first(high, low)
        there = self._take(row)
        found = (there["high"] == high) & (there["low"] == low)
        return row, there["rows"] * found.astype(np.intp)

    def _take(self, rows: Rows) -> Records:
        return as_words(self.records).take(rows, axis=0).view(RECORD)[:, 0]

    def _first(self, high: Column, low: Column) -> Rows:
        """Return the row at which each key's records begin, or would."""
        row = self._bisect(high)
        while (before := (self._high[row] == high) & (self.records["low"][row] < low)).any():
            row += before  # others' whose first half is the same
        return row

    def _bisect(self, high: Column) -> Rows:
        """Return the row before which each belongs, in as many steps for one as for another."""
        bucket = (high >> np.uint64(self.shift)).astype(np.intp)
        row, end = self.start[bucket].astype(np.intp), self.start[bucket + 1].astype(np.intp)
        for step in (1 << bit for bit in reversed(range(self._depth))):
            ahead = row + step
            below = self._high[np.minimum(ahead, end) - 1] < high
            row = np.where(below & (ahead <= end), ahead, row)
        return row


def as_words(records: Records) -> NDArray[np.uint64]:
    """Return the same records as rows of seven numbers, which are copied faster."""
    return records.view(np.uint64).reshape(len(records), RECORD_BYTES // 8)


def runs(first: Rows, length: Rows) -> Rows:
    """Return ``first``, ``first + 1`` ... of each run of so many, one run behind the other."""
    before = length.cumsum() - length
    return np.arange(int(length.sum())) + (first - before).repeat(length)


def _are_live(feeds: NDArray[np.uint16], live: Container[int]) -> NDArray[np.bool_]:
    known = np.flatnonzero(np.bincount(feeds))
    fresh = np.zeros(int(known.max(initial=0)) + 1, np.bool_)
    fresh[known] = [not feed or feed in live for feed in known.tolist()]
    return fresh[feeds]
