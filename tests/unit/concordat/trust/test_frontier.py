"""The right edge gives the root of every tree it grew through, and takes up only an edge of a tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concordat.trust.merkle import EMPTY_ROOT, Frontier
from tests.unit.concordat.trust.reference_tree import ReferenceTree, leaf_hashes, reader

LEAVES = leaf_hashes(65_537)
READ = reader(LEAVES)
TREE = ReferenceTree(LEAVES)


def grown(size: int) -> Frontier:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)
    return frontier


def test_the_root_after_each_append_is_that_of_the_recursive_definition() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == TREE.root(0)
    for size, leaf in enumerate(LEAVES, start=1):
        frontier.append(leaf)
        if size <= 1025 or size >= 65_535:
            assert (frontier.size, frontier.root()) == (size, TREE.root(size))


def test_an_edge_is_the_full_subtrees_largest_first() -> None:
    assert grown(7).hashes == (TREE.root(4), TREE.root(6, 4), LEAVES[6])
    assert grown(8).hashes == (TREE.root(8),)


@pytest.mark.parametrize("size", [0, 1, 5, 255, 256, 257, 1023])
def test_a_stored_edge_grows_on_as_if_it_had_never_been_put_away(size: int) -> None:
    before = grown(size)
    taken_up = Frontier(before.size, before.hashes)
    assert taken_up.root() == TREE.root(size)
    for leaf in LEAVES[size : size + 300]:
        taken_up.append(leaf)
    assert taken_up.hashes == grown(size + 300).hashes


@pytest.mark.parametrize(
    ("size", "hashes"),
    [
        (0, [bytes(32)]),
        (1, []),
        (3, [bytes(32)]),
        (4, [bytes(32), bytes(32)]),
        (-1, [bytes(32)]),
        (2, [bytes(31)]),
        (2, [b""]),
    ],
)
def test_what_is_no_edge_is_not_taken_up(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="edge"):
        Frontier(size, hashes)


@given(st.lists(st.integers(0, 7), max_size=60))
def test_subtrees_append_as_their_leaves_would(levels: list[int]) -> None:
    frontier = Frontier()
    for level in levels:
        if frontier.size % (1 << level) == 0:
            frontier.extend(level, READ(level, frontier.size >> level))
    assert frontier.hashes == grown(frontier.size).hashes
    assert frontier.root() == TREE.root(frontier.size)


def test_a_subtree_that_does_not_begin_here_is_refused() -> None:
    frontier = grown(6)
    for level in (2, 3, 64, -1):
        with pytest.raises(ValueError, match="no subtree"):
            frontier.extend(level, bytes(32))
    assert frontier.hashes == grown(6).hashes
