"""Where a backup is restored to: an empty database, or on SQLite a new one in the old one's place."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from google.protobuf.message import DecodeError
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url

from concordat import v1
from concordat.durable import flush
from concordat.store.engine import StoreError, migrate, open_engine
from concordat.store.exclusive import sqlite_file
from exchange.backup.errors import BackupError
from exchange.backup.raw import first_filled
from exchange.backup.snapshot import snapshot
from exchange.database import truncate_write_ahead_log
from exchange.migrations import SCRIPTS

_ERASURE = v1.LogEntryKind.LOG_ENTRY_KIND_ERASURE_REQUEST
_BESIDE = ("", "-wal", "-shm")  # a database's file, and those that SQLite keeps with it


@dataclass(frozen=True, slots=True)
class Left:
    """What a database that is to be replaced still tells: its checkpoint, its clock; or why it does not.

    ``latest_time`` is that of its log's last entry; times are microseconds. ``erasures`` were asked for by
    people, and are in no checkpoint yet.
    """

    checkpoint: bytes = b""
    latest_time: int = 0
    clock_mark: int = 0
    unreadable: str | None = None
    erasures: int = 0


def require_room(url: str, *, replace: bool) -> Left:
    """Return what is left in the database; raise ``BackupError`` where it may not be written over.

    That is where it holds anything and ``replace`` is not given, or it is not SQLite.
    """
    file = sqlite_file(url)
    if file is not None and not any(path.exists() for path in _all_of(file)):
        return Left()
    if file is not None and not file.exists() and not replace:
        raise BackupError(
            f"{file.name} is gone and what SQLite kept with it is not: --replace moves that aside"
        )
    if not replace:
        filled = _filled(url)
        if filled is not None:
            raise BackupError(_advice(file, filled))
        return Left()
    if file is None:
        raise BackupError(
            "--replace moves files, and this database is none: create an empty database, "
            "and name it in the settings"
        )
    return _left_in(url)


def _advice(file: Path | None, filled: str) -> str:
    if file is None:
        return (
            f"the database is not empty ({filled} holds rows): create an empty one, name it in the "
            "settings, and keep this one until all is well"
        )
    return (
        f"{file.name} is not empty ({filled} holds rows): --replace moves it aside, "
        "or name another file in the settings"
    )


def _filled(url: str) -> str | None:
    if sqlite_file(url) is not None:
        with snapshot(url) as connection:
            return first_filled(connection)
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return first_filled(connection)
    finally:
        engine.dispose()


def _left_in(url: str) -> Left:
    try:
        with snapshot(url) as connection:
            mark = connection.exec_driver_sql("SELECT max(at) FROM clock_mark").scalar_one()
            log = connection.exec_driver_sql(
                "SELECT checkpoint, latest_time FROM log_state"
            ).first()
            erasures = _erasures_not_signed(connection)
    except (StoreError, DecodeError) as error:
        return Left(unreadable=str(error))
    note, latest = (b"", 0) if log is None else log
    return Left(bytes(note), latest, mark or 0, erasures=erasures)


def _erasures_not_signed(connection: Connection) -> int:
    waiting: int = connection.exec_driver_sql(
        "SELECT count(*) FROM log_queue WHERE kind = ?", (_ERASURE,)
    ).scalar_one()
    entries = connection.exec_driver_sql(
        "SELECT entry FROM log_opening, log_state WHERE leaf_index >= size"
    ).scalars()
    return waiting + sum(v1.LogEntry.FromString(entry).kind == _ERASURE for entry in entries)


@dataclass(slots=True)
class Place:
    """A database at the newest schema, to be filled; ``moved_to`` is where the old one went, once it did."""

    engine: Engine
    moved_to: Path | None = None


@contextmanager
def place_for(url: str, now: datetime, *, replace: bool) -> Iterator[Place]:
    """Yield a database to fill in one transaction; where the block raises, the old state stays.

    On SQLite a new file is filled and then takes the place of what was there, which is moved aside. An
    empty database that is there already, and any on PostgreSQL, is filled where it is.
    """
    file = sqlite_file(url)
    if file is None or (file.exists() and not replace):
        engine = open_engine(url)
        try:
            migrate(engine, SCRIPTS)
            yield Place(engine)
        finally:
            engine.dispose()
        return
    beside = file.with_name(f"{file.name}.restored")
    _remove(beside)
    engine = open_engine(make_url(url).set(database=str(beside)).render_as_string(False))  # noqa: FBT003 - positional there
    place = Place(engine)
    try:
        migrate(engine, SCRIPTS)
        yield place
        with engine.connect() as connection:
            truncate_write_ahead_log(connection)
        engine.dispose()
        place.moved_to = _move_aside(file, now)
        beside.rename(file)
        flush(file.parent)
    finally:
        engine.dispose()
        _remove(beside)


def _move_aside(file: Path, now: datetime) -> Path | None:
    """Move a database and its log away together: a log left behind would be taken for the new one's."""
    if not any(path.exists() for path in _all_of(file)):
        return None
    stem, number = f"{file.name}.replaced-{now:%Y%m%dT%H%M%SZ}", 1
    aside = file.with_name(stem)
    while any(path.exists() for path in _all_of(aside)):
        number += 1
        aside = file.with_name(f"{stem}-{number}")
    for old, new in reversed(list(zip(_all_of(file), _all_of(aside), strict=True))):
        if old.exists():
            old.rename(new)
    flush(file.parent)
    return aside


def _all_of(file: Path) -> list[Path]:
    return [file.with_name(file.name + end) for end in _BESIDE]


def _remove(file: Path) -> None:
    for path in _all_of(file):
        with suppress(FileNotFoundError):
            path.unlink()
