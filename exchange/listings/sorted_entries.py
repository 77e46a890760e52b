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

    __slots__ = (
        "_depth",
        "_high",
        "_highs",
        "_reach",
        "_shift",
        "_start",
        "_starts",
        "buffer",
        "records",
    )

    def __init__(self, records: Records) -> None:
        """Take the array over: sorted, with ``rows`` set, and one row more at the end, which this sets.

        Raises ``ValueError`` for more than 2^32 - 1 records.
        """
        total = len(records) - 1
        if total > _MOST:
            raise ValueError(f"{total} records are more than {_MOST}")
        records[total:] = np.frombuffer(BLANK, RECORD)
        self.records, self._high = records, records["high"]
        bits = min(max(1, total.bit_length() - 2), _MOST_BITS)
        self._shift = 64 - bits
        edges = np.arange(1 << bits, dtype=np.uint64) << np.uint64(self._shift)
        start = self._high[:total].searchsorted(edges)
        self._depth = int(np.diff(start, append=total).max()).bit_length()
        self._reach = min((1 << self._depth) - 1, total)
        # Of each prefix the first row, or one before it, with at least ``_reach`` rows behind.
        self._start = np.minimum(start, total - self._reach).astype(np.uint32)
        # The same memory, as a single row is read fastest.
        self.buffer = as_words(records).data.cast("B")
        self._highs, self._starts = self._high.data, self._start.data

    def __len__(self) -> int:
        return len(self.records) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays take."""
        return self.records.nbytes + self._start.nbytes

    def offset(self, high: int) -> int:
        """Return where in ``buffer`` records begin, or would, whose key has this first half.

        As many rows are bisected however few have its prefix, so that it takes as long for who is listed,
        and so has a row there, as for who is not.
        """
        start = self._starts[high >> self._shift]
        return RECORD_BYTES * bisect_left(self._highs, high, start, start + self._reach)

    def records_of_key(self, key: bytes) -> bytes:
        """Return the records of the subject with this key, ``BLANK`` where it has none."""
        high = int.from_bytes(key[: KEY_BYTES // 2], sys.byteorder)
        return records_of(key, self.buffer, self.offset(high))

    def visible(self, refs: bytes, now: int, live: Container[int]) -> tuple[list[int], bytes]:
        """Return the records to show of many subjects, and of each its subject's place in ``refs``.

        ``refs`` are packed, 32 bytes each. The records of each come in their order. As in
        ``entries.visible``, a subject who has none has another's read and checked in their place.
        """
        words = np.frombuffer(refs, np.uint64).reshape(-1, REF_BYTES // 8)
        high, low = words[:, 0], words[:, 1]
        row, first = self._locate(high, low)
        more = np.maximum(first["rows"], 1).astype(np.intp) - 1
        read = np.concatenate((first, self._take(runs(row + 1, more))))
        place = np.arange(len(words))
        place = np.concatenate((place, place.repeat(more)))
        shown = (read["high"] == high[place]) & (read["low"] == low[place])
        shown &= (now < read["expires_at"]) & _are_live(read["feed"], live)
        return place[shown].tolist(), read[shown].tobytes()

    def find(self, high: Column, low: Column) -> tuple[Rows, Rows]:
        """Return first row and number of rows of each key; any row and 0 where there are none."""
        row, first = self._locate(high, low)
        found = (first["high"] == high) & (first["low"] == low)
        return row, first["rows"] * found.astype(np.intp)

    def _locate(self, high: Column, low: Column) -> tuple[Rows, Records]:
        """Return the row at which each key's records begin, or would, and the record there."""
        row = self.first_rows(high)
        first = self._take(row)
        while (before := (first["high"] == high) & (first["low"] < low)).any():
            row = row + before  # others' whose first half is the same
            first = self._take(row)
        return row, first

    def first_rows(self, high: Column) -> Rows:
        """Return the first row whose key is not below each; as many steps for one as for another."""
        row = self._start[(high >> np.uint64(self._shift)).astype(np.intp)].astype(np.intp)
        for step in (1 << bit for bit in reversed(range(self._depth))):
            # Rows behind those of the prefix have higher keys, the blank record the highest.
            last = np.minimum(row + (step - 1), len(self))
            row += (self._high[last] < high) * step
        return row

    def _take(self, rows: Rows) -> Records:
        return as_words(self.records).take(rows, axis=0).view(RECORD)[:, 0]


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
