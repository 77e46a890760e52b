"""RFC 6962 Merkle trees (section 2.1): roots, proofs, and the right edge of a tree that grows.

A hash is 32 bytes of SHA-256; leaves are given by their leaf hashes and counted from 0.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from concordat.trust.errors import ProofInvalidError, SignatureInvalidError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()

ReadNode = Callable[[int, int], bytes]
"""``(level, index)`` to the hash of the full subtree of ``2**level`` leaves from leaf ``index << level``."""

_sha256 = hashlib.sha256


def leaf_hash(leaf: bytes) -> bytes:
    """Return ``SHA-256(0x00 || leaf)``."""
    return _sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return ``SHA-256(0x01 || left || right)``."""
    return _sha256(b"\x01" + left + right).digest()


# Whole trees in memory --------------------------------------------------------------------------


def tree(leaf_hashes: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Return the root of at least one leaf hash, and each leaf's siblings from the leaf up.

    Where a level has an odd node out it rises unpaired, which gives the same root as the recursive
    definition of RFC 6962 (the left subtree is the largest power of two below the size).
    """
    if not leaf_hashes:
        raise ValueError("a tree needs at least one leaf")
    paths: list[list[bytes]] = [[] for _ in leaf_hashes]
    level = list(leaf_hashes)
    width = 1  # leaves under a full node of this level
    while len(level) > 1:
        for index, path in enumerate(paths):
            sibling = (index // width) ^ 1
            if sibling < len(level):
                path.append(level[sibling])
        level = _level_above(level)
        width *= 2
    return level[0], paths


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of the leaf hashes; that of none is ``EMPTY_ROOT``."""
    level = list(leaf_hashes)
    while len(level) > 1:
        level = _level_above(level)
    return level[0] if level else EMPTY_ROOT


def _level_above(level: list[bytes]) -> list[bytes]:
    above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        above.append(level[-1])
    return above


# Checking proofs --------------------------------------------------------------------------------


def root_from_path(leaf: bytes, index: int, size: int, siblings: Sequence[bytes]) -> bytes:
    """Return the root that a batch path leads to (RFC 9162 section 2.1.3.2).

    ``leaf`` is a leaf hash; ``index`` counts from 0. Raises ``SignatureInvalidError`` where the proof is
    longer or shorter than ``index`` and ``size`` make it.
    """
    try:
        return _root_from_path(leaf, index, size, siblings)
    except ProofInvalidError as error:
        raise SignatureInvalidError(f"batch path: {error}") from error


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf`` is leaf hash number ``index`` of the tree of ``size`` leaves under ``root``.

    ``proof`` holds the siblings from the leaf up (RFC 6962 section 2.1.1, checked as RFC 9162 section
    2.1.3.2 says). Raises ``ProofInvalidError``.
    """
    # A short "hash" beside a long one could split the bytes of an inner node in another place.
    _expect_hashes([leaf, *proof])
    if _root_from_path(leaf, index, size, proof) != root:
        raise ProofInvalidError("the inclusion proof does not lead to the root")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of ``old_size`` leaves is a prefix of that of ``new_size``.

    The proof is that of RFC 6962 section 2.1.2, checked as RFC 9162 section 2.1.4.2 says. For an
    ``old_size`` of 0 and for equal sizes it must be empty, and the roots ``EMPTY_ROOT`` or equal. Raises
    ``ProofInvalidError``.
    """
    if not 0 <= old_size <= new_size:
        raise ProofInvalidError("the older tree is larger than the newer")
    if old_size in (0, new_size):
        _verify_trivial(old_size, old_root, new_size, new_root, proof)
        return
    hashes = [*proof]
    _expect_hashes(hashes)
    if old_size & (old_size - 1) == 0:  # the older tree is one full subtree: its root is left out
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofInvalidError("the proof is too short")
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    older = newer = hashes[0]
    for sibling, is_left in _steps(node, last, hashes[1:]):
        if is_left:
            older = node_hash(sibling, older)
            newer = node_hash(sibling, newer)
        else:
            newer = node_hash(newer, sibling)
    if older != old_root:
        raise ProofInvalidError("the consistency proof does not lead to the older root")
    if newer != new_root:
        raise ProofInvalidError("the consistency proof does not lead to the newer root")


def _verify_trivial(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check the two cases of consistency that need no proof."""
    if proof:
        raise ProofInvalidError("between these sizes the consistency proof must be empty")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ProofInvalidError("the root of the empty tree is the SHA-256 of nothing")
    if old_size == new_size and old_root != new_root:
        raise ProofInvalidError("trees of one size have different roots")


def _expect_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofInvalidError("a hash of the proof is not 32 bytes long")


def _root_from_path(leaf: bytes, index: int, size: int, siblings: Sequence[bytes]) -> bytes:
    if not 0 <= index < size:
        raise ProofInvalidError("the index is outside the size")
    result = leaf
    for sibling, is_left in _steps(index, size - 1, siblings):
        result = node_hash(sibling, result) if is_left else node_hash(result, sibling)
    return result


def _steps(node: int, last: int, siblings: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each sibling on the way up from ``node`` of a level, and whether it stands to the left.

    ``last`` is the level's last node. Raises where there are more or fewer siblings than that makes.
    """
    for sibling in siblings:
        if last == 0:
            raise ProofInvalidError("the proof is too long")
        is_left = bool(node & 1) or node == last
        yield sibling, is_left
        if is_left:  # a last node without a sibling has risen unpaired
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        node >>= 1
        last >>= 1
    if last:
        raise ProofInvalidError("the proof is too short")


# Making proofs from stored nodes ----------------------------------------------------------------


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """Return the siblings of leaf ``index`` in the tree of ``size`` leaves, from the leaf up.

    RFC 6962 section 2.1.1. ``read`` is asked for full subtrees within ``size`` only.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    begin, end = 0, size
    proof = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(_range_root(middle, end, read))
            end = middle
        else:
            proof.append(_range_root(begin, middle, read))
            begin = middle
    return proof[::-1]


def consistency_proof(old_size: int, new_size: int, read: ReadNode) -> list[bytes]:
    """Return the proof that the first ``old_size`` leaves are a prefix of ``new_size`` leaves.

    RFC 6962 section 2.1.2; empty for an ``old_size`` of 0 and for equal sizes. ``read`` is asked for full
    subtrees within ``new_size`` only.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {new_size} leaves has no prefix of {old_size}")
    if old_size == 0:
        return []
    begin, end = 0, new_size
    proof = []
    while end != old_size:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            proof.append(_range_root(middle, end, read))
            end = middle
        else:
            proof.append(_range_root(begin, middle, read))
            begin = middle
    if begin:  # else it is the whole of the older tree, whose root the verifier has
        proof.append(_range_root(begin, end, read))
    return proof[::-1]


def root_at(size: int, read: ReadNode) -> bytes:
    """Return the root of the first ``size`` leaves; ``EMPTY_ROOT`` for 0."""
    if size < 0:
        raise ValueError("a tree has no fewer than 0 leaves")
    return _range_root(0, size, read) if size else EMPTY_ROOT


def _split(size: int) -> int:
    """Return the largest power of two below ``size``, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_root(begin: int, end: int, read: ReadNode) -> bytes:
    """Return the tree hash of a range that begins where the recursion of RFC 6962 splits."""
    level = (end - begin).bit_length() - 1
    if end - begin == 1 << level:  # one full subtree, as most ranges of a proof are
        return read(level, begin >> level)
    hashes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        hashes.append(read(level, begin >> level))
        begin += 1 << level
    return _fold(hashes)


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over full subtrees, largest first."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


# Growing ----------------------------------------------------------------------------------------


class Frontier:
    """The right edge of a tree: the roots of the full subtrees its size is made of, largest first.

    It is all that is needed to append leaves and to tell the root, in at most 63 hashes.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Take up a stored edge: a hash for each bit set in ``size``; raise ``ValueError`` if it is none."""
        kept = list(hashes)
        if size < 0 or len(kept) != size.bit_count():
            raise ValueError(
                f"the edge of a tree of {size} leaves does not have {len(kept)} hashes"
            )
        if any(len(each) != HASH_BYTES for each in kept):
            raise ValueError("a hash of the edge is not 32 bytes long")
        self._size = size
        self._hashes = kept

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The edge, largest subtree first."""
        return tuple(self._hashes)

    def append(self, leaf_hash: bytes) -> None:
        """Append one leaf, given by its leaf hash."""
        # The exchange appends here for every entry: `node_hash` stands inline.
        hashes, size, node = self._hashes, self._size, leaf_hash
        while size & 1:
            node = _sha256(b"\x01" + hashes.pop() + node).digest()
            size >>= 1
        hashes.append(node)
        self._size += 1

    def extend(self, level: int, subtree_hash: bytes) -> None:
        """Append a full subtree of ``2**level`` leaves by its root.

        Raises ``ValueError`` unless the size is a multiple of ``2**level``.
        """
        if level < 0 or self._size & ((1 << level) - 1):
            raise ValueError(f"after {self._size} leaves no subtree of 2**{level} leaves begins")
        hashes, size, node = self._hashes, self._size >> level, subtree_hash
        while size & 1:
            node = node_hash(hashes.pop(), node)
            size >>= 1
        hashes.append(node)
        self._size += 1 << level

    def root(self) -> bytes:
        """Return the root of all leaves appended so far."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT
