"""Counting and hashing a log's entries as they go by."""

from collections.abc import Iterable

from concordat.trust.merkle import EMPTY_ROOT, Frontier, leaf_hash
from exchange.backup.errors import BackupDamagedError


class LogTally:
    """Takes entries in the order of the log; knows the root at each of the sizes that were asked for."""

    def __init__(self, sizes: Iterable[int]) -> None:
        """Note the roots at ``sizes``, those that the log reaches."""
        self._frontier = Frontier()
        self._wanted = frozenset(sizes)
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}

    @property
    def size(self) -> int:
        """Entries so far."""
        return self._frontier.size

    def add(self, index: int, entry: bytes) -> None:
        """Take the next entry; raise ``BackupDamagedError`` where its index is not the next."""
        if index != self._frontier.size:
            raise BackupDamagedError(
                f"the log's entry {self._frontier.size} is missing, or there twice"
            )
        self._frontier.append(leaf_hash(entry))
        if self._frontier.size in self._wanted:
            self.roots[self._frontier.size] = self._frontier.root()

    def require(self, size: int, root: bytes, entries: int) -> None:
        """Raise ``BackupDamagedError`` unless there are ``entries``, the first ``size`` under ``root``."""
        if self.size != entries or self.roots.get(size) != root:
            raise BackupDamagedError("the log's entries do not give the checkpoint that was signed")
