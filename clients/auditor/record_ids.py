"""Whether a record id stands in two entries: all ids are kept, 16 bytes an entry, and sorted at the end.

Ten million entries take 160 MB in a file or in memory, and three times that while they are sorted.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clients.auditor.entries import RECORD_ID_BYTES
from clients.auditor.errors import KeptUnusable


class Repeat(NamedTuple):
    """Two entries, by their index, with one record id."""

    earlier: int
    later: int
    record_id: bytes


class RecordIds:
    """The ids of the first entries of a log, in their order; in a file if they must outlive the process."""

    def __init__(self, path: Path | None, size: int) -> None:
        """Go on after ``size`` entries; raise ``KeptUnusable`` where the file holds fewer."""
        self._path = path
        self._memory = bytearray()
        if path is None:
            return
        held = path.stat().st_size if path.exists() else 0
        if held < size * RECORD_ID_BYTES:
            raise KeptUnusable(
                f"{path} does not hold the ids of {size:,} entries; delete the state to audit from the start"
            )
        with path.open("ab") as file:
            file.truncate(size * RECORD_ID_BYTES)  # an interrupted run may have left more

    def add(self, joined: bytes | bytearray) -> None:
        """Append ids; they are on disk when this returns."""
        if self._path is None:
            self._memory += joined
            return
        with self._path.open("ab") as file:
            file.write(joined)
            file.flush()
            os.fsync(file.fileno())

    def first_repeat(self) -> "Repeat | None":
        """Return the first entry whose id an earlier one has; None if there is none."""
        joined = self._memory if self._path is None else self._path.read_bytes()
        ids = np.frombuffer(joined, dtype=np.uint64).reshape(-1, 2)
        order = np.lexsort((ids[:, 1], ids[:, 0]))  # stable: equal ids stay in the log's order
        ranked = ids[order]
        (repeats,) = np.nonzero((ranked[1:] == ranked[:-1]).all(axis=1))
        if not len(repeats):
            return None
        first = repeats[np.argmin(order[repeats + 1])]
        return Repeat(int(order[first]), int(order[first + 1]), ranked[first].tobytes())
