"""The subjects' keys within a transaction: found, made, replaced."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from concordat.store.engine import StoreError
from concordat.store.lookup import Lookup
from exchange.vault.cipher import bound, vault_of
from exchange.vault.keyring import WRAPPING_BYTES, KeyringError
from exchange.vault.table import keyring_mark, subject_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from sqlalchemy import Connection, Row

    from exchange.vault.cipher import Vault

VERSION = b"\x01"
HEADER_BYTES = 9  # version, generation
_NONCE_BYTES = 12
SEAL_BYTES = HEADER_BYTES + _NONCE_BYTES + 16  # what sealing adds


class SealBrokenError(StoreError):
    """What a subject's key sealed was changed since: the database is damaged, or was tampered with."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A subject's key, ready for use."""

    subject_ref: bytes
    generation: int
    cipher: AESGCM

    @property
    def header(self) -> bytes:
        """What everything that it sealed begins with."""
        return VERSION + self.generation.to_bytes(8, "big")

    def seal(self, data: bytes) -> bytes:
        """Return version, generation, nonce, and ``data`` under AES-256-GCM, bound to subject and key."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self.cipher.encrypt(nonce, data, bound(self.subject_ref, self.generation))
        return b"".join((self.header, nonce, sealed))

    def unseal(self, sealed: bytes) -> bytes:
        """Return what was sealed; raise ``SealBrokenError``."""
        nonce = sealed[HEADER_BYTES : HEADER_BYTES + _NONCE_BYTES]
        body = sealed[HEADER_BYTES + _NONCE_BYTES :]
        try:
            return self.cipher.decrypt(nonce, body, bound(self.subject_ref, self.generation))
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError(
                "a sealed record does not open under its own key: restore the database from a copy"
            ) from error


_COLUMNS = (
    subject_key.c.subject_ref,
    subject_key.c.generation,
    subject_key.c.wrapping_key,
    subject_key.c.wrapped,
)
_FIND = Lookup(lambda wanted: select(*_COLUMNS).where(wanted), subject_key.c.subject_ref)
# Held against erasure until the transaction ends; a rotation, which changes no key, is not held up.
_HOLD = Lookup(
    lambda wanted: select(*_COLUMNS).where(wanted).with_for_update(read=True, key_share=True),
    subject_key.c.subject_ref,
)


def generation_of(sealed: bytes) -> int:
    """Return which key sealed something; raise ``SealBrokenError`` where none did."""
    if sealed[:1] != VERSION or len(sealed) < HEADER_BYTES:
        raise SealBrokenError("a record that must be sealed is not: run init with this version")
    return int.from_bytes(sealed[1:HEADER_BYTES], "big")


def find(connection: Connection, refs: Iterable[bytes]) -> dict[bytes, DataKey]:
    """Return the key of each subject that has one, for reading."""
    vault = vault_of(connection)
    rows = _FIND.run(connection, ((ref,) for ref in refs))
    return {row.subject_ref: _ready(vault, row) for row in rows}


def hold(connection: Connection, refs: Iterable[bytes]) -> dict[bytes, DataKey]:
    """Return the key of each subject for writing, made where there is none.

    None of them is erased before this transaction ends: what is sealed now is seen by the erasure after it.
    """
    vault, wanted = vault_of(connection), set(refs)
    held = {row.subject_ref: _ready(vault, row) for row in _held(connection, wanted)}
    missing = wanted - held.keys()
    if missing:
        _make(connection, vault, missing)
        held |= {row.subject_ref: _ready(vault, row) for row in _held(connection, missing)}
    return held


def _held(connection: Connection, refs: Iterable[bytes]) -> list[Row[*tuple[Any, ...]]]:
    return _HOLD.run(connection, ((ref,) for ref in refs))


def _ready(vault: Vault, row: Row[*tuple[Any, ...]]) -> DataKey:
    ref, generation, number, wrapped = row
    cipher = vault.at_hand(ref, generation) or vault.keep_at_hand(
        ref, generation, vault.unwrap(ref, generation, number, wrapped)
    )
    return DataKey(ref, generation, cipher)


def _make(connection: Connection, vault: Vault, refs: Iterable[bytes]) -> None:
    """Make keys, except where another process made one first."""
    require_newest(connection, vault)
    rows = [{"subject_ref": ref, **_fresh(vault, ref)} for ref in sorted(refs)]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(subject_key).on_conflict_do_nothing(), rows)


def require_newest(connection: Connection, vault: Vault) -> None:
    """See to it that nothing is wrapped under a key that is being given up; raise ``KeyringError``.

    Until the transaction ends no newer key is made the least: who does so finds all that was wrapped before.
    """
    query = select(keyring_mark.c.least_wrapping_key).with_for_update(read=True)
    least = connection.execute(query).scalar_one_or_none() or 0
    if vault.keyring.newest < least:
        vault.reload()
    if vault.keyring.newest < least:
        raise KeyringError(
            f"wrapping key {least} is in use and not in the keyring: copy the newest keyring to this machine"
        )


def _fresh(vault: Vault, ref: bytes) -> dict[str, object]:
    generation = secrets.randbits(63)
    number, wrapped = vault.wrap(ref, generation, os.urandom(WRAPPING_BYTES))
    return {
        "generation": generation,
        "wrapping_key": number,
        "wrapped": wrapped,
    }


def replace(connection: Connection, ref: bytes) -> tuple[DataKey, DataKey] | None:
    """Put a new key in the place of a subject's; return the old, which nobody has from now on, and the new.

    None where the subject has none. Nobody seals anything for it until the transaction ends.
    """
    vault = vault_of(connection)
    of = subject_key.c.subject_ref == ref
    row = connection.execute(select(*_COLUMNS).where(of).with_for_update()).first()
    if row is None:
        return None
    old = _ready(vault, row)
    require_newest(connection, vault)
    connection.execute(update(subject_key).where(of).values(**_fresh(vault, ref)))
    vault.let_go(ref, old.generation)
    return old, find(connection, [ref])[ref]


def remove(connection: Connection, key: DataKey) -> None:
    """Delete a subject's key: nothing is left that it could open."""
    connection.execute(delete(subject_key).where(subject_key.c.subject_ref == key.subject_ref))
    vault_of(connection).let_go(key.subject_ref, key.generation)
