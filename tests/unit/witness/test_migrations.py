"""The migrations make exactly the tables that the code declares."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from concordat.store.engine import migrate, open_engine, require_current
from witness import MIGRATIONS
from witness.schema import metadata


def test_the_newest_schema_is_the_declared_one(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'witness.db'}")
    migrate(engine, MIGRATIONS)
    migrate(engine, MIGRATIONS)
    require_current(engine, MIGRATIONS)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_table_names()) >= set(metadata.tables)
    engine.dispose()
