"""What the index is measured beside: a Python dictionary of the same entries, and the database itself."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    select,
)

from benchmarks.listings_load import (
    LIVE,
    NOW,
    asked_about,
    entries,
    listings,
    rate,
    resident,
    shown_refs,
)
from exchange.listings.index import Entry

NUMBERS = ("kind", "mark", "band", "basis", "delinquent_day", "effective_day", "settled_day")
TABLE = Table(
    "listing",
    MetaData(),
    Column("subject_ref", LargeBinary, primary_key=True),
    Column("listing_id", LargeBinary, primary_key=True),
    *(Column(name, Integer, nullable=False) for name in NUMBERS),
    Column("expires_at", BigInteger, nullable=False),
    Column("feed", Integer, nullable=False),
    Column("worded", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
# In the order of the primary key, which the database need not sort; by age is one more step.
OF_SUBJECT = select(TABLE).where(
    TABLE.c.subject_ref == bindparam("ref"), TABLE.c.expires_at > bindparam("now")
)


def dict_figures(size: int, seconds: float) -> dict[str, float]:
    """Return figures of a dictionary of lists; needs a process of its own to tell its memory."""
    before = resident()
    by_subject: dict[bytes, list[Entry]] = {}
    shown = list[bytes]()
    for part in listings(size):
        for entry in entries(part):
            by_subject.setdefault(entry.subject_ref, []).append(entry)
        shown += shown_refs(part)
    for of_subject in by_subject.values():
        of_subject.sort(key=lambda entry: (entry.delinquent_day, entry.listing_id))
    grown = resident() - before - sum(map(len, shown))

    def lookup(ref: bytes) -> list[Entry]:
        return [
            entry
            for entry in by_subject.get(ref, ())
            if entry.expires_at > NOW and (not entry.feed or entry.feed in LIVE)
        ]

    return {
        "dict_bytes_per_listing": grown / size,
        "dict_lookups_per_s": rate(lookup, asked_about(shown), seconds),
    }


def sql_figures(size: int, seconds: float) -> dict[str, float]:
    """Return figures of SQLite, asked for one subject at a time by a statement that is built once."""
    with tempfile.TemporaryDirectory(prefix="concordat-bench-") as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'listings.db'}")
        event.listen(engine, "connect", _prepare)
        with engine.connect() as connection:
            shown = _fill(connection, size)
            refs = asked_about(shown)

            def lookup(ref: bytes) -> list[Any]:
                rows = connection.execute(OF_SUBJECT, {"ref": ref, "now": NOW}).all()
                return [row for row in rows if not row.feed or row.feed in LIVE]

            found = rate(lookup, refs, seconds)
        engine.dispose()
    return {"sql_lookups_per_s": found}


def _prepare(connection: Any, _: object) -> None:
    """Give the database memory for all of its pages."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -4000000")


def _fill(connection: Connection, size: int) -> list[bytes]:
    TABLE.metadata.create_all(connection)
    shown = list[bytes]()
    for part in listings(size):
        shown += shown_refs(part)
        connection.execute(insert(TABLE), list(_rows(part)))
    connection.commit()
    return shown


def _rows(part: NDArray[np.void]) -> Iterator[dict[str, object]]:
    for row in part:
        yield dict(zip(part.dtype.names or (), row.tolist(), strict=True))
