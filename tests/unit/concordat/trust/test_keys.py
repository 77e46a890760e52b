"""Ed25519 as RFC 8032 and OpenSSL have it, and key files that give nothing away."""

import hashlib
import shutil
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from concordat.trust.errors import KeyFileError, SignatureInvalidError
from concordat.trust.keys import Ed25519Signer, KeyRing, TrustedKey, key_id, verify_signature
from tests.builders import AT, DAY, signer

# RFC 8032 section 7.1: secret key, public key, message, signature.
RFC_8032 = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "TEST SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
            "3dca179c138ac17ad9bef1177331a704"
        ),
    ),
}
VECTORS = [pytest.param(*map(bytes.fromhex, v), id=name) for name, v in RFC_8032.items()]

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the base point, RFC 8032 section 5.1
PASSPHRASE = b"correct horse"


@pytest.fixture
def openssl() -> str:
    path = shutil.which("openssl")
    if path is None:
        pytest.skip("the openssl command is not installed")
    return path


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_keys_and_signatures_are_those_of_rfc_8032(
    secret: bytes, public: bytes, message: bytes, signature: bytes
) -> None:
    key = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(secret))
    assert key.public_key == public
    assert key.sign(message) == signature
    verify_signature(public, signature, message)


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_a_signature_of_rfc_8032_with_any_bit_flipped_is_refused(
    secret: bytes, public: bytes, message: bytes, signature: bytes
) -> None:
    for bit in range(len(signature) * 8):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureInvalidError):
            verify_signature(public, bytes(flipped), message)
    with pytest.raises(SignatureInvalidError):
        verify_signature(public, signature, message + b"\x00")


def test_the_other_form_of_a_signature_is_refused() -> None:
    # S and S + L satisfy the same equation; RFC 8032 section 5.1.7 demands S < L.
    key = signer("malleable")
    good = key.sign(b"once")
    other = (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")
    with pytest.raises(SignatureInvalidError):
        verify_signature(key.public_key, good[:32] + other, b"once")


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_signature_that_is_not_64_bytes_is_refused(length: int) -> None:
    key = signer("lengths")
    with pytest.raises(SignatureInvalidError):
        verify_signature(key.public_key, (key.sign(b"m") * 2)[:length], b"m")


def test_bytes_cannot_be_moved_from_a_message_into_its_signature() -> None:
    # Whoever gets "before, after" signed must not have a signature over "after".
    key = signer("mover")
    signature = key.sign(b"before, after")
    with pytest.raises(SignatureInvalidError):
        verify_signature(key.public_key, signature + b"before, ", b"after")


@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(33), bytes(32), b"\x01" + bytes(31)])
def test_a_key_that_is_none_is_refused(public_key: bytes) -> None:
    # All zeros and the point of order one would make trivial signatures verify.
    for signature in (bytes(64), b"\x01" + bytes(63), signer("any").sign(b"m")):
        with pytest.raises(SignatureInvalidError):
            verify_signature(public_key, signature, b"m")


def test_a_failure_is_not_remembered_as_a_success_nor_the_other_way_round() -> None:
    key = signer("memory")
    good = key.sign(b"m")
    for _ in range(2):
        verify_signature(key.public_key, good, b"m")
        with pytest.raises(SignatureInvalidError):
            verify_signature(key.public_key, good, b"n")


def test_openssl_verifies_what_we_sign(tmp_path: Path, openssl: str) -> None:
    key = signer("ours")
    public = Ed25519PublicKey.from_public_bytes(key.public_key)
    (tmp_path / "public.pem").write_bytes(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    (tmp_path / "message").write_bytes(b"DSSEv1 1 t 1 p")
    (tmp_path / "sig").write_bytes(key.sign(b"DSSEv1 1 t 1 p"))
    command = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin"]
    command += ["-in", "message", "-sigfile", "sig"]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "message").write_bytes(b"DSSEv1 1 t 1 q")
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode != 0


