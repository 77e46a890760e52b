"""Identifiers: UUIDv7 (RFC 9562 section 5.7) as 16 bytes."""

import os
import time

UUID_BYTES = 16
_RANDOM_BYTES = 10


def new_id() -> bytes:
    """Return a fresh UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[bytes]:
    """Return as many, all of this millisecond, for one call to the system: each lets other threads go first."""
    milliseconds = (time.time_ns() // 1_000_000).to_bytes(6, "big")
    chance, made = os.urandom(_RANDOM_BYTES * count), list[bytes]()
    for start in range(0, len(chance), _RANDOM_BYTES):
        raw = bytearray(milliseconds + chance[start : start + _RANDOM_BYTES])
        raw[6] = 0x70 | (raw[6] & 0x0F)
        raw[8] = 0x80 | (raw[8] & 0x3F)
        made.append(bytes(raw))
    return made
