"""The keyring of the databases that an exchange is tested over; the same in every process of a test."""

import sqlite3
from functools import cache
from typing import cast

from sqlalchemy import Connection, Engine, create_engine, make_url, text

from concordat.store.engine import migrate
from exchange.database import open_database
from exchange.migrations import SCRIPTS
from exchange.vault.keyring import Keyring

KEYRING = Keyring(bytes(range(64)), {1: b"wrapping key of all these tests."})


def exchange_engine(url: str) -> Engine:
    """Open an exchange's database with the tests' keyring."""
    return open_database(url, KEYRING)


def to_newest_schema(engine: Engine) -> None:
    """Bring an empty database to the newest schema.

    SQLite's by copying one: migrating takes longer than most tests.
    """
    if engine.dialect.name != "sqlite":
        migrate(engine, SCRIPTS)
        return
    with engine.connect() as connection:
        _migrated().backup(_driver(connection))


def prepared(url: str) -> str:
    """Bring the empty database of a URL to the newest schema; return the URL."""
    engine = exchange_engine(url)
    to_newest_schema(engine)
    engine.dispose()
    return url


def own_postgres(server_url: str, name: str) -> str:
    """Make a database of its own, with nothing in it, on a PostgreSQL server; return its URL."""
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@cache
def _migrated() -> sqlite3.Connection:
    engine = exchange_engine("sqlite://")
    migrate(engine, SCRIPTS)
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    with engine.connect() as connection:
        _driver(connection).backup(kept)
    engine.dispose()
    return kept


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)