def test_we_verify_what_openssl_signs(tmp_path: Path, openssl: str) -> None:
    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=tmp_path, check=True, capture_output=True)

    run("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
    (tmp_path / "message").write_bytes(b"theirs")
    run("pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "message", "-out", "sig")
    key = Ed25519Signer.load(tmp_path / "key.pem", None)
    verify_signature(key.public_key, (tmp_path / "sig").read_bytes(), b"theirs")


def test_openssl_opens_an_encrypted_key_file_and_only_with_its_passphrase(
    tmp_path: Path, openssl: str
) -> None:
    key = signer("file")
    key.save(tmp_path / "key.pem", PASSPHRASE)
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "key.pem").read_bytes()

    def opened_with(passphrase: str) -> "subprocess.CompletedProcess[bytes]":
        command = [openssl, "pkey", "-in", "key.pem", "-pubout", "-outform", "DER"]
        command += ["-passin", f"pass:{passphrase}"]
        return subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)

    assert opened_with(PASSPHRASE.decode()).stdout.endswith(key.public_key)
    assert opened_with("wrong").returncode != 0


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_key_file_reads_back_as_the_same_key(tmp_path: Path, passphrase: bytes | None) -> None:
    signer("file").save(tmp_path / "key.pem", passphrase)
    assert (
        Ed25519Signer.load(tmp_path / "key.pem", passphrase).public_key == signer("file").public_key
    )


@pytest.mark.parametrize(
    ("saved_with", "opened_with"),
    [(PASSPHRASE, b"wrong"), (PASSPHRASE, None), (PASSPHRASE, b""), (None, PASSPHRASE)],
)
def test_the_wrong_passphrase_opens_no_key_file(
    tmp_path: Path, saved_with: bytes | None, opened_with: bytes | None
) -> None:
    signer("file").save(tmp_path / "key.pem", saved_with)
    with pytest.raises(KeyFileError, match="passphrase"):
        Ed25519Signer.load(tmp_path / "key.pem", opened_with)


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    signer("file").save(tmp_path / "key.pem", None)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signer("first").save(path, None)
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="never overwritten"):
        signer("second").save(path, None)
    assert path.read_bytes() == before


def test_a_key_is_not_written_through_a_link_that_somebody_laid(tmp_path: Path) -> None:
    (tmp_path / "key.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError):
        signer("file").save(tmp_path / "key.pem", None)
    assert not (tmp_path / "elsewhere").exists()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_what_is_no_ed25519_key_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(KeyFileError, match=r"cannot read.*key\.pem"):
        Ed25519Signer.load(path, None)
    with pytest.raises(KeyFileError, match="cannot read"):
        Ed25519Signer.load(tmp_path, None)
    for content in (b"", b"\x00\xff" * 50, b"-----BEGIN PRIVATE KEY-----\nAAAA\n"):
        path.write_bytes(content)
        with pytest.raises(KeyFileError, match=r"key\.pem"):
            Ed25519Signer.load(path, None)
    path.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(KeyFileError, match="no Ed25519 key"):
        Ed25519Signer.load(path, None)


def test_a_key_of_an_algorithm_that_nobody_here_knows_is_refused_by_name(
    tmp_path: Path, openssl: str
) -> None:
    command = [openssl, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp112r1"]
    subprocess.run([*command, "-out", "key.pem"], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(KeyFileError, match=r"key\.pem"):
        Ed25519Signer.load(tmp_path / "key.pem", None)


def test_a_signer_shows_no_private_key() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    assert bytes(range(32)).hex() not in repr(Ed25519Signer(key))


def test_a_key_id_is_half_a_hash_of_the_raw_key() -> None:
    public = signer("named").public_key
    assert key_id(public) == hashlib.sha256(public).digest()[:16].hex()


def test_a_key_counts_from_its_start_until_just_before_its_end() -> None:
    public = signer("dated").public_key
    ring = KeyRing(TrustedKey(public, AT, AT + DAY))
    instant = timedelta(microseconds=1)
    assert ring.find(key_id(public), AT) == public
    assert ring.find(key_id(public), AT + DAY - instant) == public
    for at in (AT - instant, AT + DAY):
        with pytest.raises(SignatureInvalidError, match="not valid at"):
            ring.find(key_id(public), at)
    with pytest.raises(SignatureInvalidError, match="not one that may sign"):
        ring.find(key_id(signer("other").public_key), AT)
