"""Sealing to one recipient: HPKE (RFC 9180), base mode, single shot.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM; info ``concordat/evidence/v1``; the additional data is
the dispute's id, so that what was sealed for one dispute opens in no other. What is sealed is the
encapsulated key (32 bytes), then the ciphertext with its tag (16 bytes more than the plaintext).
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from concordat.trust.errors import KeyFileError, PlaintextTooLargeError, SealInvalidError

INFO = b"concordat/evidence/v1"
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
KEY_BYTES = 32
MAX_SEALED_BYTES = 256 * 1024
OVERHEAD_BYTES = KEY_BYTES + 16
MAX_PLAINTEXT_BYTES = MAX_SEALED_BYTES - OVERHEAD_BYTES
_ID_BYTES = 16

# The library's public single shot takes no additional data; beneath it are these two, which do. Tests hold
# them to the RFC's vector and to its steps made of plain primitives.
_encrypt_with_aad = openssl.hpke._encrypt_with_aad  # noqa: SLF001
_decrypt_with_aad = openssl.hpke._decrypt_with_aad  # noqa: SLF001


def seal(public_key: bytes, plaintext: bytes, dispute_id: bytes) -> bytes:
    """Return ``plaintext`` as only the holder of ``public_key``'s private half can read it.

    ``public_key`` is a raw X25519 key, as a licence's ``sealing_key`` has it. Raises
    ``PlaintextTooLargeError`` above ``MAX_PLAINTEXT_BYTES``, and ``SealInvalidError`` for a key that
    nothing can be sealed to.
    """
    if len(plaintext) > MAX_PLAINTEXT_BYTES:
        raise PlaintextTooLargeError(
            f"{len(plaintext):,} bytes; at most {MAX_PLAINTEXT_BYTES:,} can be sealed at once"
        )
    _require_id(dispute_id)
    try:
        recipient = X25519PublicKey.from_public_bytes(public_key)
        return _encrypt_with_aad(SUITE, plaintext, recipient, INFO, dispute_id)
    except ValueError as error:  # not 32 bytes, or a point of low order
        raise SealInvalidError("the public key is no X25519 key to seal to") from error


def open_sealed(private_key: "SealingKey", sealed: bytes, dispute_id: bytes) -> bytes:
    """Return the plaintext of what was sealed to ``private_key`` for this dispute.

    Raises ``SealInvalidError`` for anything else: another recipient's, another dispute's, changed, or
    too long.
    """
    _require_id(dispute_id)
    if not OVERHEAD_BYTES <= len(sealed) <= MAX_SEALED_BYTES:
        raise SealInvalidError(f"{len(sealed):,} bytes are nothing that was sealed")
    try:
        return _decrypt_with_aad(SUITE, sealed, private_key.x25519, INFO, dispute_id)
    except (InvalidTag, ValueError) as error:
        raise SealInvalidError(
            "it is not sealed to this key and dispute, or was changed"
        ) from error


def _require_id(dispute_id: bytes) -> None:
    if len(dispute_id) != _ID_BYTES:
        raise SealInvalidError("a dispute's id has 16 bytes")


class SealingKey:
    """A reviewer's private key in memory, that evidence sealed to it is opened with."""

    def __init__(self, x25519: X25519PrivateKey) -> None:
        """Keep ``x25519`` for opening."""
        self.x25519 = x25519

    @classmethod
    def generate(cls) -> "SealingKey":
        """Make a fresh key."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None) -> "SealingKey":
        """Read a PKCS#8 PEM file, encrypted if ``passphrase`` is given; raise ``KeyFileError`` if it can't be."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), passphrase)
        except OSError as error:
            raise KeyFileError(f"cannot read the key file {path}: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFileError(
                f"{path} is no PKCS#8 key that this passphrase opens; check the passphrase setting"
            ) from error
        if not isinstance(key, X25519PrivateKey):
            raise KeyFileError(f"{path} holds no X25519 key; evidence is sealed to X25519 only")
        return cls(key)

    def save(self, path: Path, passphrase: bytes | None) -> None:
        """Write a PKCS#8 PEM file, readable by its owner alone; never overwrites one."""
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            encryption = serialization.BestAvailableEncryption(passphrase)
        pem = self.x25519.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise KeyFileError(f"{path} exists; a key file is never overwritten") from error
        except OSError as error:
            raise KeyFileError(f"cannot write the key file {path}: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)

    @property
    def public_key(self) -> bytes:
        """The raw 32-byte public key: a licence's ``sealing_key``."""
        return self.x25519.public_key().public_bytes_raw()
