"""Whether two checkpoints of a log can both be honest."""

import base64

from clients.auditor.errors import Contradiction, ForkDetected, GrowthUnproven, RollbackDetected
from clients.auditor.source import LogSource
from concordat.trust.checkpoint import SignedCheckpoint
from concordat.trust.errors import ProofInvalidError
from concordat.trust.merkle import consistency_proof, root_at, verify_consistency
from concordat.trust.tiles import TileReader
from concordat.trust.witness_request import AddCheckpoint


def check_growth(
    older: SignedCheckpoint, newer: SignedCheckpoint, source: LogSource, where: str = "checkpoint"
) -> None:
    """Check, with the log's tiles, that the larger tree begins with all of the smaller one.

    ``older`` is no larger than ``newer``; both are of the same log. Raises ``ForkDetected`` where they
    contradict each other, ``GrowthUnproven`` where the tiles do not lead to the newer root either (the
    errors name ``where``), and what reading a tile raises.
    """
    if older.size == newer.size:
        if older.root != newer.root:
            text = f"two trees of {newer.size:,} entries, both signed by the log"
            raise ForkDetected(text, older=older.note, newer=newer.note, where=where)
        return
    read = TileReader(source.tile, newer.size).node
    proof = consistency_proof(older.size, newer.size, read)
    try:
        verify_consistency(older.size, older.root, newer.size, newer.root, proof)
    except ProofInvalidError as error:
        prefix = root_at(older.size, read)
        raise _contradiction(older, newer, prefix, proof, where) from error


def _contradiction(
    older: SignedCheckpoint, newer: SignedCheckpoint, prefix: bytes, proof: list[bytes], where: str
) -> Contradiction:
    """Tell a fork from damaged tiles, which must not pass for one.

    ``prefix`` is the root that the tiles have at the older size. If the proof leads from it to the newer
    root, then the newer tree does begin with it, and not with the tree that the log signed before.
    """
    shown = {
        "consistency.proof": AddCheckpoint(older.size, tuple(proof), newer.note).encode(),
        "prefix.root": base64.b64encode(prefix) + b"\n",
    }
    kind: type[Contradiction] = ForkDetected
    text = (
        f"the tree of {newer.size:,} entries does not begin with the {older.size:,} signed before"
    )
    try:
        verify_consistency(older.size, prefix, newer.size, newer.root, proof)
    except ProofInvalidError:
        kind = GrowthUnproven
        text = f"the tiles do not prove that {newer.size:,} entries grew from {older.size:,}"
    return kind(text, older=older.note, newer=newer.note, where=where, shown=shown)


def check_successor(kept: SignedCheckpoint, seen: SignedCheckpoint, source: LogSource) -> None:
    """Check that the log only grew since ``kept``; raise ``RollbackDetected``, or as ``check_growth``."""
    if seen.size < kept.size:
        text = f"the log shows {seen.size:,} entries after it had signed {kept.size:,}"
        raise RollbackDetected(text, older=kept.note, newer=seen.note)
    check_growth(kept, seen, source)
