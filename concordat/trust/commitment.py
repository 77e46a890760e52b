r"""What a log entry commits to: a record, and its link to the entry before, each under its own salt.

commitment = SHA-256("concordat/log-commitment/v1\n" || record commitment || link commitment), so that a
party who is shown the record learns nothing of the chain, and an auditor learns nothing at all.
"""

import hashlib
import os

from concordat.trust.errors import StatementMalformedError

SALT_BYTES = 32
NO_ENTRY = bytes(32)
"""What the first entry of a chain names as the one before."""

_RECORD = b"concordat/log-record/v1\n"
_LINK = b"concordat/log-link/v1\n"
_BOTH = b"concordat/log-commitment/v1\n"


def new_salt() -> bytes:
    """Return 32 random bytes."""
    return os.urandom(SALT_BYTES)


def new_salts(count: int) -> list[bytes]:
    """Return as many salts, for one call to the system."""
    chance = os.urandom(SALT_BYTES * count)
    return [chance[start : start + SALT_BYTES] for start in range(0, len(chance), SALT_BYTES)]


def record_commitment(record: bytes, salt: bytes) -> bytes:
    """Return the 32-byte commitment to a serialised record; ``salt`` is 32 bytes.

    Raises ``StatementMalformedError`` for a salt of another length: what stands beside it has no length of
    its own, so that the same bytes could be cut in another place.
    """
    _require_hashes(salt)
    return hashlib.sha256(_RECORD + salt + record).digest()


def link_commitment(sequence: int, previous: bytes, salt: bytes) -> bytes:
    """Return the 32-byte commitment to a place in a chain: from 1, after the entry ``previous`` commits to.

    Raises ``StatementMalformedError`` where ``previous`` or ``salt`` is not 32 bytes long.
    """
    _require_hashes(previous, salt)
    return hashlib.sha256(_LINK + salt + sequence.to_bytes(8, "big") + previous).digest()


def commitment_of(record: bytes, link: bytes) -> bytes:
    """Return the 32-byte commitment of an entry, from those to its record and to its link.

    Raises ``StatementMalformedError`` where one is not 32 bytes long.
    """
    _require_hashes(record, link)
    return hashlib.sha256(_BOTH + record + link).digest()


def _require_hashes(*parts: bytes) -> None:
    for part in parts:
        if len(part) != SALT_BYTES:
            raise StatementMalformedError("a salt or a commitment is not 32 bytes long")
