"""RFC 6962 section 2.1 word for word, by recursion: what the tests hold `concordat.trust.merkle` against.

Sizes are counted in leaves, and leaves are given by their leaf hashes.
"""

import hashlib
from collections.abc import Sequence

from concordat.trust.merkle import ReadNode

# The tree that Certificate Transparency's own tests use, and transparency-dev/merkle's after them
# (proof/verify_test.go): leaves, and the roots of the first 0, 1, 2, … 8.
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
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]


def leaf_hashes(size: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00leaf %d" % index).digest() for index in range(size)]


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


class ReferenceTree:
    """MTH, PATH and PROOF over ranges of the leaves; roots are remembered, because they recur."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves
        self._roots: dict[tuple[int, int], bytes] = {}
        self._full: dict[tuple[int, int], list[tuple[bytes, ...]]] = {}

    def root(self, end: int, begin: int = 0) -> bytes:
        """MTH(D[begin:end])."""
        if begin == end:
            return hashlib.sha256(b"").digest()
        if end - begin == 1:
            return self.leaves[begin]
        found = self._roots.get((begin, end))
        if found is None:
            middle = begin + split(end - begin)
            found = node(self.root(middle, begin), self.root(end, middle))
            self._roots[begin, end] = found
        return found

    def paths(self, end: int, begin: int = 0) -> list[tuple[bytes, ...]]:
        """PATH(m, D[begin:end]) for every m."""
        size = end - begin
        if size == 1:
            return [()]
        full = size & (size - 1) == 0
        if full and (begin, end) in self._full:
            return self._full[begin, end]
        middle = begin + split(size)
        left, right = (self.root(middle, begin),), (self.root(end, middle),)
        found = [path + right for path in self.paths(middle, begin)]
        found += [path + left for path in self.paths(end, middle)]
        if full:
            self._full[begin, end] = found
        return found

    def path(self, index: int, end: int, begin: int = 0) -> list[bytes]:
        """PATH(index, D[begin:end]), where `index` counts from 0 whatever `begin` is."""
        if end - begin == 1:
            return []
        middle = begin + split(end - begin)
        if index < middle:
            return [*self.path(index, middle, begin), self.root(end, middle)]
        return [*self.path(index, end, middle), self.root(middle, begin)]

    def proof(self, old: int, new: int) -> list[bytes]:
        """PROOF(old, D[new])."""
        return self._subproof(old, new, 0, whole=True) if old else []

    def _subproof(self, old: int, end: int, begin: int, *, whole: bool) -> list[bytes]:
        if old == end:
            return [] if whole else [self.root(end, begin)]
        middle = begin + split(end - begin)
        if old <= middle:
            return [*self._subproof(old, middle, begin, whole=whole), self.root(end, middle)]
        return [*self._subproof(old, end, middle, whole=False), self.root(middle, begin)]


def reader(leaves: Sequence[bytes]) -> ReadNode:
    """A `ReadNode` over all full subtrees of the leaves, and over nothing else."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])

    def read(level: int, index: int) -> bytes:
        assert index >= 0
        return levels[level][index]

    return read
