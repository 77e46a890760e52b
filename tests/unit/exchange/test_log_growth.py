"""Growing the tree tile by tile gives the tree of RFC 6962, whatever the sizes, and trusts nothing stored."""

import hashlib

import pytest

from concordat.trust import merkle
from concordat.trust.errors import MalformedNoteError
from concordat.trust.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileReader,
    bundles_between,
    decode_bundle,
    split_tile,
    tiles_between,
)
from exchange.log.growth import Read, TileDamagedError, fetch_from, grow, verify_bundle, verify_full

ENTRY = [hashlib.sha256(b"%d" % n).digest() for n in range(1000)]


def entries(first: int, end: int) -> list[bytes]:
    return [ENTRY[n % 1000] + b"%d" % n for n in range(first, end)]


def leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(entry) for entry in entries(0, size)]


def nothing(_path: str) -> bytes | None:
    """Read from an empty store."""
    return None


def reading(files: dict[str, bytes], path: str, data: bytes | bytearray) -> Read:
    """Return a way to read ``files`` with other bytes at one path."""
    return lambda asked: bytes(data) if asked == path else files.get(asked)


class Store:
    """Tiles in memory, as they are after batches of these sizes."""

    def __init__(self, *batches: int) -> None:
        self.files: dict[str, bytes] = {}
        self.size, self.root = 0, merkle.EMPTY_ROOT
        for count in batches:
            self.add(count)

    def add(self, count: int) -> set[Tile]:
        end = self.size + count
        grown = grow(self.size, self.root, entries(self.size, end), self.files.get)
        self.files |= {tile.path: data for tile, data in grown.tiles.items()}
        assert grown.size == end
        self.size, self.root = end, grown.root
        return set(grown.tiles)


@pytest.fixture(scope="module")
def many() -> list[bytes]:
    return leaves(66_700)


EDGES = (0, 1, 255, 256, 257, 511, 512)
COUNTS = (1, 2, 255, 256, 257, 511, 513, 1024)


@pytest.mark.parametrize("old", EDGES)
@pytest.mark.parametrize("count", COUNTS)
def test_the_root_and_the_tiles_are_those_of_the_plain_list(
    old: int, count: int, many: list[bytes]
) -> None:
    store = Store(old) if old else Store()
    written = store.add(count)
    size = old + count
    assert store.root == merkle.root_of(many[:size])
    assert written == {*tiles_between(old, size), *bundles_between(old, size)}
    for tile in written:
        data, first = store.files[tile.path], tile.index * WIDTH
        if tile.level == ENTRIES:
            assert decode_bundle(data, tile.width) == entries(first, first + tile.width)
        elif tile.level == 0:
            assert split_tile(data, tile.width) == many[first : first + tile.width]


@pytest.fixture(scope="module")
def large(many: list[bytes]) -> dict[int, Store]:
    """Return stores at the sizes where the second level of tiles fills up."""
    found: dict[int, Store] = {}
    store = Store(65_535)
    for size in (65_535, 65_536, 65_537):
        store.add(size - store.size) if size > store.size else None
        copy = Store()
        copy.files, copy.size, copy.root = dict(store.files), store.size, store.root
        found[size] = copy
    return found


@pytest.mark.parametrize("old", [65_535, 65_536, 65_537])
@pytest.mark.parametrize("count", [1, 2, 256, 1024])
def test_where_the_second_level_fills_up_the_root_is_still_that_of_the_plain_list(
    large: dict[int, Store], old: int, count: int, many: list[bytes]
) -> None:
    store = Store()
    store.files, store.size, store.root = dict(large[old].files), old, large[old].root
    assert store.root == merkle.root_of(many[:old])
    assert store.add(count) == {
        *tiles_between(old, old + count),
        *bundles_between(old, old + count),
    }
    assert store.root == merkle.root_of(many[: old + count])
    reader = TileReader(fetch_from(store.files.get), store.size)
    for index in (0, old - 1, old, store.size - 1):
        proof = merkle.inclusion_proof(index, store.size, reader.node)
        merkle.verify_inclusion(many[index], index, store.size, proof, store.root)
    proof = merkle.consistency_proof(old, store.size, reader.node)
    merkle.verify_consistency(old, large[old].root, store.size, store.root, proof)


def test_many_small_batches_and_one_large_one_give_the_same_files_and_root() -> None:
    one, many = Store(700), Store(*[7] * 100)
    assert one.root == many.root
    assert {path: many.files[path] for path in one.files} == one.files


