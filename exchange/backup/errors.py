"""What stops a backup or a restore. Each text says what to do."""

from dataclasses import dataclass
from datetime import datetime

from concordat.store.engine import StoreError
from concordat.trust.checkpoint import SignedCheckpoint
from exchange.backup.words import checkpoint_line

SHORTER = "it ends before it"
ANOTHER = "it is another log from there on"

_ADVICE = (
    "Restore a newer backup. If there is none, the old log cannot be continued: its witnesses would "
    "rightly call that a fork. Begin a new log then, under a new origin and a new trust bundle."
)


class BackupError(Exception):
    """A backup cannot be made or restored."""


class BackupDamagedError(BackupError):
    """A file is no backup, was cut short or altered; nothing of it counts."""


@dataclass(frozen=True, slots=True)
class Known:
    """A checkpoint that the log signed, where it is known from, and the time that goes with it, if any."""

    checkpoint: SignedCheckpoint
    source: str
    at: datetime | None

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """Root of the tree, 32 bytes."""
        return self.checkpoint.root


class LogNotContinuedError(StoreError):
    """A database does not lead to a checkpoint that the log has signed. To go on would fork the log.

    ``ours`` is the checkpoint of the database or backup (None where it has none yet), ``newest`` the one
    that it does not lead to, ``how`` ``SHORTER`` or ``ANOTHER``.
    """

    def __init__(self, what: str, ours: Known | None, newest: Known, how: str) -> None:
        """Find that ``what`` ("the backup", "the database") does not lead to ``newest``."""
        own = "no checkpoint yet" if ours is None else _line(ours)
        super().__init__(
            f"the log in {what} does not lead to the newest checkpoint that is known: {how}\n"
            f"  {what}: {own}\n"
            f"  newest known: {_line(newest)}\n"
            f"{_ADVICE}"
        )
        self.ours = ours
        self.newest = newest
        self.how = how


def _line(known: Known) -> str:
    return checkpoint_line(known.size, known.root, known.at, known.source)
