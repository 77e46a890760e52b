"""The keyring file: the keys that what is kept of people hangs on, outside the database.

JSON, readable by its owner alone::

    {"reference_key": "<base64, 64 bytes>", "wrapping_keys": {"1": "<base64, 32 bytes>"}}

Whoever has the database without it has random bytes; whoever loses it has lost every person's records.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from concordat.durable import put_in_place
from concordat.store.engine import StoreError
from concordat.store.exclusive import held

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REFERENCE_BYTES = 64  # AES-256-SIV takes two keys of 32
WRAPPING_BYTES = 32


class KeyringError(StoreError):
    """The keyring is missing, malformed, open to others, or not this database's; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """One reference key, and the wrapping keys by number: the highest wraps, the others only unwrap."""

    reference_key: bytes = field(repr=False)
    wrapping_keys: Mapping[int, bytes] = field(repr=False)
    next_reference_key: bytes | None = field(default=None, repr=False)  # while it is being replaced

    @property
    def newest(self) -> int:
        """The number of the wrapping key that is used for what is wrapped now."""
        return max(self.wrapping_keys)

    @classmethod
    def generate(cls) -> Keyring:
        """Return a keyring of fresh random keys."""
        return cls(_random(REFERENCE_BYTES), {1: _random(WRAPPING_BYTES)})

    def with_wrapping_key(self) -> Keyring:
        """Return a copy with one wrapping key more, the newest."""
        keys = {**self.wrapping_keys, self.newest + 1: _random(WRAPPING_BYTES)}
        return replace(self, wrapping_keys=keys)

    def with_newest_alone(self) -> Keyring:
        """Return a copy without the older wrapping keys."""
        return replace(self, wrapping_keys={self.newest: self.wrapping_keys[self.newest]})

    def replacing_references(self) -> Keyring:
        """Return a copy that also has the reference key that is to come."""
        return replace(self, next_reference_key=self.next_reference_key or _random(REFERENCE_BYTES))

    def without_next_reference(self) -> Keyring:
        """Return a copy that has the reference key in use alone."""
        return replace(self, next_reference_key=None)

    def with_references_replaced(self) -> Keyring:
        """Return a copy whose reference key is the one that was to come."""
        if self.next_reference_key is None:
            return self
        return replace(self, reference_key=self.next_reference_key, next_reference_key=None)


def load(path: Path) -> Keyring:
    """Read a keyring; raise ``KeyringError`` where it can't be used, or others can read it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read()
    except FileNotFoundError as error:
        raise KeyringError(
            f"there is no keyring {path}: run init first; for a database that had one restore its own"
        ) from error
    except OSError as error:
        raise KeyringError(f"the keyring {path} can't be read: {error.strerror}") from error
    if mode & 0o077:
        raise KeyringError(f"others may read the keyring {path}: chmod 600 it, and rotate its keys")
    return _parsed(raw, path)


@contextmanager
def only_changer(path: Path) -> Iterator[None]:
    """Let no other process of this machine change the keyring meanwhile; raise ``KeyringError`` where one does.

    Of two that each added a key the one would overwrite the other's, and what was under it would be lost. What
    a change that was cut off has left beside the file is deleted: keys that were discarded may be in it.
    """
    changing = KeyringError(
        f"another process is changing the keyring {path.name} (rotate-keys or init): wait until it is done"
    )
    with held(path, changing):
        for left in path.parent.glob(f".{path.name}.*"):
            left.unlink(missing_ok=True)
        yield


def save(path: Path, keyring: Keyring) -> None:
    """Write a keyring for its owner alone, whole or not at all, and durable before this returns.

    Whoever changes one that is there does so as its ``only_changer``.
    """
    fields: dict[str, object] = {
        "reference_key": _text(keyring.reference_key),
        "wrapping_keys": {
            str(number): _text(key) for number, key in sorted(keyring.wrapping_keys.items())
        },
    }
    if keyring.next_reference_key is not None:
        fields["next_reference_key"] = _text(keyring.next_reference_key)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1)
        put_in_place(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _parsed(raw: bytes, path: Path) -> Keyring:
    try:
        fields = json.loads(raw)
        following = fields.get("next_reference_key")
        keyring = Keyring(
            _key(fields["reference_key"], REFERENCE_BYTES),
            {
                _number(name): _key(text, WRAPPING_BYTES)
                for name, text in fields["wrapping_keys"].items()
            },
            None if following is None else _key(following, REFERENCE_BYTES),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyringError(
            f"{path} is no keyring: restore it from its copy; a new one can't open this database"
        ) from error
    if not keyring.wrapping_keys:
        raise KeyringError(f"{path} has no wrapping key: restore it from its copy")
    return keyring


def _number(name: str) -> int:
    if not (name.isascii() and name.isdecimal() and not name.startswith("0")):
        raise ValueError("not a number")
    return int(name)


def _key(text: object, size: int) -> bytes:
    if not isinstance(text, str):
        raise TypeError("a key is text")
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(key) != size:
        raise ValueError("a key of another size")
    return key


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _random(size: int) -> bytes:
    return secrets.token_bytes(size)
