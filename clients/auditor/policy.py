"""Whose word counts: the log's key, the witnesses' keys, and how many of them must have cosigned."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from clients.auditor.errors import SEEN_NOTE, CheckpointInvalid
from concordat.federation.anchors import Anchors
from concordat.trust.checkpoint import SignedCheckpoint, open_checkpoint
from concordat.trust.errors import MalformedNoteError, SignatureInvalidError
from concordat.trust.note import VerifierKey


@dataclass(frozen=True, slots=True)
class LogTrust:
    """What checkpoints are checked with. The log's origin is the name of its key."""

    log: VerifierKey
    witnesses: Sequence[VerifierKey] = ()
    quorum: int = 0

    @classmethod
    def of(cls, anchors: Anchors) -> Self:
        """Take the log, the witnesses and their quorum from a trust bundle."""
        return cls(anchors.log, tuple(anchors.witnesses), anchors.bundle.witness_quorum)

    def open(self, note: bytes) -> SignedCheckpoint:
        """Return the checkpoint in ``note``; raise ``CheckpointInvalid``."""
        try:
            return open_checkpoint(note, self.log, self.witnesses, self.quorum)
        except (MalformedNoteError, SignatureInvalidError) as error:
            raise CheckpointInvalid(
                str(error), where="checkpoint", evidence={SEEN_NOTE: note}
            ) from error

    def without_quorum(self) -> Self:
        """Return the same for checkpoints that need the log's own signature only.

        What one watcher shows another proves a fork whoever else has seen it.
        """
        return replace(self, quorum=0)
