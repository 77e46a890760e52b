"""Proofs that something is in a log, to be checked offline (https://c2sp.org/tlog-proof)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from concordat.trust.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from concordat.trust.errors import MalformedNoteError
from concordat.trust.merkle import verify_inclusion
from concordat.trust.note import (
    MAX_DECIMAL,
    MAX_NOTE_BYTES,
    SignedNote,
    VerifierKey,
    b64,
    decimal,
    lines_of,
)
from concordat.trust.proof_lines import check_proof, encode_proof, parse_proof

MAX_EXTRA_BYTES = 65_536

_MAGIC = b"c2sp.org/tlog-proof@v1"
_EXTRA = b"extra "
_INDEX = b"index "


@dataclass(frozen=True, slots=True)
class TlogProof:
    """An entry's index, its inclusion proof from the leaf up, and the signed checkpoint it leads to.

    ``checkpoint`` is the note as the log and the witnesses signed it. ``extra`` (1 byte to 64 KiB) is
    authenticated by nobody. Nothing here was verified.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse what the text before the checkpoint cannot say."""
        if not 0 <= self.index <= MAX_DECIMAL:
            raise MalformedNoteError("an entry's index is from 0 to 2**63 - 1")
        check_proof(self.hashes)
        if self.extra is not None and not 1 <= len(self.extra) <= MAX_EXTRA_BYTES:
            raise MalformedNoteError(
                f"extra data is from 1 to {MAX_EXTRA_BYTES} bytes, or left out"
            )

    def encode(self) -> bytes:
        """Return the proof's bytes, which are UTF-8 text."""
        extra = b"" if self.extra is None else _EXTRA + base64.b64encode(self.extra) + b"\n"
        proof = encode_proof(self.hashes)
        return b"%b\n%b%b%d\n%b\n%b" % (_MAGIC, extra, _INDEX, self.index, proof, self.checkpoint)

    @classmethod
    def parse(cls, raw: bytes) -> "TlogProof":
        """Parse a proof and see that a checkpoint ends it; raise ``MalformedNoteError``."""
        if len(raw) > 2 * MAX_NOTE_BYTES:
            raise MalformedNoteError(f"a proof is no longer than {2 * MAX_NOTE_BYTES} bytes")
        head, _, checkpoint = raw.partition(b"\n\n")
        magic, *lines = lines_of(head + b"\n")
        if magic != _MAGIC:
            raise MalformedNoteError("the text is no proof of c2sp.org/tlog-proof@v1")
        extra = None
        if lines and lines[0].startswith(_EXTRA):
            extra = b64(lines.pop(0).removeprefix(_EXTRA))
        if not lines or not lines[0].startswith(_INDEX):
            raise MalformedNoteError("the proof does not tell its entry's index")
        index = decimal(lines[0].removeprefix(_INDEX))
        Checkpoint.parse(SignedNote.parse(checkpoint).text)
        return cls(index, parse_proof(lines[1:]), checkpoint, extra)


def verify_tlog_proof(
    proof: TlogProof,
    leaf_hash: bytes,
    log: VerifierKey,
    witnesses: Sequence[VerifierKey] = (),
    quorum: int = 0,
) -> SignedCheckpoint:
    """Check that the entry with ``leaf_hash`` is in ``log`` at the proof's index; return the checkpoint.

    Raises ``ProofInvalidError`` where the proof does not lead to the checkpoint's root, and what
    ``open_checkpoint`` raises about the checkpoint.
    """
    opened = open_checkpoint(proof.checkpoint, log, witnesses, quorum)
    verify_inclusion(leaf_hash, proof.index, opened.size, proof.hashes, opened.root)
    return opened
