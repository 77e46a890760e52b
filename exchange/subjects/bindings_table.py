"""How far the registrar's bindings that took over from others were taken in."""

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, insert, select, update

from exchange.schema import metadata

# One row, which the migration makes: whoever takes bindings in holds it.
binding_cursor = Table(
    "binding_cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
)


def cursor(connection: Connection, *, hold: bool = False) -> int:
    """Return the last sequence that was taken in; 0 for none. With ``hold``, nobody moves it meanwhile."""
    query = select(binding_cursor.c.sequence)
    query = query.with_for_update() if hold else query
    return connection.execute(query).scalar_one_or_none() or 0


def advance(connection: Connection, sequence: int) -> None:
    """Keep that everything up to ``sequence`` was taken in; it never goes back."""
    if connection.execute(select(binding_cursor.c.id)).first() is None:
        connection.execute(insert(binding_cursor).values(id=1, sequence=sequence))
        return
    connection.execute(
        update(binding_cursor).where(binding_cursor.c.sequence < sequence).values(sequence=sequence)
    )
