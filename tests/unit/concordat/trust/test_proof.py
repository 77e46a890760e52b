"""A tlog-proof convinces, offline, of its own entry in its own log, and of nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concordat.trust import merkle
from concordat.trust.checkpoint import Checkpoint, add_signatures, sign_checkpoint
from concordat.trust.errors import (
    MalformedNoteError,
    ProofInvalidError,
    SignatureInvalidError,
    TrustError,
)
from concordat.trust.proof import MAX_EXTRA_BYTES, TlogProof, verify_tlog_proof
from tests.unit.concordat.trust.log_builders import (
    LOG,
    LOG_SIGNER,
    NOTE,
    ORIGIN,
    WITNESSES,
    b64,
    bit_flips,
    cosigned_by,
    edited,
    hashes,
)
from tests.unit.concordat.trust.reference_tree import ReferenceTree, leaf_hashes

SIZE = 13
LEAVES = leaf_hashes(SIZE)
TREE = ReferenceTree(LEAVES)
CHECKPOINT = Checkpoint(ORIGIN, SIZE, TREE.root(SIZE))
SIGNED = add_signatures(
    sign_checkpoint(CHECKPOINT, LOG_SIGNER), cosigned_by(0, 1, text=CHECKPOINT.text())
)


def proof_of(index: int, extra: bytes | None = None) -> TlogProof:
    return TlogProof(index, tuple(TREE.path(index, SIZE)), SIGNED, extra)


def verified(proof: TlogProof, leaf: bytes, quorum: int = 2) -> Checkpoint:
    return verify_tlog_proof(proof, leaf, LOG, WITNESSES, quorum).checkpoint


GOOD = proof_of(5).encode()
HASHES = b"".join(b64(each) + b"\n" for each in TREE.path(5, SIZE))


def test_a_proof_is_written_as_the_specification_says() -> None:
    assert GOOD == b"c2sp.org/tlog-proof@v1\nindex 5\n" + HASHES + b"\n" + SIGNED
    with_extra = b"c2sp.org/tlog-proof@v1\nextra b3BlbmluZw==\nindex 5\n" + HASHES + b"\n" + SIGNED
    assert proof_of(5, b"opening").encode() == with_extra
    assert TlogProof.parse(with_extra).extra == b"opening"


def test_a_proof_of_the_only_entry_has_no_hashes() -> None:
    signed = sign_checkpoint(Checkpoint(ORIGIN, 1, LEAVES[0]), LOG_SIGNER)
    raw = b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + signed
    proof = TlogProof.parse(raw)
    assert (proof.hashes, proof.encode()) == ((), raw)
    assert verified(proof, LEAVES[0], quorum=0).size == 1


@pytest.mark.parametrize("index", range(SIZE))
def test_a_proof_convinces_of_its_own_entry_and_of_no_other(index: int) -> None:
    proof = TlogProof.parse(proof_of(index).encode())
    assert verified(proof, LEAVES[index]) == CHECKPOINT
    for other in range(SIZE):
        if other != index:
            with pytest.raises(ProofInvalidError):
                verified(proof, LEAVES[other])
            with pytest.raises(ProofInvalidError):
                verified(TlogProof(other, proof.hashes, SIGNED), LEAVES[index])


def test_a_proof_by_too_few_witnesses_or_another_log_does_not_convince() -> None:
    with pytest.raises(SignatureInvalidError, match="2 of at least 3"):
        verified(proof_of(5), LEAVES[5], quorum=3)
    other = sign_checkpoint(Checkpoint("other.example/log", SIZE, TREE.root(SIZE)), LOG_SIGNER)
    with pytest.raises(SignatureInvalidError, match="another log's"):
        verified(TlogProof(5, proof_of(5).hashes, other), LEAVES[5], quorum=0)


def test_an_entry_past_the_checkpoint_is_not_proved() -> None:
    with pytest.raises(ProofInvalidError, match="outside the size"):
        verified(TlogProof(SIZE, (), SIGNED), LEAVES[5])


def test_truncated_extended_and_reordered_proofs_do_not_convince() -> None:
    path = proof_of(5).hashes
    for bent in (path[:-1], path[1:], (*path, path[0]), (path[0], *path), path[::-1], ()):
        with pytest.raises(ProofInvalidError):
            verified(TlogProof(5, bent, SIGNED), LEAVES[5])


def test_no_bit_of_a_proof_can_be_flipped() -> None:
    assert verified(TlogProof.parse(GOOD), LEAVES[5]) == CHECKPOINT
    for bent in bit_flips(GOOD):
        with pytest.raises(TrustError):
            verified(TlogProof.parse(bent), LEAVES[5])


def test_a_truncated_proof_does_not_convince() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(TrustError):
            verified(TlogProof.parse(GOOD[:length]), LEAVES[5])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n" + SIGNED,
        SIGNED,
        GOOD + b"\n",
        b"\n" + GOOD,
        GOOD.replace(b"@v1", b"@v2"),
        GOOD.replace(b"@v1\n", b"@v1 \n"),
        GOOD.replace(b"@v1\n", b"@v1\r\n"),
        GOOD.replace(b"@v1\n", b"@v1\n\n"),
        GOOD.replace(b"index 5\n", b""),
        GOOD.replace(b"index 5\n", b"index 5\nindex 5\n"),
        GOOD.replace(b"index 5", b"index 05"),
        GOOD.replace(b"index 5", b"index +5"),
        GOOD.replace(b"index 5", b"index -5"),
        GOOD.replace(b"index 5", b"index  5"),
        GOOD.replace(b"index 5", b"index 5 "),
        GOOD.replace(b"index 5", b"index\t5"),
        GOOD.replace(b"index 5", b"Index 5"),
        GOOD.replace(b"index 5", b"index"),
        GOOD.replace(b"index 5", b"index 5_0"),
        GOOD.replace(b"index 5", b"index 9223372036854775808"),
        GOOD.replace(b"index 5", b"extra \nindex 5"),  # no extra data: the line is left out
        GOOD.replace(b"index 5", b"extra\nindex 5"),
        GOOD.replace(b"index 5", b"extra AB==\nindex 5"),
        GOOD.replace(b"index 5", b"extra !!!!\nindex 5"),
        GOOD.replace(b"index 5", b"extra AAAA\nextra AAAA\nindex 5"),
        GOOD.replace(b"index 5\n", b"index 5\nextra AAAA\n"),
        GOOD.replace(b"index 5\n", b"index 5\nAAAA\n"),
        GOOD.replace(b"index 5\n", b"index 5\n" + b64(bytes(33)) + b"\n"),
        GOOD.replace(b"index 5\n", b"index 5\n" + b64(bytes(32)) + b" \n"),
        GOOD.replace(HASHES + b"\n", HASHES),  # no empty line before the checkpoint
        GOOD.replace(HASHES + b"\n", HASHES + b"\n\n"),
        GOOD.replace(HASHES, (b64(bytes(32)) + b"\n") * 64),
        GOOD.replace(b"\n13\n", b"\n013\n"),
        GOOD.replace(b"\n13\n", b"\n13\nan extension line\n"),
        GOOD.replace(SIGNED, CHECKPOINT.text()),
        GOOD.replace(SIGNED, b""),
        GOOD.replace(b"index 5", b"extra " + b64(bytes(2**20)) + b"\nindex 5"),
    ],
)
def test_what_is_almost_a_proof_is_refused(raw: bytes) -> None:
    assert raw != GOOD
    with pytest.raises(MalformedNoteError):
        TlogProof.parse(raw)


@pytest.mark.parametrize(
    ("index", "path", "extra"),
    [
        (-1, (), None),
        (2**63, (), None),
        (0, (bytes(31),), None),
        (0, (bytes(32),) * 64, None),
        (0, (), b""),
        (0, (), bytes(MAX_EXTRA_BYTES + 1)),
    ],
)
def test_what_no_proof_can_say_is_none(
    index: int, path: tuple[bytes, ...], extra: bytes | None
) -> None:
    with pytest.raises(MalformedNoteError):
        TlogProof(index, path, NOTE, extra)


def test_the_longest_proof_is_read() -> None:
    proof = TlogProof(2**63 - 1, (merkle.EMPTY_ROOT,) * 63, NOTE, bytes(MAX_EXTRA_BYTES))
    assert TlogProof.parse(proof.encode()) == proof


def test_a_far_longer_proof_is_refused_unread() -> None:
    with pytest.raises(MalformedNoteError, match="no longer than 524288"):
        TlogProof.parse(bytes(2**19 + 1))


@given(
    st.integers(0, 2**63 - 1),
    st.lists(hashes, max_size=10),
    st.none() | st.binary(min_size=1, max_size=100),
)
def test_a_proof_is_read_as_it_was_written(
    index: int, path: list[bytes], extra: bytes | None
) -> None:
    proof = TlogProof(index, tuple(path), SIGNED, extra)
    assert TlogProof.parse(proof.encode()) == proof


@settings(max_examples=500)
@given(edited(GOOD, proof_of(5, b"opening").encode()))
def test_two_different_proofs_never_read_alike(raw: bytes) -> None:
    try:
        proof = TlogProof.parse(raw)
    except MalformedNoteError:
        return
    assert proof.encode() == raw
