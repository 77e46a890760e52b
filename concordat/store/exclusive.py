"""One process at a time on an embedded database."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from concordat.store.engine import StoreError


class DatabaseInUseError(StoreError):
    """Another process has the SQLite database open."""


@contextmanager
def only_process(url: str) -> Iterator[None]:
    """Hold a SQLite database for this process alone, or raise ``DatabaseInUseError``.

    Two processes writing one SQLite database can lose data (see ``open_engine``). The lock is on a file
    beside the database and ends with the process. PostgreSQL is shared and needs none.
    """
    database = sqlite_file(url)
    if database is None:
        yield
        return
    in_use = DatabaseInUseError(
        f"another process holds {database.name}: stop it first, or use PostgreSQL, "
        "which several processes may share"
    )
    with held(database, in_use):
        yield


@contextmanager
def held(path: Path, taken: Exception) -> Iterator[None]:
    """Hold the lock of a file, which lies beside it; raise ``taken`` where another process has it.

    It ends with the block, or with the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise taken from error
        yield
    finally:
        os.close(descriptor)  # which also lets the lock go


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for another database, or one in memory."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("the database URL does not parse; see the settings table") from error
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        return None
    return Path(str(parsed.database))
