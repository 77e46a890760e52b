"""DSSE v1 pre-authentication encoding (https://github.com/secure-systems-lab/dsse, protocol.md)."""

import hashlib


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what a DSSE signature is over: ``DSSEv1 <len> <type> <len> <payload>``, lengths in bytes, decimal."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def statement_digest(payload_type: str, payload: bytes) -> bytes:
    """Return the 32-byte SHA-256 of the PAE: one name for a statement, whoever signed it."""
    return hashlib.sha256(pae(payload_type, payload)).digest()
