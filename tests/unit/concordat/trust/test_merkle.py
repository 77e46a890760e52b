"""Batch trees are RFC 6962's, and no path but the leaf's own leads to the signed root."""

import hashlib
from collections.abc import Iterator, Sequence

import pytest

from concordat.trust import merkle
from concordat.trust.envelope import batch_root_bytes
from concordat.trust.errors import SignatureInvalidError

SIZES = [*range(1, 131), 255, 256, 257, 1023, 1024]

# The tree that Certificate Transparency's own tests use: leaves, and the root of the first 1, 2, … 8.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def reference_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word: MTH of a list of leaf data."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = reference_root(leaves[:split]), reference_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def reference_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """RFC 6962 section 2.1.1: PATH of the leaf ``index``, from the leaf up."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*reference_path(leaves[:split], index), reference_root(leaves[split:])]
    return [*reference_path(leaves[split:], index - split), reference_root(leaves[:split])]


def leaves_of(size: int) -> list[bytes]:
    return [b"leaf %d" % index for index in range(size)]


def tree_of(size: int) -> tuple[bytes, list[bytes], list[list[bytes]]]:
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves_of(size)]
    root, paths = merkle.tree(hashes)
    return root, hashes, paths


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparencys_own_tests(size: int) -> None:
    root, _ = merkle.tree([merkle.leaf_hash(leaf) for leaf in CT_LEAVES[:size]])
    assert root.hex() == CT_ROOTS[size - 1]


def test_the_root_of_every_size_is_that_of_the_recursive_definition() -> None:
    for size in SIZES:
        assert tree_of(size)[0] == reference_root(leaves_of(size)), size


def test_every_path_of_every_size_leads_to_the_root() -> None:
    for size in SIZES:
        root, hashes, paths = tree_of(size)
        for index, path in enumerate(paths):
            found = merkle.root_from_path(hashes[index], index, size, path)
            assert found == root, (index, size)


def test_paths_are_those_of_the_recursive_definition() -> None:
    for size in range(1, 34):
        for index, path in enumerate(tree_of(size)[2]):
            assert path == reference_path(leaves_of(size), index), (index, size)


def test_no_batch_needs_a_path_longer_than_the_proto_allows() -> None:
    assert max(map(len, tree_of(1024)[2])) == 10


def test_a_tree_of_nothing_has_no_root() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle.tree([])


def test_an_inner_node_never_passes_as_a_leaf() -> None:
    root, hashes, paths = tree_of(4)
    inner = hashes[0] + hashes[1]
    with pytest.raises(SignatureInvalidError):
        signed_by(merkle.leaf_hash(inner), 0, 4, paths[0][1:])
    assert signed_by(merkle.leaf_hash(inner), 0, 2, paths[0][1:]) != batch_root_bytes(root, 4)


def signed_by(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """What a signature must be over for this path to count."""
    return batch_root_bytes(merkle.root_from_path(leaf, index, size, path), size)


def flips(value: bytes) -> Iterator[bytes]:
    for bit in range(len(value) * 8):
        yield (int.from_bytes(value) ^ 1 << bit).to_bytes(len(value))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17])
def test_no_bit_of_a_leaf_or_a_path_can_be_flipped(size: int) -> None:
    root, hashes, paths = tree_of(size)
    good = batch_root_bytes(root, size)
    for index, path in enumerate(paths):
        assert signed_by(hashes[index], index, size, path) == good
        for leaf in flips(hashes[index]):
            assert signed_by(leaf, index, size, path) != good
        for level, sibling in enumerate(path):
            for other in flips(sibling):
                bent = [*path[:level], other, *path[level + 1 :]]
                assert signed_by(hashes[index], index, size, bent) != good


def refused(good: bytes, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bool:
    try:
        return signed_by(leaf, index, size, path) != good
    except SignatureInvalidError:
        return True


@pytest.mark.parametrize("size", [*range(1, 34), 64, 65, 127, 129])
def test_no_other_index_or_size_will_do(size: int) -> None:
    root, hashes, paths = tree_of(size)
    good = batch_root_bytes(root, size)
    for index, path in enumerate(paths):
        bent = {(index ^ 1 << bit, size) for bit in range(10)}
        bent |= {(index, size ^ 1 << bit) for bit in range(11)}
        bent |= {(size, size), (-1, size), (index, 0), (index, size + 1), (index, size - 1)}
        bent |= {(other, size) for other in range(size)} - {(index, size)}
        for wrong_index, wrong_size in bent:
            assert refused(good, hashes[index], wrong_index, wrong_size, path)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 9, 17, 64, 65])
def test_a_path_that_is_too_long_or_too_short_is_refused(size: int) -> None:
    _, hashes, paths = tree_of(size)
    for index, path in enumerate(paths):
        for longer in ([*path, path[-1] if path else bytes(32)], [bytes(32), *path]):
            with pytest.raises(SignatureInvalidError, match="too long"):
                merkle.root_from_path(hashes[index], index, size, longer)
        for shorter in (path[:-1], path[1:], []):
            if len(shorter) < len(path):
                with pytest.raises(SignatureInvalidError, match="too short"):
                    merkle.root_from_path(hashes[index], index, size, shorter)


def test_swapped_siblings_are_refused() -> None:
    root, hashes, paths = tree_of(8)
    good = batch_root_bytes(root, 8)
    for index, path in enumerate(paths):
        assert signed_by(hashes[index], index, 8, path[::-1]) != good
