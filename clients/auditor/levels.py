"""The tiles of level 1 and up: each hash in them is the root of a full tile below."""

from collections.abc import Sequence

from clients.auditor.errors import KeptUnusable, TileWrong
from clients.auditor.source import LogSource
from concordat.trust.merkle import Frontier, root_of
from concordat.trust.tiles import HEIGHT, WIDTH, Tile, join_tile, split_tile, tile_at


class UpperLevels:
    """Takes the roots of full level-0 tiles from left to right, and checks the tiles above as they fill."""

    def __init__(self, source: LogSource, size: int) -> None:
        """Check the tiles of a tree of ``size`` leaves, none of which was taken yet."""
        self._source = source
        self._size = size
        self._open: list[_OpenTile] = []  # one a level, from level 1

    def take_up(self, size: int, edge: Sequence[bytes]) -> None:
        """Go on after ``size`` leaves, a multiple of 256, whose right edge is known.

        What the tiles above hold of them is read again and must make up that edge.
        """
        levels = [level for level in range(1, 8) if size >> (HEIGHT * level)]
        self._open = [self._reopen(level, size) for level in levels]
        frontier = Frontier()
        for opened in reversed(self._open):
            for each in opened.hashes:
                frontier.extend(HEIGHT * opened.level, each)
            if frontier.hashes != tuple(edge[: len(frontier.hashes)]):
                path = tile_at(opened.level, opened.index, self._size).path
                raise TileWrong("it does not hold what was audited before", where=path)
        if len(frontier.hashes) != len(edge):
            raise KeptUnusable(
                "the kept state is not of one tree; delete it to audit from the start"
            )

    def add(self, root: bytes) -> None:
        """Take the root of the next full tile of level 0."""
        self._add(1, root)

    def finish(self) -> None:
        """Check the partial tiles at the right edge."""
        for opened in self._open:
            if opened.hashes:
                self._compare(opened)

    def _add(self, level: int, root: bytes) -> None:
        if len(self._open) < level:
            self._open.append(_OpenTile(level))
        opened = self._open[level - 1]
        opened.hashes.append(root)
        if len(opened.hashes) == WIDTH:
            self._compare(opened)
            full = root_of(opened.hashes)
            opened.hashes.clear()
            opened.index += 1
            self._add(level + 1, full)

    def _compare(self, opened: "_OpenTile") -> None:
        tile = Tile(opened.level, opened.index, len(opened.hashes))
        served = self._source.tile(tile)
        if served == join_tile(opened.hashes):
            return
        theirs = split_tile(served, tile.width)
        place = next(n for n, each in enumerate(opened.hashes) if each != theirs[n])
        below = Tile(tile.level - 1, tile.index * WIDTH + place).path
        text = f"hash {place} is not the root of {below}"
        raise TileWrong(text, where=tile.path, evidence={tile.path: served})

    def _reopen(self, level: int, size: int) -> "_OpenTile":
        index, width = divmod(size >> (HEIGHT * level), WIDTH)
        if not width:
            return _OpenTile(level, index)
        tile = tile_at(level, index, self._size)
        hashes = split_tile(self._source.tile(tile), tile.width)
        return _OpenTile(level, index, hashes[:width])


class _OpenTile:
    """A tile that is not full yet."""

    __slots__ = ("hashes", "index", "level")

    def __init__(self, level: int, index: int = 0, hashes: list[bytes] | None = None) -> None:
        self.level = level
        self.index = index
        self.hashes = hashes or []
