"""Evidence sealed to a reviewer: RFC 9180, and to nobody else."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from concordat.trust.errors import KeyFileError, PlaintextTooLargeError, SealInvalidError
from concordat.trust.keys import Ed25519Signer
from concordat.trust.sealed import (
    INFO,
    MAX_PLAINTEXT_BYTES,
    MAX_SEALED_BYTES,
    SUITE,
    SealingKey,
    open_sealed,
    seal,
)

KEY = SealingKey.generate()
DISPUTE, OTHER = bytes(range(16)), bytes(16)

# RFC 9180, appendix A.1.1: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
VECTOR = {
    "info": "4f6465206f6e2061204772656369616e2055726e",
    "enc": "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
    "skRm": "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
    "pkRm": "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
    "aad": "436f756e742d30",
    "pt": "4265617574792069732074727574682c20747275746820626561757479",
    "ct": "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
}


def hkdf_extract(salt: bytes, ikm: bytes) -> bytes:
    mac = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(ikm)
    return mac.finalize()


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    out, block = b"", b""
    for counter in range(1, 256):
        mac = hmac.HMAC(key, hashes.SHA256())
        mac.update(block + info + bytes([counter]))
        block = mac.finalize()
        out += block
        if len(out) >= length:
            break
    return out[:length]


def compose(private: X25519PrivateKey, sealed: bytes, info: bytes, aad: bytes) -> bytes:
    """Open by the RFC's own steps (sections 4.1 and 5.1), from plain primitives."""
    enc, ciphertext = sealed[:32], sealed[32:]
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x01"

    def extract(what: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hkdf_extract(salt, b"HPKE-v1" + what + label + ikm)

    def expand(what: bytes, key: bytes, label: bytes, about: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + b"HPKE-v1" + what + label + about
        return hkdf_expand(key, labelled, length)

    dh = private.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + private.public_key().public_bytes_raw()
    shared = expand(kem, extract(kem, b"", b"eae_prk", dh), b"shared_secret", context, 32)
    schedule = b"\x00" + extract(suite, b"", b"psk_id_hash", b"")
    schedule += extract(suite, b"", b"info_hash", info)
    secret = extract(suite, shared, b"secret", b"")
    key = expand(suite, secret, b"key", schedule, 16)
    nonce = expand(suite, secret, b"base_nonce", schedule, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, aad)


def test_the_suite_opens_the_vector_of_rfc_9180() -> None:
    part = {name: bytes.fromhex(text) for name, text in VECTOR.items()}
    private = X25519PrivateKey.from_private_bytes(part["skRm"])
    assert private.public_key().public_bytes_raw() == part["pkRm"]
    sealed = part["enc"] + part["ct"]
    opened = openssl.hpke._decrypt_with_aad(SUITE, sealed, private, part["info"], part["aad"])
    assert opened == part["pt"]
    assert compose(private, sealed, part["info"], part["aad"]) == part["pt"]


def test_what_is_sealed_opens_by_the_steps_of_the_rfc_with_our_info_and_the_dispute() -> None:
    sealed = seal(KEY.public_key, b"a receipt", DISPUTE)
    assert INFO == b"concordat/evidence/v1"
    assert compose(KEY.x25519, sealed, INFO, DISPUTE) == b"a receipt"
    assert open_sealed(KEY, sealed, DISPUTE) == b"a receipt"


def test_what_is_sealed_to_somebody_else_does_not_open() -> None:
    sealed = seal(SealingKey.generate().public_key, b"a receipt", DISPUTE)
    with pytest.raises(SealInvalidError, match="not sealed to this key"):
        open_sealed(KEY, sealed, DISPUTE)


def test_evidence_of_one_dispute_does_not_open_in_another() -> None:
    sealed = seal(KEY.public_key, b"a receipt", DISPUTE)
    with pytest.raises(SealInvalidError, match="not sealed to this key"):
        open_sealed(KEY, sealed, OTHER)


@pytest.mark.parametrize("place", [0, 31, 32, -1])
def test_one_changed_bit_does_not_open(place: int) -> None:
    sealed = bytearray(seal(KEY.public_key, b"a receipt", DISPUTE))
    sealed[place] ^= 1
    with pytest.raises(SealInvalidError):
        open_sealed(KEY, bytes(sealed), DISPUTE)


@pytest.mark.parametrize("sealed", [b"", bytes(47), bytes(MAX_SEALED_BYTES + 1), bytes(100)])
def test_what_nobody_sealed_is_one_typed_error(sealed: bytes) -> None:
    with pytest.raises(SealInvalidError):
        open_sealed(KEY, sealed, DISPUTE)


def test_two_seals_of_one_text_are_unlike() -> None:
    assert seal(KEY.public_key, b"same", DISPUTE) != seal(KEY.public_key, b"same", DISPUTE)


def test_the_largest_plaintext_fits_an_attachment_and_one_byte_more_does_not() -> None:
    largest = os.urandom(MAX_PLAINTEXT_BYTES)
    sealed = seal(KEY.public_key, largest, DISPUTE)
    assert len(sealed) == MAX_SEALED_BYTES
    assert open_sealed(KEY, sealed, DISPUTE) == largest
    with pytest.raises(PlaintextTooLargeError, match="262,097 bytes; at most 262,096"):
        seal(KEY.public_key, largest + b"x", DISPUTE)


@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(32), b"\x01" + bytes(31)])
def test_a_key_that_everybody_could_open_is_not_sealed_to(public_key: bytes) -> None:
    with pytest.raises(SealInvalidError, match="no X25519 key"):
        seal(public_key, b"a receipt", DISPUTE)


@pytest.mark.parametrize("dispute_id", [b"", bytes(15), bytes(17)])
def test_a_dispute_id_has_16_bytes(dispute_id: bytes) -> None:
    sealed = seal(KEY.public_key, b"a receipt", DISPUTE)
    with pytest.raises(SealInvalidError, match="16 bytes"):
        seal(KEY.public_key, b"a receipt", dispute_id)
    with pytest.raises(SealInvalidError, match="16 bytes"):
        open_sealed(KEY, sealed, dispute_id)


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_key_survives_its_file_and_only_its_owner_reads_it(
    tmp_path: Path, passphrase: bytes | None
) -> None:
    path = tmp_path / "sealing.key"
    KEY.save(path, passphrase)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = SealingKey.load(path, passphrase)
    assert loaded.public_key == KEY.public_key
    assert open_sealed(loaded, seal(KEY.public_key, b"x", DISPUTE), DISPUTE) == b"x"


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    KEY.save(tmp_path / "sealing.key", None)
    with pytest.raises(KeyFileError, match="never overwritten"):
        SealingKey.generate().save(tmp_path / "sealing.key", None)


def test_a_key_file_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot read"):
        SealingKey.load(tmp_path / "none.key", None)
    (tmp_path / "text.key").write_text("no key")
    with pytest.raises(KeyFileError, match="no PKCS#8 key"):
        SealingKey.load(tmp_path / "text.key", None)
    KEY.save(tmp_path / "locked.key", b"secret")
    with pytest.raises(KeyFileError, match="passphrase"):
        SealingKey.load(tmp_path / "locked.key", b"guess")
    Ed25519Signer.generate().save(tmp_path / "signing.key", None)
    with pytest.raises(KeyFileError, match="no X25519 key"):
        SealingKey.load(tmp_path / "signing.key", None)
    with pytest.raises(KeyFileError, match="cannot write"):
        KEY.save(tmp_path / "absent" / "sealing.key", None)
