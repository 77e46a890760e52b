"""Ed25519 keys (RFC 8032): signers, key files, and the one place where a signature is checked."""

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey as NaclSigningKey

from concordat.trust.errors import KeyFileError, SignatureInvalidError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateBuilder

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


def key_id(public_key: bytes) -> str:
    """Return a key's id: the first 16 bytes of SHA-256 of the raw public key, in hex."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def verify_signature(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Check one Ed25519 signature; raise ``SignatureInvalidError`` if it does not verify.

    Successes are remembered, because the same consent, binding or batch root is checked again and again;
    those over more than 4 KiB are not, so that what is remembered stays below 100 MiB.
    """
    check = _verify_once if len(message) <= _REMEMBERED_BYTES else _verify
    check(public_key, signature, message)


def _verify(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Check with libsodium through PyNaCl: half the time of OpenSSL's (ADR 0004)."""
    # libsodium takes the two joined, so a longer signature would carry the first bytes of its message.
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureInvalidError("the signature is not 64 bytes long")
    try:
        crypto_sign_open(signature + message, public_key)
    except (CryptoError, ValueError) as error:
        raise SignatureInvalidError("the signature does not verify") from error


_REMEMBERED_BYTES = 4096
_verify_once = lru_cache(maxsize=16384)(_verify)  # a failure raises, and is not remembered


class Signer(Protocol):
    """Whatever holds a private key: a file, or a hardware module that never lets it out."""

    @property
    def public_key(self) -> bytes:
        """The raw 32-byte public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over ``message``."""


class Ed25519Signer:
    """A private key in memory."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        """Keep ``private_key`` for signing."""
        self._private_key = private_key
        self._signing_key = NaclSigningKey(private_key.private_bytes_raw())
        self._public_key = private_key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> "Ed25519Signer":
        """Make a fresh key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None) -> "Ed25519Signer":
        """Read a PKCS#8 PEM file, encrypted if ``passphrase`` is given; raise ``KeyFileError`` if it can't be."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), passphrase)
        except OSError as error:
            raise KeyFileError(f"cannot read the key file {path}: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFileError(
                f"{path} is no PKCS#8 key that this passphrase opens; check the passphrase setting"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(
                f"{path} holds no Ed25519 key; statements are signed with Ed25519 only"
            )
        return cls(key)

    def save(self, path: Path, passphrase: bytes | None) -> None:
        """Write a PKCS#8 PEM file, readable by its owner alone; never overwrites one."""
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            encryption = serialization.BestAvailableEncryption(passphrase)
        pem = self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise KeyFileError(f"{path} exists; a key file is never overwritten") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)

    @property
    def public_key(self) -> bytes:
        """The raw 32-byte public key."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over ``message``."""
        return bytes(self._signing_key.sign(message).signature)

    def certify(self, builder: "CertificateBuilder") -> "Certificate":
        """Return the X.509 certificate that is being built, issued by this key (RFC 8410)."""
        return builder.sign(self._private_key, None)


_ALWAYS_FROM = datetime.min.replace(tzinfo=UTC)
_ALWAYS_UNTIL = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that counts, and when: ``not_before <= at < not_after``."""

    public_key: bytes
    not_before: datetime = _ALWAYS_FROM
    not_after: datetime = _ALWAYS_UNTIL


class KeyRing:
    """The keys that may sign a statement."""

    def __init__(self, *keys: TrustedKey | bytes) -> None:
        """Take keys with validity, or raw public keys that are valid always."""
        trusted = (key if isinstance(key, TrustedKey) else TrustedKey(key) for key in keys)
        self._keys = {key_id(key.public_key): key for key in trusted}

    def find(self, keyid: str, at: datetime) -> bytes:
        """Return the raw public key; raise ``SignatureInvalidError`` if unknown or not valid at ``at``."""
        key = self._keys.get(keyid)
        if key is None:
            raise SignatureInvalidError(f"key {keyid} is not one that may sign this")
        if not key.not_before <= at < key.not_after:
            raise SignatureInvalidError(f"key {keyid} was not valid at {at.isoformat()}")
        return key.public_key
