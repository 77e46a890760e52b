"""A Merkle proof as lines of base64, as the texts of tlog-proof and tlog-witness carry it."""

import base64
from collections.abc import Sequence

from concordat.trust.errors import MalformedNoteError
from concordat.trust.merkle import HASH_BYTES
from concordat.trust.note import b64

MAX_PROOF = 63  # of hashes: no tree below 2**63 leaves needs more


def check_proof(hashes: Sequence[bytes]) -> None:
    """Raise ``MalformedNoteError`` unless these are at most 63 hashes of 32 bytes."""
    if len(hashes) > MAX_PROOF or any(len(each) != HASH_BYTES for each in hashes):
        raise MalformedNoteError(f"a proof is at most {MAX_PROOF} hashes of 32 bytes")


def encode_proof(hashes: Sequence[bytes]) -> bytes:
    """Return a line for each hash."""
    return b"".join([base64.b64encode(each) + b"\n" for each in hashes])


def parse_proof(lines: Sequence[bytes]) -> tuple[bytes, ...]:
    """Parse lines without their newlines; raise ``MalformedNoteError``."""
    hashes = tuple(b64(line, HASH_BYTES) for line in lines)
    check_proof(hashes)
    return hashes
