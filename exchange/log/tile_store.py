"""Where tiles, bundles and the checkpoint are kept: files that any web server can serve, or the database.

What is read back is trusted for nothing: the sequencer hashes it again before it signs.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.trust.tiles import WIDTH, Tile
from exchange.log.table import log_tile, state

T = TypeVar("T")

CHECKPOINT = "checkpoint"


class TileStoreError(Exception):
    """Tiles cannot be read or written now; the text says which and why. Nothing was signed."""


class TileStore(Protocol):
    """Keeps a log's static resources by path."""

    def read(self, path: str) -> bytes | None:
        """Return what is there, None where nothing is; raise ``TileStoreError``."""

    def write(self, tiles: Mapping[Tile, bytes]) -> None:
        """Keep tiles durably, each whole or not at all; raise ``TileStoreError``."""

    def publish(self, connection: Connection, note: bytes) -> None:
        """Make ``note`` the checkpoint, within the transaction that records it; raise ``TileStoreError``."""


class FileTiles:
    """A directory, laid out as it is served."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``, made when first written to."""
        self._folder = folder
        # Its own name for what is half written: another process may be writing the same tile.
        self._suffix = f".{os.getpid()}-{secrets.token_hex(4)}.new"

    def read(self, path: str) -> bytes | None:
        """See ``TileStore``."""
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise TileStoreError(f"cannot read {path}: {error.strerror}") from error

    def write(self, tiles: Mapping[Tile, bytes]) -> None:
        """See ``TileStore``. A full tile takes the place of the partial ones of the tile before it."""
        folders: set[Path] = set()
        try:
            for tile, data in tiles.items():
                self._replace(tile.path, data)
                folders.add((self._folder / tile.path).parent)
            for folder in folders:
                _sync(folder)
            for tile in tiles:
                if tile.width == WIDTH and tile.index:
                    self._drop_partials(Tile(tile.level, tile.index - 1))
        except OSError as error:
            raise TileStoreError(f"cannot write the log's tiles: {error.strerror}") from error

    def publish(self, connection: Connection, note: bytes) -> None:
        """See ``TileStore``."""
        del connection
        try:
            self._replace(CHECKPOINT, note)
            _sync(self._folder)
        except OSError as error:
            raise TileStoreError(f"cannot publish the checkpoint: {error.strerror}") from error

    def _replace(self, path: str, data: bytes) -> None:
        """Write beside, make durable, then rename: a reader finds the old or the new, never half of one."""
        final = self._folder / path
        beside = final.with_name(final.name + self._suffix)
        _make(final.parent)
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fdatasync(file.fileno())
            beside.replace(final)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise

    def _drop_partials(self, full: Tile) -> None:
        """Delete the partial forms of a tile that is full; a client that wants one takes the full one."""
        shutil.rmtree(self._folder / f"{full.path}.p", ignore_errors=True)


def _make(folder: Path) -> None:
    """Make a folder, durably: a file in it is lost with the folder's own name."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DatabaseTiles:
    """The exchange's own database: one thing less to back up, and shared by several processes."""

    def __init__(self, store: GroupCommit) -> None:
        """Keep tiles through ``store``; never call this from its own thread."""
        self._store = store

    def read(self, path: str) -> bytes | None:
        """See ``TileStore``."""
        return self._run(f"read {path}", lambda connection: read_tile(connection, path))

    def write(self, tiles: Mapping[Tile, bytes]) -> None:
        """See ``TileStore``."""
        self._run("write the log's tiles", lambda connection: write_tiles(connection, tiles))

    def publish(self, connection: Connection, note: bytes) -> None:
        """See ``TileStore``; the state, written in the same transaction, holds the note."""

    def _run(self, what: str, work: Callable[[Connection], T]) -> T:
        try:
            return self._store.run(work)
        except Refusal as error:
            raise TileStoreError(f"cannot {what}: {error}") from error


def read_tile(connection: Connection, path: str) -> bytes | None:
    """Return what the database keeps under ``path``, the checkpoint too; None where nothing is."""
    if path == CHECKPOINT:
        row = state(connection)
        return row.checkpoint or None if row is not None else None
    query = select(log_tile.c.data).where(log_tile.c.path == path)
    return connection.execute(query).scalar_one_or_none()


def write_tiles(connection: Connection, tiles: Mapping[Tile, bytes]) -> None:
    """Keep tiles in the database; a full one takes the place of the partial ones of the tile before it."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(log_tile)
    statement = statement.on_conflict_do_update(
        index_elements=[log_tile.c.path], set_={"data": statement.excluded.data}
    )
    connection.execute(statement, [{"path": t.path, "data": data} for t, data in tiles.items()])
    for tile in tiles:
        if tile.width == WIDTH and tile.index:
            partials = Tile(tile.level, tile.index - 1).path + ".p/"
            connection.execute(delete(log_tile).where(log_tile.c.path.startswith(partials)))
