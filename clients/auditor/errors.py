"""What an auditor can find: a log that is wrong, one that cannot be read, or own files that are no use.

Each error keeps its evidence: what was served, to the byte, by the name of the file it belongs in.
"""

# ruff: noqa: N818 - the findings are named as one would say them

from collections.abc import Mapping
from typing import Any, ClassVar

KEPT_NOTE = "kept.checkpoint"
SEEN_NOTE = "seen.checkpoint"


class AuditorError(Exception):
    """Base of the errors of this package; the text says what failed.

    ``where`` names the tile or the entry, or is empty. ``evidence`` maps file names to contents.
    """

    reason: ClassVar[str] = "AUDIT_FAILED"

    def __init__(
        self, text: str, *, where: str = "", evidence: Mapping[str, bytes] | None = None
    ) -> None:
        """Say what failed, where, and what shows it."""
        super().__init__(f"{where}: {text}" if where else text)
        self.where = where
        self.evidence = dict(evidence or {})

    def __reduce__(self) -> Any:
        """Cross from a worker process to its parent whole."""
        return _revive, (type(self), self.args, self.__dict__)


def _revive(
    kind: type[AuditorError], args: tuple[object, ...], state: Mapping[str, Any]
) -> AuditorError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class KeptUnusable(AuditorError):
    """A file that an earlier run kept cannot be used, or belongs to another log."""

    reason = "STATE_UNUSABLE"


class EntryNotFound(AuditorError):
    """The log, as far as its checkpoint goes, has no such entry."""

    reason = "ENTRY_NOT_FOUND"


class ProofWrong(AuditorError):
    """A proof does not lead from the entry to a checkpoint that counts."""

    reason = "PROOF_WRONG"


class LogUnreadable(AuditorError):
    """The log did not answer, or not with what was asked for. Says nothing about its honesty."""

    reason = "LOG_UNREADABLE"


class LogWrong(AuditorError):
    """Base of all that a log must not do."""

    reason = "LOG_WRONG"


class ResourceMissing(LogWrong):
    """The log does not serve a file that its checkpoint requires."""

    reason = "RESOURCE_MISSING"


class ResourceOversize(LogWrong):
    """A file is longer than any such file can be; the rest of it was not read."""

    reason = "RESOURCE_OVERSIZE"


class CheckpointInvalid(LogWrong):
    """A checkpoint is malformed, not signed by the log, or not cosigned by enough witnesses."""

    reason = "CHECKPOINT_INVALID"


class TileWrong(LogWrong):
    """A hash tile is malformed, or is not the hash of the level below."""

    reason = "TILE_WRONG"


class BundleWrong(LogWrong):
    """An entry bundle is malformed, or does not hash to its tile of level 0."""

    reason = "BUNDLE_WRONG"


class EntryWrong(LogWrong):
    """An entry is not what an entry of this log must be."""

    reason = "ENTRY_WRONG"


class RootWrong(LogWrong):
    """All tiles agree with each other, and not with the root that the log signed."""

    reason = "ROOT_WRONG"


class Contradiction(LogWrong):
    """Base: two checkpoints, both signed by the log, that cannot both be honest.

    ``older`` and ``newer`` are the two notes: held before or smaller, and seen after or larger. ``shown``
    is further evidence, by file name.
    """

    reason = "CONTRADICTION"

    def __init__(
        self,
        text: str,
        *,
        older: bytes,
        newer: bytes,
        where: str = "checkpoint",
        shown: Mapping[str, bytes] | None = None,
    ) -> None:
        notes = {KEPT_NOTE: older, SEEN_NOTE: newer}
        super().__init__(text, where=where, evidence=notes | dict(shown or {}))
        self.older = older
        self.newer = newer


class ForkDetected(Contradiction):
    """The log signed two histories."""

    reason = "FORK_DETECTED"


class RollbackDetected(Contradiction):
    """The log went back to a smaller size."""

    reason = "ROLLBACK_DETECTED"


class GrowthUnproven(Contradiction):
    """The tiles prove neither that the larger tree holds the smaller one, nor that it does not.

    Damaged tiles look so, and so do those of a log that hides a fork.
    """

    reason = "GROWTH_UNPROVEN"
