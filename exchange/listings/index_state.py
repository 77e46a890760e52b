"""What the index's lookups read: a value that never changes, with what makes the next one of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exchange.listings.entries import KEY_BYTES, REF_BYTES
from exchange.listings.sorted_entries import SortedEntries

_LEAST_BITS = 16
_PARTS = 256  # of the changes, by the first byte of the key: only those that change are copied


@dataclass(frozen=True, slots=True)
class State:
    """Sorted records, and all those of the subjects that changed since.

    Nothing in it changes, but that ``touched`` may come to be true for more.
    """

    base: SortedEntries
    changed: tuple[dict[bytes, bytes], ...]  # all records of a subject, or BLANK, by its key
    touched: NDArray[np.bool_]  # by a key's upper bits: whether ``changed`` may have one of these
    entries: int

    @classmethod
    def of(cls, base: SortedEntries) -> "State":
        """Return a state without changes."""
        touched = np.zeros(1 << max(_LEAST_BITS, len(base).bit_length() - 2), np.bool_)
        return cls(base, tuple({} for _ in range(_PARTS)), touched, len(base))

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays take."""
        return self.base.nbytes + self.touched.nbytes

    def records_of_key(self, key: bytes) -> bytes:
        """Return the records of the subject with this key, ``BLANK`` where it has none."""
        return self.changed[key[0]].get(key) or self.base.records_of_key(key)

    def with_records(self, records: dict[bytes, bytes], entries: int) -> "State":
        """Return this with records of subjects, by key, replaced, and ``entries`` in all."""
        parts = list(self.changed)
        for key, now in records.items():
            part = key[0]
            if parts[part] is self.changed[part]:
                parts[part] = dict(parts[part])
            parts[part][key] = now
        # Lookups that have the state before look at it too: they then look for what they don't find.
        self.touched[self._cells(np.frombuffer(b"".join(records), np.uint64)[::2])] = True
        return State(self.base, tuple(parts), self.touched, entries)

    def changed_subjects(self) -> int:
        """Return how many subjects changed."""
        return sum(map(len, self.changed))

    def changed_among(self, refs: bytes) -> dict[int, bytes]:
        """Return the records of the subjects that changed, by their place in packed refs."""
        cells = self._cells(np.frombuffer(refs, np.uint64)[:: REF_BYTES // 8])
        found = {}
        for place in np.flatnonzero(self.touched[cells]).tolist():
            at = place * REF_BYTES
            records = self.changed[refs[at]].get(refs[at : at + KEY_BYTES])
            if records is not None:
                found[place] = records
        return found

    def _cells(self, high: NDArray[np.uint64]) -> NDArray[np.intp]:
        bits = len(self.touched).bit_length() - 1
        return (high >> np.uint64(64 - bits)).astype(np.intp)

    def on(self, base: SortedEntries, merged: "State") -> "State":
        """Return the same entries on ``base``, which is that of ``merged`` with its changes."""
        later: dict[bytes, bytes] = {}
        for now, then in zip(self.changed, merged.changed, strict=True):
            if now is not then:
                later |= {key: r for key, r in now.items() if then.get(key) is not r}
        return State.of(base).with_records(later, self.entries)
