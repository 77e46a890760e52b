"""Tiles and bundles stand where tlog-tiles says, hold what it says, and give every node of the tree."""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concordat.trust import merkle
from concordat.trust.errors import MalformedNoteError, ProofInvalidError
from concordat.trust.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileReader,
    bundles_between,
    decode_bundle,
    encode_bundle,
    join_tile,
    split_tile,
    tile_at,
    tiles_between,
)
from tests.unit.concordat.trust.log_builders import edited
from tests.unit.concordat.trust.reference_tree import ReferenceTree, leaf_hashes

LEAVES = leaf_hashes(70_000)
TREE = ReferenceTree(LEAVES)


def tiles_of(size: int) -> set[Tile]:
    """All hash tiles of a tree, straight from the specification."""
    tiles = set()
    for level in range(8):
        full, partial = divmod(size // 256**level, 256)
        tiles |= {Tile(level, index) for index in range(full)}
        if partial:
            tiles.add(Tile(level, full, partial))
    return tiles


def written(tile: Tile) -> bytes:
    """A tile's bytes by the specification's formula, with the reference's tree hashes."""
    span = 256**tile.level
    first = tile.index * WIDTH
    hashes = [TREE.root((first + i + 1) * span, (first + i) * span) for i in range(tile.width)]
    return b"".join(hashes)


# Paths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),  # the specification's own example
        (Tile(0, 1_234_067, 8), "tile/0/x001/x234/067.p/8"),
        (Tile(63, 5, 1), "tile/63/005.p/1"),
        (Tile(1, 0, 255), "tile/1/000.p/255"),
        (Tile(ENTRIES, 0), "tile/entries/000"),
        (Tile(ENTRIES, 273, 112), "tile/entries/273.p/112"),
        (Tile(0, 2**55 - 1), "tile/0/x036/x028/x797/x018/x963/967"),
    ],
)
def test_a_tile_stands_where_the_specification_says(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        *("", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/1000"),
        *("/tile/0/000", "tile/0/000/", "tile//000", "tile/0/000\n", " tile/0/000", "Tile/0/000"),
        *("tile/00/000", "tile/01/000", "tile/64/000", "tile/99/000", "tile/100/000"),
        *("tile/-1/000", "tile/+1/000", "tile/ENTRIES/000", "tile/x/000", "tile//0/000"),
        *("tile/0/x000/000", "tile/0/x000/x001/000", "tile/0/x0001/000", "tile/0/001/000"),
        *("tile/0/x001", "tile/0/x1/000", "tile/0/x001/x000", "tile/0/X001/000", "tile/0/-01"),
        *("tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/00", "tile/0/000.p/01"),
        *("tile/0/000.p/256", "tile/0/000.p/257", "tile/0/000.p/1000", "tile/0/000.p/-1"),
        *("tile/0/000.p/1/", "tile/0/000.P/1", "tile/0/000p/1", "tile/0/000.p/8.p/8"),
        *("tile/0/../0/000", "tile/0/000?x", "tile/0/000#", "tile/0/00\N{ARABIC-INDIC DIGIT ONE}"),
        "tile/\N{SUPERSCRIPT TWO}/000",
        "tile/0/x036/x028/x797/x018/x963/968",  # the first beyond 2**63 entries
        "tile/0/x001/x001/x001/x001/x001/x001/001",
        "tile/0/" + "x001/" * 1000 + "001",
    ],
)
def test_what_is_almost_a_tiles_path_is_refused(path: str) -> None:
    with pytest.raises(MalformedNoteError):
        Tile.parse(path)


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**55, 1), (0, 0, 0), (0, 0, 257), (0, 0, -1)],
)
def test_a_tile_that_no_log_has_is_none(level: int, index: int, width: int) -> None:
    with pytest.raises(MalformedNoteError):
        Tile(level, index, width)


