"""Lookups by many keys: exact, in order, and by the key's index however many there are."""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    text,
)

from concordat.store.engine import open_engine
from concordat.store.lookup import Lookup

METADATA = MetaData()
ROWS = Table(
    "rows",
    METADATA,
    Column("ref", LargeBinary(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Integer, nullable=False),
)
BOTH = Lookup(lambda wanted: select(ROWS).where(wanted), ROWS.c.ref, ROWS.c.name)
REF_ALONE = Lookup(lambda wanted: select(ROWS).where(wanted), ROWS.c.ref)
KEYS = [(os.urandom(32), f"row {n}") for n in range(5000)]


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = open_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as connection:
        rows = [{"ref": ref, "name": name, "value": n} for n, (ref, name) in enumerate(KEYS)]
        connection.execute(insert(ROWS), rows)
        yield connection
    engine.dispose()


@pytest.mark.parametrize("count", [1, 2, 3, 128, 129, 4096, 5000])
def test_every_key_is_found_once_and_no_other(connection: Connection, count: int) -> None:
    unknown = [(KEYS[0][0], "another's name"), (bytes(32), KEYS[0][1])]
    found = BOTH.run(connection, [*KEYS[:count], *unknown, KEYS[0]])
    assert sorted(row.value for row in found) == list(range(count))


def test_no_keys_find_nothing(connection: Connection) -> None:
    assert BOTH.run(connection, []) == []


def test_a_key_of_one_column_will_do(connection: Connection) -> None:
    found = REF_ALONE.run(connection, [(ref,) for ref, _ in KEYS[:3]])
    assert {row.value for row in found} == {0, 1, 2}


def test_further_parameters_go_along(connection: Connection) -> None:
    above = Lookup(
        lambda wanted: select(ROWS).where(wanted, ROWS.c.value > bindparam("least")),
        ROWS.c.ref,
        ROWS.c.name,
    )
    assert {row.value for row in above.run(connection, KEYS[:5], least=2)} == {3, 4}


@pytest.mark.parametrize("count", [1, 2, 100])
def test_the_index_is_used_however_many_keys_there_are(connection: Connection, count: int) -> None:
    query = BOTH._make(1 << (count - 1).bit_length())
    compiled = query.compile(dialect=connection.dialect)
    values = dict.fromkeys(compiled.params, b"")
    plan = connection.execute(text(f"EXPLAIN QUERY PLAN {compiled_text(compiled)}"), values)
    steps = [row.detail for row in plan]
    assert steps[0].startswith("SEARCH rows USING INDEX")
    assert not any(step.startswith("SCAN rows") for step in steps)


def compiled_text(compiled: object) -> str:
    """Return the SQL with its parameters by name, as ``text`` takes them."""
    sql = str(compiled)
    for name in getattr(compiled, "positiontup", None) or []:
        sql = sql.replace("?", f":{name}", 1)
    return sql
