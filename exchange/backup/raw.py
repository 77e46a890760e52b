"""Rows as they lie in the database, sealed and keyed as they are; nothing is converted on the way."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Table, inspect

from exchange.backup.format import Row, TableHead, Value
from exchange.tables import metadata

ENTRIES = "log_opening"
_MADE_BY_INIT = frozenset({"keyring_mark", "binding_cursor"})  # there before anything else is
_AT_ONCE = 500


def head_of(table: Table) -> TableHead:
    """Return a table's name and columns."""
    return TableHead(table.name, tuple(column.name for column in table.columns))


def count_rows(connection: Connection) -> int:
    """Return how many rows all tables have."""
    quote = _quote(connection)
    return sum(
        connection.exec_driver_sql(f"SELECT count(*) FROM {quote(table.name)}").scalar_one()  # noqa: S608 - our table's name
        for table in metadata.sorted_tables
    )


def read_rows(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """Stream a table's rows; the log's entries in the order of the log."""
    quote = _quote(connection)
    columns = ", ".join(_selected(connection, column) for column in table.columns)
    order = f" ORDER BY {quote('leaf_index')}" if table.name == ENTRIES else ""
    result = connection.exec_driver_sql(
        f"SELECT {columns} FROM {quote(table.name)}{order}",  # noqa: S608 - our table's names
        execution_options={"stream_results": True, "max_row_buffer": _AT_ONCE},
    )
    yield from result


def write_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of ``head_of(table)``'s columns."""
    quote = _quote(connection)
    names = ", ".join(quote(column.name) for column in table.columns)
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    marks = ", ".join([mark] * len(table.columns))
    truths = [n for n, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
    connection.exec_driver_sql(
        f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})",  # noqa: S608 - our table's names
        [_with_truths(row, truths) for row in rows],
    )


def _with_truths(row: Row, truths: Sequence[int]) -> tuple[Value, ...]:
    """Let SQLite's 0 and 1 be what PostgreSQL calls true and false; to SQLite they are the same."""
    values = list(row)
    for n in truths:
        values[n] = None if values[n] is None else bool(values[n])
    return tuple(values)


def next_numbers(connection: Connection) -> None:
    """Let PostgreSQL number new rows after those that were written; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    quote = _quote(connection)
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            last = f"SELECT max({quote(column.name)}) FROM {quote(table.name)}"  # noqa: S608 - our table's names
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence(%s, %s), ({last}))",
                (table.name, column.name),
            )


def first_filled(connection: Connection) -> str | None:
    """Return a table that holds more than ``init`` puts there; None for a database that holds nothing."""
    quote = _quote(connection)
    there = set(inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name in there - _MADE_BY_INIT:
            query = f"SELECT 1 FROM {quote(table.name)} LIMIT 1"  # noqa: S608 - our table's name
            if connection.exec_driver_sql(query).first() is not None:
                return table.name
    return None


def clear_what_init_made(connection: Connection) -> None:
    """Delete what is there before anything else is: the backup has its own."""
    quote = _quote(connection)
    for name in _MADE_BY_INIT & metadata.tables.keys():
        connection.exec_driver_sql(f"DELETE FROM {quote(name)}")  # noqa: S608 - our table's name


def lock_all(connection: Connection) -> None:
    """Keep every other process out of the tables until the transaction ends; SQLite has one process."""
    if connection.dialect.name != "sqlite":
        names = ", ".join(map(_quote(connection), metadata.tables))
        connection.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")


def _selected(connection: Connection, column: Column[Any]) -> str:
    name: str = _quote(connection)(column.name)
    if isinstance(column.type, JSON) and connection.dialect.name != "sqlite":
        return f"CAST({name} AS TEXT)"  # the driver would parse it
    return name


def _quote(connection: Connection) -> Callable[[str], str]:
    return connection.dialect.identifier_preparer.quote
