"""Opening a database: SQLite for one process, PostgreSQL for more."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Dialect, Engine, LargeBinary, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool


class StoreError(Exception):
    """The database cannot be opened or is not at the schema this version needs; the text says what to do."""


class _PlainBytes(LargeBinary):
    """Bytes as they are: SQLite's driver takes them, and to wrap each costs as much as to write it."""

    def bind_processor(self, dialect: Dialect) -> None:
        del dialect


def open_engine(url: str) -> Engine:
    """Open a database by its SQLAlchemy URL: ``sqlite:///path`` or ``postgresql+psycopg://…``.

    SQLite gets WAL, ``synchronous=FULL`` and exactly one connection: the SQLite of many Python builds
    (before 3.51.3) can lose data with several connections in WAL mode. Use it from one thread at a time.
    Errors of either never quote the parameters: they hold personal data, and errors end in logs.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("the database URL does not parse; see the settings table") from error
    if parsed.get_backend_name() != "sqlite":
        try:
            return create_engine(parsed, pool_pre_ping=True, pool_size=2, hide_parameters=True)
        except (ArgumentError, ModuleNotFoundError) as error:
            raise StoreError(
                f"no driver for {parsed.drivername}: write postgresql+psycopg://user@host/name"
            ) from error
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        parsed,
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )
    engine.dialect.colspecs = {**engine.dialect.colspecs, LargeBinary: _PlainBytes}
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def migrate(engine: Engine, scripts: Path) -> None:
    """Bring the database to the newest schema of ``scripts`` (an Alembic directory)."""
    with engine.begin() as connection:
        config = _config(scripts)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require_current(engine: Engine, scripts: Path) -> None:
    """Raise ``StoreError`` unless the database answers and is at the newest schema."""
    newest = ScriptDirectory.from_config(_config(scripts)).get_current_head()
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise StoreError(f"the database does not answer: {error.__class__.__name__}") from error
    if found != newest:
        raise StoreError(f"the schema is at {found or 'nothing'}, not {newest}: run init first")


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return config
