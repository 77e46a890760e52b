"""Opening the exchange's database with the keyring that what is kept of people hangs on."""

from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from concordat.store.engine import open_engine
from exchange.vault.cipher import attach
from exchange.vault.keyring import Keyring


def open_database(url: str, keyring: Keyring, path: Path | None = None) -> Engine:
    """Open the exchange's database; ``path`` is the keyring's file, read again where keys are rotated.

    SQLite overwrites what it deletes. Raises ``StoreError`` as ``open_engine``.
    """
    engine = open_engine(url)
    attach(engine, keyring, path)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _overwrite_what_is_deleted)
    return engine


def _overwrite_what_is_deleted(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def truncate_write_ahead_log(connection: Connection) -> bool:
    """Move SQLite's write-ahead log into the database and empty it; tell whether that was possible now.

    What an erasure overwrote is in it until then. Alone in its transaction; other databases have nothing
    to be done here.
    """
    if connection.dialect.name != "sqlite":
        return True
    busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return not busy
