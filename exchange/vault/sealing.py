"""Sealing what is kept of a subject under a key of that subject, which erasure deletes.

A seal is a version byte, 8 bytes that name the key, 12 of nonce, and AES-256-GCM of the data, bound to
subject and key. What is about no person, under an empty reference, is kept as it is.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from exchange.vault import keys
from exchange.vault.cipher import vault_of
from exchange.vault.keys import DataKey


def seal(connection: Connection, subject_ref: bytes, data: bytes) -> bytes:
    """Return ``data`` sealed under the subject's key, which is made where there is none."""
    return seal_many(connection, [(subject_ref, data)])[0]


def seal_many(connection: Connection, items: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Seal (subject_ref, data) each, under the keys that are in force in this transaction."""
    wanted = list(items)
    held = keys.hold(connection, {ref for ref, _ in wanted if ref})
    return [held[ref].seal(data) if ref else data for ref, data in wanted]


def unseal(connection: Connection, subject_ref: bytes, sealed: bytes) -> bytes | None:
    """Return what was sealed; None where its key is erased. Raises ``SealBrokenError``."""
    return unseal_many(connection, [(subject_ref, sealed)])[0]


def unseal_many(connection: Connection, items: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]:
    """Unseal (subject_ref, sealed) each; raises ``SealBrokenError`` where one was changed."""
    ready = _ready(connection, {(ref, keys.generation_of(raw)) for ref, raw in items if ref})
    opened: list[bytes | None] = []
    for ref, raw in items:
        key = ready.get((ref, keys.generation_of(raw))) if ref else None
        opened.append(raw if not ref else None if key is None else key.unseal(raw))
    return opened


def _ready(
    connection: Connection, wanted: set[tuple[bytes, int]]
) -> dict[tuple[bytes, int], DataKey]:
    """Return the keys that there are, by subject and name; those used lately cost no look-up."""
    vault, ready = vault_of(connection), dict[tuple[bytes, int], DataKey]()
    for ref, generation in wanted:
        if (cipher := vault.at_hand(ref, generation)) is not None:
            ready[ref, generation] = DataKey(ref, generation, cipher)
    missing = {ref for ref, generation in wanted if (ref, generation) not in ready}
    for ref, key in keys.find(connection, missing).items():
        ready[ref, key.generation] = key
    return ready


def unseal_each(
    connection: Connection, items: Sequence[tuple[bytes, bytes | None]]
) -> list[bytes | None]:
    """Unseal (subject_ref, sealed or nothing) each: nothing stays None."""
    there = [(ref, raw) for ref, raw in items if raw is not None]
    opened = iter(unseal_many(connection, there))
    return [None if raw is None else next(opened) for _, raw in items]
