"""Proofs are RFC 6962's for every leaf and size, and no bent proof passes."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from concordat.trust import merkle
from concordat.trust.errors import ProofInvalidError
from tests.unit.concordat.trust.log_builders import bit_flips
from tests.unit.concordat.trust.reference_tree import (
    CT_LEAVES,
    CT_ROOTS,
    ReferenceTree,
    leaf_hashes,
    node,
    reader,
)

LEAVES = leaf_hashes(65_537)
READ = reader(LEAVES)
TREE = ReferenceTree(LEAVES)
EDGES = [65_535, 65_536, 65_537]
PLACES = [0, 1, 255, 256, 257, 32_767, 32_768, 65_279, 65_280, 65_533, 65_534, 65_535, 65_536]


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    try:
        merkle.verify_inclusion(leaf, index, size, proof, root)
    except ProofInvalidError:
        return False
    return True


def consistent(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes = b"", new_root: bytes = b""
) -> bool:
    old_root, new_root = old_root or TREE.root(old), new_root or TREE.root(new)
    try:
        merkle.verify_consistency(old, old_root, new, new_root, proof)
    except ProofInvalidError:
        return False
    return True


# Other implementations' vectors (transparency-dev/merkle, proof/verify_test.go) -------------------

A = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
B = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
C = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
D = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
E = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
G = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
FIRST, FIRST_2, FIRST_4 = (CT_ROOTS[n].hex() for n in (1, 2, 4))


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (0, 8, [D, A, E]),
        (5, 8, [B, C, FIRST_4]),
        (2, 3, [FIRST_2]),
        (1, 5, [FIRST, A, B]),
    ],
)
def test_inclusion_proofs_are_those_of_other_implementations(
    index: int, size: int, proof: list[str]
) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in CT_LEAVES]
    known = [bytes.fromhex(each) for each in proof]
    assert merkle.inclusion_proof(index, size, reader(leaves)) == known
    merkle.verify_inclusion(leaves[index], index, size, known, CT_ROOTS[size])


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [
        (1, 1, []),
        (1, 8, [D, A, E]),
        (6, 8, [F, C, FIRST_4]),
        (2, 5, [A, B]),
        (6, 7, [F, G, FIRST_4]),
    ],
)
def test_consistency_proofs_are_those_of_other_implementations(
    old: int, new: int, proof: list[str]
) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in CT_LEAVES]
    known = [bytes.fromhex(each) for each in proof]
    assert merkle.consistency_proof(old, new, reader(leaves)) == known
    merkle.verify_consistency(old, CT_ROOTS[old], new, CT_ROOTS[new], known)


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_other_implementations(size: int) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in CT_LEAVES]
    assert merkle.root_of(leaves[:size]) == CT_ROOTS[size]
    assert merkle.root_at(size, reader(leaves)) == CT_ROOTS[size]
    assert CT_ROOTS[0] == merkle.EMPTY_ROOT


# Every leaf and size ----------------------------------------------------------------------------


def test_the_root_of_every_size_is_that_of_the_recursive_definition() -> None:
    for size in [*range(1026), *EDGES]:
        assert merkle.root_at(size, READ) == TREE.root(size), size
    for size in [*range(300), *EDGES]:
        assert merkle.root_of(LEAVES[:size]) == TREE.root(size), size


@pytest.mark.slow
def test_every_inclusion_proof_up_to_1025_leaves_is_that_of_the_recursive_definition() -> None:
    for size in range(1, 1026):
        for index, path in enumerate(TREE.paths(size)):
            assert tuple(merkle.inclusion_proof(index, size, READ)) == path, (index, size)


def test_every_inclusion_proof_verifies() -> None:
    for size in [*range(1, 514), 1023, 1024, 1025]:
        root = TREE.root(size)
        for index, path in enumerate(TREE.paths(size)):
            merkle.verify_inclusion(LEAVES[index], index, size, path, root)


def test_every_consistency_proof_up_to_257_leaves_is_right_and_verifies() -> None:
    for new in range(258):
        for old in range(new + 1):
            proof = merkle.consistency_proof(old, new, READ)
            assert proof == TREE.proof(old, new), (old, new)
            merkle.verify_consistency(old, TREE.root(old), new, TREE.root(new), proof)


def test_consistency_proofs_up_to_1025_leaves_are_right_and_verify() -> None:
    powers = {1 << n for n in range(11)}
    for new in range(258, 1026):
        olds = {old + step for old in powers for step in (-1, 0, 1)} | {new // 3, new - 1, new}
        for old in sorted(old for old in olds if old <= new):
            proof = merkle.consistency_proof(old, new, READ)
            assert proof == TREE.proof(old, new), (old, new)
            merkle.verify_consistency(old, TREE.root(old), new, TREE.root(new), proof)


@pytest.mark.parametrize("size", EDGES)
def test_proofs_at_the_edge_of_two_tile_levels_are_right(size: int) -> None:
    for place in PLACES:
        if place < size:
            path = merkle.inclusion_proof(place, size, READ)
            assert path == TREE.path(place, size)
            assert included(LEAVES[place], place, size, path, TREE.root(size))
        if place <= size:
            proof = merkle.consistency_proof(place, size, READ)
            assert proof == TREE.proof(place, size)
            assert consistent(place, size, proof)


def test_proofs_that_cannot_be_are_not_made() -> None:
    for index, size in ((-1, 4), (4, 4), (0, 0)):
        with pytest.raises(ValueError, match="has no leaf"):
            merkle.inclusion_proof(index, size, READ)
    for old, new in ((-1, 4), (5, 4)):
        with pytest.raises(ValueError, match="has no prefix"):
            merkle.consistency_proof(old, new, READ)
    with pytest.raises(ValueError, match="no fewer than 0"):
        merkle.root_at(-1, READ)


# Bent inclusion proofs --------------------------------------------------------------------------

SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17]


@pytest.mark.parametrize("size", SIZES)
def test_no_bit_of_a_leaf_a_root_or_an_inclusion_proof_can_be_flipped(size: int) -> None:
    root = TREE.root(size)
    for index, path in enumerate(TREE.paths(size)):
        leaf = LEAVES[index]
        assert included(leaf, index, size, path, root)
        assert not any(included(bent, index, size, path, root) for bent in bit_flips(leaf))
        assert not any(included(leaf, index, size, path, bent) for bent in bit_flips(root))
        for level, sibling in enumerate(path):
            for bent in bit_flips(sibling):
                other = [*path[:level], bent, *path[level + 1 :]]
                assert not included(leaf, index, size, other, root)


@pytest.mark.parametrize("size", [*range(1, 34), 64, 65, 127, 129])
def test_a_leaf_is_at_no_other_index(size: int) -> None:
    root = TREE.root(size)
    for index, path in enumerate(TREE.paths(size)):
        others = {*range(-2, size + 3), index + 2**63} - {index}
        assert not any(included(LEAVES[index], other, size, path, root) for other in others)


@pytest.mark.parametrize("size", [*range(1, 34), 64, 65, 127, 129])
def test_a_proof_in_one_size_proves_nothing_in_another(size: int) -> None:
    for index, path in enumerate(TREE.paths(size)):
        for other in {0, 1, size - 1, size + 1, size * 2, size // 2, 2**63} - {size}:
            if other < 1000:
                assert not included(LEAVES[index], index, other, path, TREE.root(other))
            assert not included(LEAVES[index], index, other, path[:-1], TREE.root(size))


def bent_orders(proof: Sequence[bytes]) -> set[tuple[bytes, ...]]:
    """The proof shortened, lengthened and shuffled in all sorts of ways."""
    whole = tuple(proof)
    bent: set[tuple[bytes, ...]] = set(permutations(whole)) if len(whole) <= 5 else {whole[::-1]}
    for place in range(len(whole) + 1):
        bent.add(whole[:place])
        bent.add(whole[place:])
        bent.add(whole[:place] + whole[place + 1 :])
        for extra in (bytes(32), b"", merkle.EMPTY_ROOT, *whole):
            bent.add((*whole[:place], extra, *whole[place:]))
    return bent - {whole}


@pytest.mark.parametrize("size", [*range(1, 18), 31, 32, 33, 64, 65])
def test_truncated_extended_and_reordered_inclusion_proofs_are_refused(size: int) -> None:
    root = TREE.root(size)
    for index, path in enumerate(TREE.paths(size)):
        for bent in bent_orders(path):
            assert not included(LEAVES[index], index, size, bent, root), (index, bent)


def test_bytes_moved_between_a_leaf_and_its_sibling_are_refused() -> None:
    # SHA-256(0x01 || left || right) does not tell where one ends, so that lengths must be checked.
    both = LEAVES[0] + LEAVES[1]
    for cut in range(65):
        passes = included(both[:cut], 0, 2, [both[cut:]], node(*LEAVES[:2]))
        assert passes is (cut == 32)


def test_an_inner_node_never_passes_as_a_leaf() -> None:
    inner = node(*LEAVES[:2])
    path = TREE.path(0, 4)[1:]
    assert included(inner, 0, 2, path, TREE.root(4))  # a size nobody signed
    assert not included(inner, 0, 4, path, TREE.root(4))
    assert not included(merkle.leaf_hash(LEAVES[0] + LEAVES[1]), 0, 4, path, TREE.root(4))


@pytest.mark.parametrize(
    ("proof", "message"),
    [
        ([LEAVES[1]], "too short"),
        ([], "too short"),
        ([LEAVES[1], LEAVES[2], LEAVES[3]], "too long"),
        ([LEAVES[1], LEAVES[2][:31]], "32 bytes"),
        ([LEAVES[1], LEAVES[2]], "does not lead to the root"),
    ],
)
def test_a_refused_inclusion_proof_tells_what_is_wrong(proof: list[bytes], message: str) -> None:
    with pytest.raises(ProofInvalidError, match=message):
        merkle.verify_inclusion(LEAVES[0], 0, 4, proof, TREE.root(4))
    with pytest.raises(ProofInvalidError, match="outside the size"):
        merkle.verify_inclusion(LEAVES[0], 4, 4, proof[1:1], TREE.root(4))


# Bent consistency proofs ------------------------------------------------------------------------


@pytest.mark.parametrize("new", SIZES)
def test_no_bit_of_a_root_or_a_consistency_proof_can_be_flipped(new: int) -> None:
    for old in range(1, new):
        proof = TREE.proof(old, new)
        assert consistent(old, new, proof)
        for bent in bit_flips(TREE.root(old)):
            assert not consistent(old, new, proof, old_root=bent)
        for bent in bit_flips(TREE.root(new)):
            assert not consistent(old, new, proof, new_root=bent)
        for place, each in enumerate(proof):
            for bent in bit_flips(each):
                assert not consistent(old, new, [*proof[:place], bent, *proof[place + 1 :]])


@pytest.mark.parametrize("new", [*range(1, 18), 31, 32, 33, 64, 65])
def test_truncated_extended_and_reordered_consistency_proofs_are_refused(new: int) -> None:
    for old in range(new + 1):
        proof = TREE.proof(old, new)
        assert consistent(old, new, proof)
        for bent in bent_orders(proof):
            assert not consistent(old, new, bent), (old, bent)
        for extra in (TREE.root(old), TREE.root(new)):
            assert not consistent(old, new, [extra, *proof])
            assert not consistent(old, new, [*proof, extra])


@pytest.mark.parametrize("new", [*range(2, 34), 64, 65, 129])
def test_a_consistency_proof_serves_no_other_sizes(new: int) -> None:
    for old in range(1, new):
        proof = TREE.proof(old, new)
        for other in range(new + 3):
            if other != old:
                assert not consistent(other, new, proof)
                assert not consistent(other, new, proof, old_root=TREE.root(old)) or other == new
            if other != new:
                assert not consistent(old, other, proof)


def test_a_rewritten_leaf_makes_every_later_tree_inconsistent() -> None:
    for rewritten in range(16):
        leaves = [*LEAVES[:rewritten], bytes(32), *LEAVES[rewritten + 1 : 17]]
        fork, read = ReferenceTree(leaves), reader(leaves)
        for old in range(rewritten + 1, 17):
            proof = merkle.consistency_proof(old, 17, read)
            assert consistent(old, 17, proof, fork.root(old), fork.root(17))
            assert not consistent(old, 17, proof, new_root=fork.root(17))
            assert not consistent(old, 17, TREE.proof(old, 17), new_root=fork.root(17))


def test_a_log_that_shrank_is_refused() -> None:
    with pytest.raises(ProofInvalidError, match="larger than the newer"):
        merkle.verify_consistency(5, TREE.root(5), 4, TREE.root(4), [])
    with pytest.raises(ProofInvalidError, match="larger than the newer"):
        merkle.verify_consistency(-1, TREE.root(0), 4, TREE.root(4), [])


def test_nothing_is_consistent_with_an_empty_tree_of_another_root() -> None:
    assert consistent(0, 7, [])
    assert not consistent(0, 7, [], old_root=bytes(32))
    assert not consistent(0, 0, [], new_root=bytes(32))
    assert not consistent(0, 0, [], bytes(32), bytes(32))
    assert not consistent(0, 7, [TREE.root(7)])


def test_one_size_has_one_root() -> None:
    assert consistent(7, 7, [])
    assert not consistent(7, 7, [], new_root=TREE.root(8))
    assert not consistent(7, 7, [TREE.root(7)])


def test_hashes_of_another_length_are_refused() -> None:
    proof = TREE.proof(3, 7)
    for bent in (
        [proof[0] + proof[1][:1], proof[1][1:], *proof[2:]],
        [b"", *proof],
        [proof[0][:-1]],
    ):
        with pytest.raises(ProofInvalidError, match="32 bytes"):
            merkle.verify_consistency(3, TREE.root(3), 7, TREE.root(7), bent)
