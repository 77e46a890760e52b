"""Growing the tree by a batch: which tiles change, and the root they give. Pure, over what is read back.

Nothing that was read counts before it was hashed again and gave the root that was signed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from concordat.trust import merkle
from concordat.trust.errors import MalformedNoteError
from concordat.trust.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileReader,
    decode_bundle,
    encode_bundle,
    join_tile,
    split_tile,
    tile_at,
)

Read = Callable[[str], bytes | None]


class TileDamagedError(Exception):
    """A stored tile or bundle is missing or is not what was signed: ``tile`` names it."""

    def __init__(self, tile: Tile | None, detail: str) -> None:
        """Find ``tile`` damaged; None where several together do not give the signed root."""
        where = tile.path if tile is not None else "the tiles at the log's edge"
        super().__init__(f"{where}: {detail}")
        self.tile = tile


@dataclass(frozen=True, slots=True)
class Grown:
    """A tree that grew: its size and root, the tiles to write, and a reader of its nodes, for one thread."""

    size: int
    root: bytes
    tiles: dict[Tile, bytes]
    reader: TileReader
    fetch: Callable[[Tile], bytes]

    def another_reader(self) -> TileReader:
        """Return a reader for another thread."""
        return TileReader(self.fetch, self.size)


def fetch_from(read: Read) -> Callable[[Tile], bytes]:
    """Return a fetch for ``TileReader``: a partial tile that is gone is cut from the full one."""

    def fetch(tile: Tile) -> bytes:
        data = read(tile.path)
        if data is None and tile.width < WIDTH:
            full = read(Tile(tile.level, tile.index).path)
            data = full and full[: tile.width * merkle.HASH_BYTES]
        if data is None:
            raise TileDamagedError(tile, "it is missing")
        return data

    return fetch


def grow(old_size: int, old_root: bytes, entries: Sequence[bytes], read: Read) -> Grown:
    """Append ``entries`` to a tree of ``old_size`` whose signed root is ``old_root``.

    The tiles at the edge are read back and hashed again first. Raises ``TileDamagedError`` where they do
    not give that root.
    """
    read = _once(read)
    last = _verified_edge(old_size, old_root, read)
    tiles = {**_bundles(old_size, [*last, *entries]), **_hashes(old_size, entries, read)}
    paths = {tile.path: data for tile, data in tiles.items()}
    size = old_size + len(entries)
    fetch = fetch_from(lambda path: paths.get(path) or read(path))
    reader = TileReader(fetch, size)
    return Grown(size, merkle.root_at(size, reader.node), tiles, reader, fetch)


def _once(read: Read) -> Read:
    """Return ``read`` that remembers: what was verified is what is built on, whatever the disk says next."""
    known: dict[str, bytes | None] = {}

    def remembered(path: str) -> bytes | None:
        if path not in known:
            known[path] = read(path)
        return known[path]

    return remembered


def _verified_edge(size: int, root: bytes, read: Read) -> list[bytes]:
    """Return the entries of the last bundle if that is partial, else none.

    Raises ``TileDamagedError`` unless the tiles at the edge give the signed root, and the bundle the hashes.
    """
    try:
        reader = TileReader(fetch_from(read), size)
        found = merkle.root_at(size, reader.node) if size else merkle.EMPTY_ROOT
    except MalformedNoteError as error:
        raise TileDamagedError(None, str(error)) from error
    if found != root:
        raise TileDamagedError(None, "they do not hash to the root that was signed")
    if size % WIDTH == 0:
        return []
    index = size // WIDTH
    tile = tile_at(0, index, size)
    hashes = split_tile(fetch_from(read)(tile), tile.width)
    return verify_bundle(tile_at(ENTRIES, index, size), hashes, read)


def verify_full(index: int, size: int, read: Read) -> None:
    """Hash one full level-0 tile, its bundle and the full tiles above it again.

    Raises ``TileDamagedError`` where one is damaged. The tiles that are not full are the edge's.
    """
    fetch = fetch_from(read)
    reader = TileReader(fetch, size)
    level, place = 0, index
    while (place + 1) * WIDTH <= size >> (8 * level):
        tile = Tile(level, place)
        try:
            hashes = split_tile(fetch(tile), WIDTH)
            above = reader.node(8 * (level + 1), place)
        except MalformedNoteError as error:
            raise TileDamagedError(tile, str(error)) from error
        if merkle.root_of(hashes) != above:
            raise TileDamagedError(tile, "it does not hash to the tile above it")
        if level == 0:
            verify_bundle(Tile(ENTRIES, index), hashes, read)
        level, place = level + 1, place // WIDTH


def verify_bundle(bundle: Tile, hashes: Sequence[bytes], read: Read) -> list[bytes]:
    """Return a bundle's entries; raise ``TileDamagedError`` unless they hash to ``hashes``."""
    entries = _entries(bundle, read)
    if [merkle.leaf_hash(entry) for entry in entries] != list(hashes):
        raise TileDamagedError(bundle, "its entries do not hash to its tile")
    return entries


def _entries(bundle: Tile, read: Read) -> list[bytes]:
    """Return a bundle's entries; a partial bundle that is gone is cut from the full one."""
    for each in (bundle, Tile(ENTRIES, bundle.index)):
        data = read(each.path)
        if data is not None:
            try:
                return decode_bundle(data, each.width)[: bundle.width]
            except MalformedNoteError as error:
                raise TileDamagedError(each, str(error)) from error
    raise TileDamagedError(bundle, "it is missing")


def _bundles(old_size: int, whole: Sequence[bytes]) -> dict[Tile, bytes]:
    """Return the bundles that change; ``whole`` begins with the entries of the last partial one."""
    first = old_size // WIDTH
    return {
        Tile(ENTRIES, first + at // WIDTH, len(whole[at : at + WIDTH])): encode_bundle(
            whole[at : at + WIDTH]
        )
        for at in range(0, len(whole), WIDTH)
    }


def _hashes(old_size: int, entries: Sequence[bytes], read: Read) -> dict[Tile, bytes]:
    """Return the hash tiles that change, level by level; a full one gives a hash to the level above."""
    tiles: dict[Tile, bytes] = {}
    fetch = fetch_from(read)
    level, new = 0, [merkle.leaf_hash(entry) for entry in entries]
    while new:
        first, have = divmod(old_size >> (8 * level), WIDTH)
        before: list[bytes] = []
        if have:
            partial = tile_at(level, first, old_size)
            before = split_tile(fetch(partial), partial.width)
        whole = [*before, *new]
        new = []
        for at in range(0, len(whole), WIDTH):
            hashes = whole[at : at + WIDTH]
            tiles[Tile(level, first + at // WIDTH, len(hashes))] = join_tile(hashes)
            if len(hashes) == WIDTH:
                new.append(merkle.root_of(hashes))
        level += 1
    return tiles
