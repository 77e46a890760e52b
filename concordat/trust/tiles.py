"""Tiles and entry bundles of a log (https://c2sp.org/tlog-tiles, v0.1.0).

A hash tile holds up to 256 consecutive subtree roots, each over ``256**level`` leaves; a bundle holds
up to 256 entries.
"""

import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from concordat.trust.errors import MalformedNoteError
from concordat.trust.merkle import HASH_BYTES, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRIES = -1
MAX_ENTRY_BYTES = 0xFFFF

_MAX_LEVEL = 63
_MAX_INDEX = (1 << 63) // WIDTH - 1  # sizes are below 2**63
_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_LENGTH = struct.Struct(">H")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Which tile: its level (0 to 63, or ``ENTRIES``), its index in the level, its width (1 to 256)."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Refuse a tile that no log has."""
        if not ENTRIES <= self.level <= _MAX_LEVEL:
            raise MalformedNoteError("a tile's level is from 0 to 63")
        if not 0 <= self.index <= _MAX_INDEX:
            raise MalformedNoteError("a tile's index is outside a log of 2**63 entries")
        if not 1 <= self.width <= WIDTH:
            raise MalformedNoteError("a tile's width is from 1 to 256")

    @property
    def path(self) -> str:
        """The path below a log's prefix: ``tile/0/x001/x234/067.p/8``, ``tile/entries/000``."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        *groups, last = f"{self.index:,}".split(",")
        index = "".join(f"x{int(group):03}/" for group in groups) + f"{int(last):03}"
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{index}{partial}"

    @classmethod
    def parse(cls, path: str) -> "Tile":
        """Parse a path; raise ``MalformedNoteError`` for any but the one that ``path`` gives back."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise MalformedNoteError("the path names no tile")
        level = ENTRIES if match["level"] == "entries" else int(match["level"])
        index = int(re.sub("[x/]", "", match["index"]))
        tile = cls(level, index, int(match["width"] or WIDTH))
        if tile.path != path:  # a needless `x000`, or `.p/256`
            raise MalformedNoteError("the path is not the canonical one of its tile")
        return tile


def tile_at(level: int, index: int, size: int) -> Tile:
    """Return a tile with the width it has in a tree of ``size``; raise ``ValueError`` where it is empty."""
    width = min(WIDTH, (size >> HEIGHT * max(level, 0)) - index * WIDTH)
    if index < 0 or width < 1:
        raise ValueError(f"tile {index} of level {level} is not in a tree of {size} leaves")
    return Tile(level, index, width)


def tiles_between(old_size: int, new_size: int) -> list[Tile]:
    """Return the hash tiles, bottom level first, that are new or wider in a tree grown to ``new_size``."""
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a log does not grow from {old_size} to {new_size}")
    found: list[Tile] = []
    level = 0
    while new_size >> HEIGHT * level != old_size >> HEIGHT * level:
        found.extend(_grown(level, old_size, new_size))
        level += 1
    return found


def bundles_between(old_size: int, new_size: int) -> list[Tile]:
    """Return the entry bundles that are new or wider in a log grown to ``new_size``."""
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a log does not grow from {old_size} to {new_size}")
    return list(_grown(ENTRIES, old_size, new_size)) if old_size != new_size else []


def _grown(level: int, old_size: int, new_size: int) -> Iterator[Tile]:
    shift = HEIGHT * max(level, 0)
    first, end = old_size >> shift, new_size >> shift  # hashes or entries of the level
    for index in range(first // WIDTH, (end - 1) // WIDTH + 1):
        yield tile_at(level, index, new_size)


def split_tile(data: bytes, width: int) -> list[bytes]:
    """Return the hashes of a tile; raise ``MalformedNoteError`` unless there are ``width`` of them."""
    if len(data) != width * HASH_BYTES:
        raise MalformedNoteError(f"the tile does not hold {width} hashes")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def join_tile(hashes: Sequence[bytes]) -> bytes:
    """Return the bytes of a tile of 1 to 256 hashes; raise ``ValueError`` if they are none."""
    if not 1 <= len(hashes) <= WIDTH or any(len(each) != HASH_BYTES for each in hashes):
        raise ValueError("a tile is made of 1 to 256 hashes of 32 bytes")
    return b"".join(hashes)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return a bundle of 1 to 256 entries of up to 65,535 bytes; raise ``ValueError`` beyond that."""
    if not 1 <= len(entries) <= WIDTH:
        raise ValueError("a bundle is made of 1 to 256 entries")
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise ValueError(f"an entry is no longer than {MAX_ENTRY_BYTES} bytes")
    return b"".join([_LENGTH.pack(len(entry)) + entry for entry in entries])


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """Return a bundle's entries; raise ``MalformedNoteError`` unless it is ``width`` of them and no more."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        begin = at + _LENGTH.size
        if begin > len(data):
            raise MalformedNoteError("the bundle ends within a length")
        at = begin + _LENGTH.unpack_from(data, at)[0]
        if at > len(data):
            raise MalformedNoteError("the bundle ends within an entry")
        entries.append(data[begin:at])
    if len(entries) != width:
        raise MalformedNoteError(f"the bundle does not hold {width} entries")
    return entries


class TileReader:
    """Reads the nodes of a tree of ``size`` leaves from its tiles.

    ``fetch`` is given a tile and returns its bytes, exactly as wide as asked. What is read counts for
    nothing until a proof made of it leads to a signed root.
    """

    def __init__(self, fetch: Callable[[Tile], bytes], size: int, *, cached: int = 256) -> None:
        """Keep up to ``cached`` tiles parsed, some 35 KB each."""
        self._fetch = fetch
        self._size = size
        self._cached = cached
        self._tiles: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()

    def node(self, level: int, index: int) -> bytes:
        """Return the root of the full subtree of ``2**level`` leaves from leaf ``index << level``.

        Raises ``ValueError`` where the subtree is not within the tree, ``MalformedNoteError`` where the
        tile is not as wide as it should be, and what ``fetch`` raises.
        """
        # Each proof reads some twenty nodes, nearly all from tiles that are here: no `Tile` is made for them.
        if level < 0 or index < 0 or (index + 1) << level > self._size:
            raise ValueError(f"no full node {index} of level {level} in {self._size} leaves")
        above = level % HEIGHT
        key = level // HEIGHT, index >> (HEIGHT - above)
        levels = self._tiles.get(key)
        if levels is None:
            levels = self._read(*key)
        else:
            self._tiles.move_to_end(key)
        while (
            len(levels) <= above
        ):  # those above the tile's own hashes are made when first asked for
            below = levels[-1]
            levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
        return levels[above][index & (WIDTH >> above) - 1]

    def leaf_hash(self, index: int) -> bytes:
        """Return the hash of leaf ``index``; raises as ``node`` does."""
        return self.node(0, index)

    def _read(self, level: int, index: int) -> list[list[bytes]]:
        tile = tile_at(level, index, self._size)
        levels = [split_tile(self._fetch(tile), tile.width)]
        self._tiles[level, index] = levels
        if len(self._tiles) > self._cached:
            self._tiles.popitem(last=False)
        return levels
