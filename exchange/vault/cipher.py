"""A keyring at work: references keyed, data keys wrapped; one for each open database."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from exchange.vault.keyring import KeyringError, load

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Dialect, Engine

    from exchange.vault.keyring import Keyring

_REFS_AT_HAND = 65_536
_KEYS_AT_HAND = 16_384
_MARK = b"concordat reference key"
_NONCE_BYTES = 12


class Vault:
    """The keys of one database in this process."""

    def __init__(self, keyring: Keyring, path: Path | None = None) -> None:
        """Use ``keyring``, which is read again from ``path`` where another process has changed it."""
        self._path = path
        self._at_hand: dict[tuple[bytes, int], AESGCM] = {}
        self._lock = threading.Lock()
        self.erasures = 0  # since the start: what an embedded database has still to clean up after
        self.use(keyring)

    def use(self, keyring: Keyring) -> None:
        """Use other keys from now on."""
        siv = AESSIV(keyring.reference_key)
        wrappers = {number: AESGCM(key) for number, key in keyring.wrapping_keys.items()}
        self._wrapping = keyring.newest, wrappers  # together: other threads wrap meanwhile
        self.keyring = keyring
        self._encrypt = lru_cache(_REFS_AT_HAND)(lambda ref: siv.encrypt(ref, None))
        self._decrypt = lru_cache(_REFS_AT_HAND)(lambda keyed: siv.decrypt(keyed, None))

    def reload(self) -> None:
        """Read the keyring's file again, where there is one; raise ``KeyringError``."""
        if self._path is not None:
            self.use(load(self._path))

    # References -----------------------------------------------------------------------------------

    def keyed(self, subject_ref: bytes) -> bytes:
        """Return what stands for a reference on disk: the same for the same; empty stays empty."""
        return self._encrypt(subject_ref) if subject_ref else subject_ref

    def plain(self, keyed: bytes) -> bytes:
        """Return the reference that was keyed; raise ``KeyringError`` where another key did it, or none."""
        if not keyed:
            return keyed
        try:
            return self._decrypt(keyed)
        except InvalidTag as error:
            raise KeyringError(
                "a reference in the database is not under this keyring's key: it is another database's"
            ) from error

    @property
    def mark(self) -> bytes:
        """What tells this reference key from any other, and tells nothing about it."""
        return self._encrypt(_MARK)

    # Data keys ------------------------------------------------------------------------------------

    def wrap(self, subject_ref: bytes, generation: int, data_key: bytes) -> tuple[int, bytes]:
        """Return the number of the newest wrapping key, and a subject's data key under it."""
        (number, wrappers), nonce = self._wrapping, os.urandom(_NONCE_BYTES)
        wrapped = wrappers[number].encrypt(nonce, data_key, bound(subject_ref, generation))
        return number, nonce + wrapped

    def unwrap(self, subject_ref: bytes, generation: int, number: int, wrapped: bytes) -> bytes:
        """Return a data key, 32 bytes; raise ``KeyringError`` where its wrapping key is not here."""
        wrapper = self._wrapping[1].get(number)
        if wrapper is None:
            self.reload()  # another process may have begun to use a newer one
            wrapper = self._wrapping[1].get(number)
        if wrapper is None:
            raise KeyringError(
                f"wrapping key {number} is not in the keyring: copy the newest keyring to this machine"
            )
        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            return wrapper.decrypt(nonce, sealed, bound(subject_ref, generation))
        except InvalidTag as error:
            raise KeyringError(
                f"wrapping key {number} does not open a subject's key: the keyring is another database's"
            ) from error

    def at_hand(self, subject_ref: bytes, generation: int) -> AESGCM | None:
        """Return a data key that was used lately, ready for use."""
        return self._at_hand.get((subject_ref, generation))

    def keep_at_hand(self, subject_ref: bytes, generation: int, data_key: bytes) -> AESGCM:
        """Make a data key ready for use; the oldest of many is let go."""
        made = AESGCM(data_key)
        with self._lock:
            while len(self._at_hand) >= _KEYS_AT_HAND:
                del self._at_hand[next(iter(self._at_hand))]
            self._at_hand[subject_ref, generation] = made
        return made

    def let_go(self, subject_ref: bytes, generation: int) -> None:
        """Forget a data key that is erased."""
        with self._lock:
            self._at_hand.pop((subject_ref, generation), None)


def bound(subject_ref: bytes, generation: int) -> bytes:
    """Return what a seal is bound to, so that it opens for no other subject and under no other key."""
    return generation.to_bytes(8, "big") + subject_ref


_IN_DIALECT = "concordat_vault"  # an engine's own dialect has its vault: found at the least cost


def attach(engine: Engine, keyring: Keyring, path: Path | None = None) -> Vault:
    """Give a database its keys, before anything is read or written; return the vault."""
    vault = engine.dialect.__dict__[_IN_DIALECT] = Vault(keyring, path)
    return vault


def vault_of(source: Connection | Engine) -> Vault:
    """Return the vault of a database; raise ``KeyringError`` where it was opened without a keyring."""
    return vault_of_dialect(source.dialect)


def vault_of_dialect(dialect: Dialect) -> Vault:
    """Return the vault of an engine's dialect; raise ``KeyringError`` as ``vault_of``."""
    vault: Vault | None = dialect.__dict__.get(_IN_DIALECT)
    if vault is None:
        raise KeyringError(
            "the database was opened without its keyring: open it by exchange.database.open_database"
        )
    return vault
