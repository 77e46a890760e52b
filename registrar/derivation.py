"""From identity number to subject_ref, behind an interface that an OPRF replaces later."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Protocol

from concordat.refusal import Refusal
from concordat.settings import SettingsError
from concordat.v1 import IdentitySuite, Reason
from registrar.identity import IdentityForm

KEY_BYTES = 32


class SubjectRefDerivation(Protocol):
    """Evaluates one input of a suite."""

    def evaluate(self, suite: IdentitySuite.ValueType, presented: bytes) -> bytes:
        """Return 32 bytes, or none at all where ``presented`` is no input of the suite.

        Raises ``Refusal`` (REASON_IDENTITY_MALFORMED) for a suite that is not served.
        """


class KeyedHashDerivation:
    """IDENTITY_SUITE_KEYED_HASH: HMAC-SHA-256 (RFC 2104) of the normalised number.

    The key is the federation's own, so another federation gives other references. Stands in for
    RFC 9497's OPRF(ristretto255, SHA-512): unlike there the registrar sees the number while it
    answers; as there nobody without the key can compute a reference.
    """

    def __init__(self, key: bytes, federation: str, form: IdentityForm) -> None:
        """Derive with a key of its own, so that no other use of ``key`` can give the same bytes."""
        self._key = subkey(key, "subject-ref", federation)
        self._form = form

    def evaluate(self, suite: IdentitySuite.ValueType, presented: bytes) -> bytes:
        """Return the subject_ref of an identity number, or no bytes for what is none."""
        if suite != IdentitySuite.IDENTITY_SUITE_KEYED_HASH:
            raise Refusal(
                Reason.REASON_IDENTITY_MALFORMED, f"{IdentitySuite.Name(suite)} is not served"
            )
        number = self._form.normalise(presented)
        return hmac.digest(self._key, number, hashlib.sha256) if number is not None else b""


def subkey(key: bytes, purpose: str, federation: str) -> bytes:
    """Return a 32-byte key for one purpose in one federation (HKDF-Expand, RFC 5869)."""
    info = b"concordat registrar v1\x00" + purpose.encode() + b"\x00" + federation.encode()
    return hmac.digest(key, info + b"\x01", hashlib.sha256)


def make_key(path: Path) -> bool:
    """Write a fresh key for its owner alone; return False where there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise SettingsError(f"cannot write the derivation key {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
    return True


def load_key(path: Path) -> bytes:
    """Read a derivation key, 32 bytes raw or in hex; raise ``SettingsError``."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"cannot read the derivation key {path}: {error.strerror}; init makes one"
        ) from error
    if len(content) == KEY_BYTES:
        return content
    try:
        key = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{path} holds no derivation key: 32 bytes, raw or in hex")
    return key
