"""The latest time on record, below which the node's clock never starts again."""

from datetime import datetime

from sqlalchemy import Connection, select

from concordat.clock import from_micros, to_micros
from provider.store.upsert import insert_into
from provider.tables import CLOCK_MARK

_ONLY_ROW = 1


def read(connection: Connection) -> datetime | None:
    """Return the latest time on record; None in a new database."""
    at = connection.execute(select(CLOCK_MARK.c.at)).scalar_one_or_none()
    return None if at is None else from_micros(at)


def advance(connection: Connection, at: datetime) -> None:
    """Put a time on record; an earlier one changes nothing."""
    statement = insert_into(CLOCK_MARK, connection.dialect.name).values(
        id=_ONLY_ROW, at=to_micros(at)
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={"at": statement.excluded.at},
            where=CLOCK_MARK.c.at < statement.excluded.at,
        )
    )
