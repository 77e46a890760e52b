"""RFC 6962 Merkle trees over small batches (section 2.1)."""

import hashlib
from collections.abc import Sequence

from concordat.trust.errors import SignatureInvalidError


def leaf_hash(leaf: bytes) -> bytes:
    """Return ``SHA-256(0x00 || leaf)``."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return ``SHA-256(0x01 || left || right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


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
        pairs = range(0, len(level) - 1, 2)
        above = [node_hash(level[i], level[i + 1]) for i in pairs]
        if len(level) % 2:
            above.append(level[-1])
        level = above
        width *= 2
    return level[0], paths


def root_from_path(leaf: bytes, index: int, size: int, siblings: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162 section 2.1.3.2).

    ``leaf`` is a leaf hash; ``index`` counts from 0. Raises ``SignatureInvalidError`` where the proof is
    longer or shorter than ``index`` and ``size`` make it.
    """
    if not 0 <= index < size:
        raise SignatureInvalidError("the batch path's index is outside its size")
    node, last, result = index, size - 1, leaf
    for sibling in siblings:
        if last == 0:
            raise SignatureInvalidError("the batch path is too long")
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise SignatureInvalidError("the batch path is too short")
    return result
