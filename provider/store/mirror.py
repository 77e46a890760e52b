"""When a court's register was last found the same at the exchange."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from provider.store.upsert import insert_into
from provider.tables import MIRROR_SYNC

_ONLY_ROW = 1


class Synced(NamedTuple):
    """A sync that the exchange took; times in microseconds."""

    read_at: int
    entries: int
    synced_at: int
    live_until: int


def read(connection: Connection) -> Synced | None:
    """Return the last sync; None before the first."""
    columns = [MIRROR_SYNC.c[name] for name in Synced._fields]
    row = connection.execute(select(*columns)).one_or_none()
    return None if row is None else Synced(*row)


def put(connection: Connection, synced: Synced) -> None:
    """Put a sync down; one of an older register changes nothing."""
    statement = insert_into(MIRROR_SYNC, connection.dialect.name).values(
        id=_ONLY_ROW, **synced._asdict()
    )
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={name: new[name] for name in Synced._fields},
            where=MIRROR_SYNC.c.read_at <= new.read_at,
        )
    )