@given(st.integers(ENTRIES, 63), st.integers(0, 2**55 - 1), st.integers(1, 256))
def test_a_path_is_read_as_it_was_written(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert Tile.parse(tile.path) == tile
    *_, last = tile.path.partition("/")[2].partition("/")
    digits = re.sub(r"[x/]", "", last.removesuffix(f".p/{width}"))
    assert (int(digits), len(digits) % 3) == (index, 0)


@settings(max_examples=300)
@given(edited(b"tile/0/x001/x234/067.p/8", b"tile/entries/000", b"tile/63/x001/000"))
def test_two_different_paths_never_read_alike(raw: bytes) -> None:
    path = raw.decode("utf-8", "surrogateescape")
    try:
        tile = Tile.parse(path)
    except MalformedNoteError:
        return
    assert tile.path == path


# Which tiles a tree has -------------------------------------------------------------------------


def test_a_tree_of_70000_has_the_tiles_of_the_specifications_example() -> None:
    found = tiles_between(0, 70_000)
    assert found == sorted(tiles_of(70_000))
    assert [sum(tile.level == level for tile in found) for level in range(4)] == [274, 2, 1, 0]
    assert [tile for tile in found if tile.width < WIDTH] == [
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert bundles_between(0, 70_000)[-1] == Tile(ENTRIES, 273, 112)


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above() -> None:
    assert tiles_between(0, 256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert tiles_between(0, 255) == [Tile(0, 0, 255)]


SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_279, 65_280, 65_535, 65_536, 65_537, 70_000]


@pytest.mark.parametrize("old", SIZES)
def test_growth_names_the_tiles_that_are_new_or_wider_and_no_other(old: int) -> None:
    for new in SIZES:
        if new < old:
            for between in (tiles_between, bundles_between):
                with pytest.raises(ValueError, match="does not grow"):
                    between(old, new)
            continue
        grown = tiles_of(new) - tiles_of(old)
        assert tiles_between(old, new) == sorted(grown)
        expected = [Tile(ENTRIES, tile.index, tile.width) for tile in grown if tile.level == 0]
        assert bundles_between(old, new) == sorted(expected)


@given(st.integers(0, 2**62), st.integers(0, 600))
def test_growth_far_out_names_only_what_grew(old: int, more: int) -> None:
    found = tiles_between(old, old + more)
    assert len(found) <= 4 + 2 * 8
    for tile in found:
        span = 256**tile.level
        assert old // span != (old + more) // span
        assert (tile.index * WIDTH + tile.width) * span <= old + more
        assert tile == tile_at(tile.level, tile.index, old + more)


@pytest.mark.parametrize(("old", "new"), [(-1, 5), (6, 5)])
def test_a_log_that_shrinks_has_no_new_tiles(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not grow"):
        tiles_between(old, new)


def test_a_tile_has_the_width_it_has_at_a_size() -> None:
    assert tile_at(0, 273, 70_000) == Tile(0, 273, 112)
    assert tile_at(0, 272, 70_000) == Tile(0, 272)
    assert tile_at(ENTRIES, 273, 70_000) == Tile(ENTRIES, 273, 112)
    assert tile_at(2, 0, 70_000) == Tile(2, 0, 1)


@pytest.mark.parametrize(
    ("level", "index", "size"),
    [(0, 274, 70_000), (3, 0, 70_000), (0, 0, 0), (0, 1, 256), (1, 0, 255), (0, -1, 70_000)],
)
def test_an_empty_tile_is_none(level: int, index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree"):
        tile_at(level, index, size)


# What tiles and bundles hold --------------------------------------------------------------------


def test_a_tile_is_its_hashes_one_after_the_other() -> None:
    assert split_tile(join_tile(LEAVES[:256]), 256) == LEAVES[:256]
    assert len(join_tile(LEAVES[:256])) == 8192
    assert split_tile(join_tile(LEAVES[:3]), 3) == LEAVES[:3]


@pytest.mark.parametrize("data", [b"", bytes(32), bytes(95), bytes(97), bytes(128), bytes(8192)])
def test_a_tile_of_another_width_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedNoteError, match="3 hashes"):
        split_tile(data, 3)


@pytest.mark.parametrize("hashes", [[], [bytes(31)], [bytes(33), bytes(31)], [bytes(32)] * 257])
def test_what_is_no_tile_is_not_written(hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="1 to 256 hashes"):
        join_tile(hashes)


def test_a_bundle_has_the_length_before_each_entry() -> None:
    assert encode_bundle([b"ab", b"", b"c" * 258]) == b"\0\2ab\0\0\1\2" + b"c" * 258
    longest = [bytes(65_535)]
    assert decode_bundle(encode_bundle(longest), 1) == longest


@pytest.mark.parametrize("entries", [[], [b""] * 257, [bytes(65_536)]])
def test_what_is_no_bundle_is_not_written(entries: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"1 to 256|no longer"):
        encode_bundle(entries)


@pytest.mark.parametrize(
    ("data", "width"),
    [
        (b"", 1),
        (b"\0", 1),
        (b"\0\1", 1),
        (b"\0\2a", 1),
        (b"\0\1ab", 1),  # a byte too many
        (b"\0\1a\0", 1),
        (b"\0\1a\0\0", 1),
        (b"\0\1a", 2),
        (b"\0\1a\0\1b", 3),
        (b"\xff\xff" + bytes(65_534), 1),
        (b"\0\0" * 300, 256),
    ],
)
def test_a_bundle_that_is_cut_or_overfull_is_refused(data: bytes, width: int) -> None:
    with pytest.raises(MalformedNoteError, match="bundle"):
        decode_bundle(data, width)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=20))
def test_a_bundle_is_read_as_it_was_written(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), len(entries)) == entries


