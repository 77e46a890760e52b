"""When a checkpoint may be cosigned: the checks of c2sp.org/tlog-witness v1.0.0, pure.

Refusals carry the HTTP status that the specification gives them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from concordat.trust.checkpoint import Checkpoint
from concordat.trust.errors import ProofInvalidError
from concordat.trust.merkle import EMPTY_ROOT, verify_consistency


class Suspicion(StrEnum):
    """What two checkpoints that a log signed say about it."""

    FORK = "fork"
    """One size, two roots: the two notes prove it by themselves."""
    UNPROVEN = "unproven"
    """The proof between them failed. The log's fault or the sender's, who need not be the log: compare."""


class RefusedError(Exception):
    """A checkpoint is not cosigned.

    ``known_size`` is the size of the latest one cosigned, where that is what the sender must hear;
    ``suspicion`` is set where the log's own signatures speak against it.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        known_size: int | None = None,
        suspicion: Suspicion | None = None,
    ) -> None:
        """Refuse with an HTTP status."""
        super().__init__(detail)
        self.status = status
        self.known_size = known_size
        self.suspicion = suspicion


@dataclass(frozen=True, slots=True)
class Kept:
    """The latest checkpoint cosigned of one log; ``note`` is as the log signed it."""

    size: int
    root: bytes
    note: bytes | None
    cosignature: bytes
    cosigned_at: int  # POSIX seconds


NOTHING_KEPT = Kept(size=0, root=EMPTY_ROOT, note=None, cosignature=b"", cosigned_at=0)


def require_extension(
    kept: Kept, offered: Checkpoint, old_size: int, proof: Sequence[bytes]
) -> None:
    """Raise ``RefusedError`` unless ``proof`` leads from the kept checkpoint to the offered one.

    ``offered`` is a checkpoint whose signature by the log was verified, ``old_size`` what the sender
    believes to be kept.
    """
    forked = offered.size == kept.size and offered.root != kept.root
    suspicion = Suspicion.FORK if forked else None  # whatever else is wrong with the request
    if old_size > offered.size:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "the old size is above the new one", suspicion=suspicion
        )
    if old_size != kept.size:
        raise RefusedError(
            HTTPStatus.CONFLICT,
            f"the old size is {old_size}, the latest cosigned {kept.size}",
            known_size=kept.size,
            suspicion=suspicion,
        )
    if forked:
        # The size goes out here too: a log that hears the very size it gave knows that it is disputed.
        raise RefusedError(
            HTTPStatus.CONFLICT,
            "another root was cosigned at this size",
            known_size=kept.size,
            suspicion=suspicion,
        )
    try:
        verify_consistency(kept.size, kept.root, offered.size, offered.root, proof)
    except ProofInvalidError as error:
        # Any tree extends the empty one, and itself: there the sender's proof alone is at fault.
        grown = offered.size > kept.size > 0
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the consistency proof fails: {error}",
            suspicion=Suspicion.UNPROVEN if grown else None,
        ) from error
