"""Rows written many at a time are the rows that SQLAlchemy would write."""

from pathlib import Path

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from concordat.store.bulk import Statement, execute_many
from concordat.store.engine import open_engine

METADATA = MetaData()
TABLE = Table(
    "thing",
    METADATA,
    Column("ref", LargeBinary(2), primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(8), nullable=False),
    Column("seen", Boolean, nullable=False),
    Column("note", LargeBinary),
)
INSERT = insert(TABLE)
UPDATE = (
    update(TABLE)
    .where(TABLE.c.ref == bindparam("key_ref"), TABLE.c.id == bindparam("key_id"))
    .values(name=bindparam("new_name"), note=bindparam("new_note"))
)
CLEAR = (
    update(TABLE)
    .where(TABLE.c.ref == bindparam("key_ref"), TABLE.c.id == bindparam("key_id"))
    .values(name="cleared")
)
DELETE = delete(TABLE).where(TABLE.c.ref == bindparam("key_ref"), TABLE.c.id == bindparam("key_id"))
ROWS = [
    {"ref": b"\x00\xff", "id": n, "name": "no'body", "seen": n % 2 == 0, "note": None}
    for n in range(5)
]
KEYS: list[dict[str, object]] = [{"key_ref": b"\x00\xff", "key_id": n} for n in (3, 1)]


def _by_sqlalchemy(
    connection: Connection, statement: Statement, rows: list[dict[str, object]]
) -> None:
    connection.execute(statement, rows)


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        (UPDATE, [{**key, "new_note": b"\x01", "new_name": "new"} for key in KEYS]),
        (CLEAR, KEYS),
        (DELETE, KEYS),
    ],
)
def test_rows_are_written_as_sqlalchemy_writes_them(
    statement: Statement, rows: list[dict[str, object]], tmp_path: Path
) -> None:
    found = []
    for number, write in enumerate((_by_sqlalchemy, execute_many)):
        engine = open_engine(f"sqlite:///{tmp_path / str(number)}")
        METADATA.create_all(engine)
        with engine.begin() as connection:
            write(connection, INSERT, [dict(row) for row in ROWS])
            write(connection, statement, rows)
            found.append(connection.execute(select(TABLE)).all())
        engine.dispose()
    assert found[0] == found[1]
    assert found[0] != [tuple(row.values()) for row in ROWS]


def test_no_rows_write_nothing() -> None:
    engine = open_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        execute_many(connection, INSERT, [])
        assert not connection.execute(select(TABLE)).all()
    engine.dispose()


def test_a_row_that_is_there_already_is_an_integrity_error_that_quotes_no_value() -> None:
    engine = open_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as connection, pytest.raises(IntegrityError) as caught:
        execute_many(connection, INSERT, [ROWS[0], ROWS[0]])
    assert "no'body" not in str(caught.value)
    engine.dispose()