@given(st.binary(max_size=40), st.integers(1, 20))
def test_two_different_bundles_never_read_alike(data: bytes, width: int) -> None:
    try:
        entries = decode_bundle(data, width)
    except MalformedNoteError:
        return
    assert encode_bundle(entries) == data


# Reading a tree from its tiles ------------------------------------------------------------------


def shelf(size: int) -> tuple[Callable[[Tile], bytes], list[Tile]]:
    """A fetch that has the tiles of a tree of `size` and no others, and what was fetched."""
    present = tiles_of(size)
    fetched: list[Tile] = []

    def fetch(tile: Tile) -> bytes:
        assert tile in present
        fetched.append(tile)
        return written(tile)

    return fetch, fetched


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 513])
def test_every_node_of_a_tree_is_read_from_its_tiles(size: int) -> None:
    tiles = TileReader(shelf(size)[0], size)
    for level in range(size.bit_length()):
        for index in range(size >> level):
            found = tiles.node(level, index)
            assert found == TREE.root((index + 1) << level, index << level), (level, index)
    assert [tiles.leaf_hash(index) for index in range(size)] == LEAVES[:size]


@pytest.mark.parametrize("size", [255, 256, 257, 65_535, 65_536, 65_537, 70_000])
def test_roots_and_proofs_made_from_tiles_are_right(size: int) -> None:
    tiles = TileReader(shelf(size)[0], size)
    root = TREE.root(size)
    assert merkle.root_at(size, tiles.node) == root
    for place in {0, 1, 254, 255, 256, size // 2, size - 257, size - 256, size - 2, size - 1}:
        if not 0 <= place < size:
            continue
        path = merkle.inclusion_proof(place, size, tiles.node)
        merkle.verify_inclusion(tiles.leaf_hash(place), place, size, path, root)
        proof = merkle.consistency_proof(place, size, tiles.node)
        merkle.verify_consistency(place, TREE.root(place), size, root, proof)


def test_a_proof_of_a_large_tree_needs_few_tiles() -> None:
    fetch, fetched = shelf(70_000)
    merkle.inclusion_proof(12_345, 70_000, TileReader(fetch, 70_000).node)
    assert sorted(fetched) == [
        Tile(0, 48),  # the leaf's neighbours
        Tile(0, 273, 112),  # the edge, level by level
        Tile(1, 0),
        Tile(1, 1, 17),
    ]


def test_a_tile_is_fetched_once_while_it_is_kept() -> None:
    fetch, fetched = shelf(70_000)
    tiles = TileReader(fetch, 70_000, cached=2)
    for index in (0, 1, 255, 256, 257, 0):
        tiles.leaf_hash(index)
    assert fetched == [Tile(0, 0), Tile(0, 1)]
    tiles.leaf_hash(512)  # the one unused for longest, tile 1, makes room
    tiles.leaf_hash(2)
    assert fetched == [Tile(0, 0), Tile(0, 1), Tile(0, 2)]
    tiles.leaf_hash(258)
    assert fetched[3:] == [Tile(0, 1)]


@pytest.mark.parametrize(
    ("level", "index"), [(0, 257), (8, 1), (9, 0), (1, 128), (-1, 0), (0, -1), (70, 0)]
)
def test_a_node_that_is_not_full_is_not_read(level: int, index: int) -> None:
    tiles = TileReader(shelf(257)[0], 257)
    with pytest.raises(ValueError, match="no full node"):
        tiles.node(level, index)


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(8192)])
def test_a_tile_served_too_short_or_too_wide_is_refused(data: bytes) -> None:
    tiles = TileReader(lambda _: data, 257)
    with pytest.raises(MalformedNoteError, match="1 hashes"):
        tiles.leaf_hash(256)


def test_a_bent_tile_proves_nothing() -> None:
    fetch, _ = shelf(700)

    def bent(tile: Tile) -> bytes:
        data = bytearray(fetch(tile))
        data[0] ^= 1
        return bytes(data)

    path = merkle.inclusion_proof(1, 700, TileReader(bent, 700).node)
    with pytest.raises(ProofInvalidError):
        merkle.verify_inclusion(LEAVES[1], 1, 700, path, TREE.root(700))


def test_a_log_that_writes_the_named_tiles_as_it_grows_has_all_tiles_right() -> None:
    stored: dict[str, bytes] = {}
    sizes = [0, 1, 100, 255, 256, 300, 512, 700, 66_000, 66_001, 70_000]
    for old, new in pairwise(sizes):
        for tile in tiles_between(old, new):
            stored[tile.path] = written(tile)
        tiles = TileReader(lambda tile: stored[tile.path], new)
        assert merkle.root_at(new, tiles.node) == TREE.root(new)
