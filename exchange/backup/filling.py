"""Writing a backup, which was checked, into an empty database: one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, select, update

from concordat.clock import to_micros
from exchange.backup.errors import BackupDamagedError, BackupError, Known
from exchange.backup.format import End, Header, Row, TableHead, read_backup
from exchange.backup.openable import require_openable
from exchange.backup.raw import (
    clear_what_init_made,
    first_filled,
    lock_all,
    next_numbers,
    write_rows,
)
from exchange.backup.rebuild import ConnectionTiles, rebuild
from exchange.backup.snapshot import Tell, silent
from exchange.log import table as log
from exchange.log.growth import TileDamagedError
from exchange.log.tile_store import FileTiles, TileStore, TileStoreError
from exchange.schema import clock_mark
from exchange.settings import LogSettings
from exchange.tables import metadata
from exchange.vault.keyring import Keyring

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: a checked file, and what goes beyond it.

    ``newest`` is a checkpoint that was published after the backup's and that its entries give; else None.
    ``clock_mark`` is a time, in microseconds, below which the exchange's clock must not fall. ``keyring`` is
    that of the settings, if there is one already.
    """

    file: Path
    end: End
    header: Header
    newest: Known | None
    clock_mark: int
    keyring: Keyring | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    """The log as it stands now: the signed checkpoint's size and root."""

    size: int
    root: bytes


def fill(engine: Engine, plan: Plan, settings: LogSettings, tell: Tell = silent) -> Filled:
    """Write everything; nothing stays in the database where this raises ``BackupError``.

    Tiles in files are written before the transaction ends: they are those of the log that is published
    already, or that goes on from it, so they do no harm should it fail.
    """
    with engine.begin() as connection:
        lock_all(connection)
        if (filled := first_filled(connection)) is not None:
            raise BackupError(f"the database was written to meanwhile: {filled} holds rows")
        clear_what_init_made(connection)
        _write(connection, plan, tell)
        if plan.keyring is not None:
            require_openable(connection, plan.keyring)
        next_numbers(connection)
        _raise_clock(connection, plan.clock_mark)
        return _settle_log(connection, plan, settings, tell)


def _write(connection: Connection, plan: Plan, tell: Tell) -> None:
    tables, done = {table.name: table for table in metadata.sorted_tables}, 0
    for name, rows in _batches(plan):
        write_rows(connection, tables[name], rows)
        done += len(rows)
        tell("restoring", done, plan.header.rows)


def _batches(plan: Plan) -> Iterator[tuple[str, list[Row]]]:
    """Yield rows of one table at a time; raise ``BackupDamagedError`` unless they are those that were checked."""
    name, rows = "", list[Row]()
    for part in read_backup(plan.file):
        if isinstance(part, list):
            rows.append(part)
            if len(rows) < _AT_ONCE:
                continue
        if rows:
            yield name, rows
            rows = []
        if isinstance(part, TableHead):
            name = part.name
        elif isinstance(part, End) and part != plan.end:
            raise BackupDamagedError(f"{plan.file.name} changed while it was read")


def _raise_clock(connection: Connection, least: int) -> None:
    """Let the mark be no earlier than that of the database that is replaced."""
    marked = connection.execute(select(func.max(clock_mark.c.at))).scalar_one()
    if marked is None and least:
        connection.execute(insert(clock_mark).values(id=1, at=least))
    elif marked is not None and marked < least:
        connection.execute(update(clock_mark).values(at=least))


def _settle_log(connection: Connection, plan: Plan, settings: LogSettings, tell: Tell) -> Filled:
    """Clear the sequencer's lease, go on from the newest checkpoint, make tiles, hash everything again."""
    state = log.state(connection, lock=True)
    if state is None:
        return Filled(plan.header.size, plan.header.root)
    log.set_state(connection, holder="", lease_until=0, epoch=state.epoch + 1)
    size, root, note = state.size, state.root, state.checkpoint
    if plan.newest is not None:
        size, root, note = plan.newest.size, plan.newest.root, plan.newest.checkpoint.note
        # Asked for again: the note is one witness's copy, and holds no other's cosignature.
        since = to_micros(plan.header.made_at)
        log.set_state(connection, size=size, root=root, checkpoint=note, unwitnessed_since=since)
    tiles: TileStore = (
        FileTiles(settings.folder) if settings.tiles == "files" else ConnectionTiles(connection)
    )
    try:
        if rebuild(connection, size, tiles, tell) != root:
            raise BackupDamagedError("what was restored does not give the log's checkpoint")
        if note:
            tiles.publish(connection, note)
    except (TileStoreError, TileDamagedError) as error:
        raise BackupError(f"the log's tiles cannot be made: {error}") from error
    return Filled(size, root)
