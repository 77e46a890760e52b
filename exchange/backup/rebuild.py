"""Making the log's tiles again from its entries."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from concordat.trust.merkle import EMPTY_ROOT
from concordat.trust.tiles import WIDTH, Tile
from exchange.backup.errors import BackupDamagedError
from exchange.backup.snapshot import Tell, silent
from exchange.log.growth import grow
from exchange.log.table import log_opening
from exchange.log.tile_store import TileStore, read_tile, write_tiles

AT_ONCE = 16 * WIDTH  # entries; what is held in memory


class ConnectionTiles:
    """Tiles in the database, within one transaction of the caller's."""

    def __init__(self, connection: Connection) -> None:
        """Use ``connection``."""
        self._connection = connection

    def read(self, path: str) -> bytes | None:
        """See ``TileStore``."""
        return read_tile(self._connection, path)

    def write(self, tiles: Mapping[Tile, bytes]) -> None:
        """See ``TileStore``."""
        write_tiles(self._connection, tiles)

    def publish(self, connection: Connection, note: bytes) -> None:
        """See ``TileStore``; the state holds the note."""


def rebuild(connection: Connection, size: int, tiles: TileStore, tell: Tell = silent) -> bytes:
    """Write all tiles of the first ``size`` entries again; return the root that they give.

    Raises ``BackupDamagedError`` where an entry is missing, ``TileStoreError`` where tiles can't be
    written, ``TileDamagedError`` where they don't come back as they were written.
    """
    done, root = 0, EMPTY_ROOT
    while done < size:
        entries = _entries(connection, done, min(done + AT_ONCE, size))
        grown = grow(done, root, entries, tiles.read)
        tiles.write(grown.tiles)
        done, root = grown.size, grown.root
        tell("making tiles", done, size)
    return root


def _entries(connection: Connection, first: int, end: int) -> list[bytes]:
    query = (
        select(log_opening.c.leaf_index, log_opening.c.entry)
        .where(log_opening.c.leaf_index >= first, log_opening.c.leaf_index < end)
        .order_by(log_opening.c.leaf_index)
    )
    rows = connection.execute(query).all()
    if [row.leaf_index for row in rows] != list(range(first, end)):
        raise BackupDamagedError(f"entries from {first} to {end} of the log are not all there")
    return [row.entry for row in rows]
