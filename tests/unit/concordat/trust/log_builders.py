"""A log, its witnesses and edits of their texts, for the tests of the log's formats."""

import base64
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from concordat.trust.checkpoint import (
    Checkpoint,
    add_signatures,
    cosign_checkpoint,
    sign_checkpoint,
)
from concordat.trust.keys import Ed25519Signer
from concordat.trust.note import COSIGNATURE_V1, ED25519, NoteSignature, VerifierKey

ORIGIN = "exchange.example/log"
AT = 1_700_000_000


def key_from(seed: bytes) -> Ed25519Signer:
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(seed))


LOG_SIGNER = key_from(bytes([1]) * 32)
LOG = VerifierKey(ORIGIN, ED25519, LOG_SIGNER.public_key)
NAMES = [f"witness.example/w{number}" for number in range(1, 5)]
WITNESS_SIGNERS = [key_from(bytes([16 + number]) * 32) for number in range(4)]
WITNESSES = [
    VerifierKey(name, COSIGNATURE_V1, signer.public_key)
    for name, signer in zip(NAMES, WITNESS_SIGNERS, strict=True)
]

CHECKPOINT = Checkpoint(ORIGIN, 70_000, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, LOG_SIGNER)


def cosigned_by(
    *numbers: int, at: int = AT, text: bytes = CHECKPOINT.text()
) -> list[NoteSignature]:
    """Cosignatures of the witnesses with these numbers, from 0."""
    return [cosign_checkpoint(text, NAMES[n], WITNESS_SIGNERS[n], at) for n in numbers]


WITNESSED = add_signatures(NOTE, cosigned_by(0, 1, 2))


def b64(value: bytes) -> bytes:
    return base64.b64encode(value)


def bit_flips(raw: bytes) -> Iterator[bytes]:
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


# What a lenient parser would let pass stands more often than other bytes.
_TEMPTING = st.sampled_from(
    [
        b"\n",
        b"\n\n",
        b"\r",
        b" ",
        b"+",
        b"0",
        b"=",
        b"\xe2\x80\x94 ",
        b"\xe2\x80\xa8",
        b"\x00",
        b"_",
    ]
)


@st.composite
def edited(draw: st.DrawFn, *originals: bytes) -> bytes:
    """One of the originals with up to three stretches of it replaced."""
    raw = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(raw)))
        end = min(len(raw), begin + draw(st.integers(0, 4)))
        raw = raw[:begin] + draw(_TEMPTING | st.binary(max_size=4)) + raw[end:]
    return raw


names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="+"),
    min_size=1,
    max_size=20,
)
hashes = st.binary(min_size=32, max_size=32)
