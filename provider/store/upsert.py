"""INSERTs that say what to do on a conflict, in the dialect of the database at hand."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = sqlite.Insert | postgresql.Insert


def insert_into(table: Table, dialect: str) -> Insert:
    """Return an INSERT into ``table``, for SQLite or PostgreSQL."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


class BulkInsert:
    """An INSERT of many rows, rendered once and handed to the driver as it is.

    SQLAlchemy prepares each row's parameters, which costs several times what SQLite needs to write
    it. Rows are tuples of what the driver takes (int, str, bytes, None), in the order of the columns.
    """

    def __init__(self, table: Table, on_conflict: Callable[[Insert], Insert]) -> None:
        """``on_conflict`` adds the conflict clause."""
        self._table = table
        self._columns = [column.name for column in table.columns]
        self._on_conflict = on_conflict
        self._rendered: dict[str, str] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Write ``rows``, if there are any."""
        if not rows:
            return
        statement = self._statement(connection)
        if connection.dialect.positional:
            connection.exec_driver_sql(statement, list(rows))
        else:
            named = [dict(zip(self._columns, row, strict=True)) for row in rows]
            connection.exec_driver_sql(statement, named)

    def _statement(self, connection: Connection) -> str:
        dialect = connection.dialect
        if dialect.name not in self._rendered:
            insert = self._on_conflict(insert_into(self._table, dialect.name))
            compiled = insert.compile(dialect=dialect, column_keys=self._columns)
            self._rendered[dialect.name] = str(compiled)
        return self._rendered[dialect.name]