def test_a_reader_of_the_grown_tree_proves_old_and_new_entries(many: list[bytes]) -> None:
    store = Store(300)
    grown = grow(300, store.root, entries(300, 900), store.files.get)
    assert grown.another_reader() is not grown.reader, "one for each thread"
    reader = grown.another_reader()
    for index in (0, 255, 256, 299, 300, 511, 512, 899):
        proof = merkle.inclusion_proof(index, 900, reader.node)
        merkle.verify_inclusion(many[index], index, 900, proof, grown.root)


def _kept(path: str) -> bool:
    """Tell whether a path is a full tile's, or of a level that is full nowhere yet."""
    return ".p/" not in path or path.startswith("tile/1/")


@pytest.mark.parametrize("size", [1, 255, 257, 300, 511])
@pytest.mark.parametrize("count", [1, 600])
def test_partial_tiles_that_are_gone_are_cut_from_the_full_ones(size: int, count: int) -> None:
    """As after a death between writing a larger tree's tiles and publishing it."""
    store, whole = Store(size), Store(size, 800)
    expected = Store(size, count)
    files = {path: data for path, data in whole.files.items() if _kept(path)}
    grown = grow(size, store.root, entries(size, size + count), files.get)
    assert (grown.size, grown.root) == (expected.size, expected.root)


# Damage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 255, 257, 600])
def test_every_byte_of_the_edge_matters(size: int) -> None:
    store = Store(size)
    edge = [path for path in store.files if ".p/" in path]
    for path in edge:
        data = store.files[path]
        for place in {0, len(data) // 2, len(data) - 1, *range(0, len(data), 97)}:
            bent = bytearray(data)
            bent[place] ^= 1
            with pytest.raises(TileDamagedError):
                grow(size, store.root, entries(0, 1), reading(store.files, path, bent))


def test_another_root_than_was_signed_is_damage() -> None:
    store = Store(300)
    with pytest.raises(TileDamagedError, match="do not hash to the root"):
        grow(300, b"\0" * 32, entries(0, 1), store.files.get)
    with pytest.raises(TileDamagedError):
        grow(0, b"\0" * 32, entries(0, 1), nothing)
    with pytest.raises(TileDamagedError, match="missing"):
        grow(300, store.root, entries(0, 1), nothing)


@pytest.mark.parametrize(
    ("tile", "index", "named"),
    [
        (Tile(0, 7), 7, Tile(0, 7)),
        (Tile(ENTRIES, 7), 7, Tile(ENTRIES, 7)),
        (Tile(1, 0), 7, Tile(0, 7)),
    ],
)
def test_a_full_tile_is_held_against_what_is_above_and_below_it(
    large: dict[int, Store], tile: Tile, index: int, named: Tile
) -> None:
    store = large[65_537]
    verify_full(index, store.size, store.files.get)
    bent = bytearray(store.files[tile.path])
    bent[index * 32 + 5] ^= 1
    with pytest.raises(TileDamagedError) as failure:
        verify_full(index, store.size, reading(store.files, tile.path, bent))
    assert failure.value.tile == named


def test_full_tiles_that_fit_each_other_and_not_what_is_above_them_are_damage(
    large: dict[int, Store],
) -> None:
    """The tile, its bundle and its hash in the tile above were replaced alike."""
    store, other = large[65_537], Store(256)
    entry = b"another"
    other.files, other.size, other.root = {}, 0, merkle.EMPTY_ROOT
    grown = grow(0, merkle.EMPTY_ROOT, [entry, *entries(1, 256)], nothing)
    files = dict(store.files)
    for tile in (Tile(0, 0), Tile(ENTRIES, 0)):
        files[tile.path] = grown.tiles[tile]
    above = Tile(1, 0)
    files[above.path] = grown.root + store.files[above.path][32:]
    with pytest.raises(TileDamagedError) as failure:
        verify_full(0, store.size, files.get)
    assert failure.value.tile == above


def test_a_bundle_is_read_only_as_its_tile_has_it() -> None:
    store, hashes = Store(300), leaves(300)
    bundle = Tile(ENTRIES, 1, 44)
    assert verify_bundle(bundle, hashes[256:], store.files.get) == entries(256, 300)
    for wrong in (hashes[255:299], hashes[256:299], [], hashes[256:][::-1]):
        with pytest.raises(TileDamagedError, match="do not hash"):
            verify_bundle(bundle, wrong, store.files.get)


def test_a_tile_that_is_nowhere_is_named() -> None:
    with pytest.raises(TileDamagedError, match=r"tile/0/000\.p/5: it is missing"):
        fetch_from(nothing)(Tile(0, 0, 5))
    with pytest.raises(MalformedNoteError):
        TileReader(fetch_from(reading({}, "tile/0/000", b"x" * 31)), 5).node(0, 0)
