"""What lenders with periodic consents are told of, numbered for each lender without gaps but those of erasure.

Numbers are given under a lock of the lender's row, which the transaction that writes the changes holds until it
commits: so they are committed in their order, whatever process writes them, and whoever has read up to one has
missed none below it. About lenders first of all: on a distributed database these tables are distributed by lender.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from concordat.v1 import LenderChangeKind
from exchange.lenders.listening import written
from exchange.schema import metadata
from exchange.vault.columns import subject_ref

FIRST = 1  # what a lender that was never told of anything is at

lender_cursor = Table(
    "lender_cursor",
    metadata,
    Column("lender", String(64), primary_key=True),
    Column("latest", BigInteger, nullable=False),  # number of its last change
    Column(
        "forgotten", BigInteger, nullable=False
    ),  # number of the last that is not kept; 0 for none
)

lender_change = Table(
    "lender_change",
    metadata,
    Column("lender", String(64), primary_key=True),
    Column("cursor", BigInteger, primary_key=True, autoincrement=False),
    subject_ref(primary_key=True),
    Column("kind", Integer, nullable=False),  # LenderChangeKind
    Column("consent_id", LargeBinary(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    # Of its entry in the log, which has to be in a checkpoint before it is told; empty where it has none.
    Column("record_id", LargeBinary(16), nullable=False),
    Index("lender_change_by_time", "at"),
)

_CURSOR, _CHANGE = lender_cursor.c, lender_change.c
_STANDING = select(_CURSOR.latest, _CURSOR.forgotten).where(_CURSOR.lender == bindparam("name"))
_INSERT = insert(lender_change)
_AFTER = (
    select(lender_change)
    .where(_CHANGE.lender == bindparam("name"), _CHANGE.cursor > bindparam("after"))
    .order_by(_CHANGE.cursor)
    .limit(bindparam("most"))
)
_LATEST_BEFORE = (
    select(_CHANGE.lender, func.max(_CHANGE.cursor).label("cursor"))
    .where(_CHANGE.at < bindparam("before"))
    .group_by(_CHANGE.lender)
    .order_by(_CHANGE.lender)
)
_FORGOTTEN = (
    update(lender_cursor)
    .where(_CURSOR.lender == bindparam("name"), _CURSOR.forgotten < bindparam("to"))
    .values(forgotten=bindparam("to"))
)
_DELETE = delete(lender_change).where(
    _CHANGE.lender == bindparam("name"), _CHANGE.cursor <= bindparam("to")
)


def _taking(insert_: Callable[[Table], Any]) -> Any:
    many = bindparam("many", type_=BigInteger)
    statement = insert_(lender_cursor).values(
        lender=bindparam("name"), latest=FIRST + many, forgotten=0
    )
    return statement.on_conflict_do_update(
        index_elements=[_CURSOR.lender], set_={"latest": _CURSOR.latest + many}
    ).returning(_CURSOR.latest)


_TAKE = {"sqlite": _taking(sqlite.insert), "postgresql": _taking(postgresql.insert)}


@dataclass(frozen=True, slots=True)
class Change:
    """Something that one lender is told of."""

    lender: str
    kind: LenderChangeKind.ValueType
    subject_ref: bytes
    consent_id: bytes
    at: int  # microseconds
    record_id: bytes = b""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A change and its number."""

    cursor: int
    change: Change


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a lender's changes go."""

    latest: int
    forgotten: int


def hold(connection: Connection, lenders: Iterable[str]) -> None:
    """Let nobody else write changes of these lenders until the transaction ends, and see all that was written."""
    for lender in sorted(set(lenders)):  # so that two processes never wait for each other
        connection.execute(_TAKE[connection.dialect.name], {"name": lender, "many": 0})


def write(connection: Connection, changes: Sequence[Change]) -> None:
    """Write changes in order, after everything else that is locked; wake those who wait for them here."""
    by_lender: dict[str, list[Change]] = {}
    for change in changes:
        by_lender.setdefault(change.lender, []).append(change)
    rows: list[dict[str, object]] = []
    for lender in sorted(by_lender):
        mine = by_lender[lender]
        taken = {"name": lender, "many": len(mine)}
        latest = connection.execute(_TAKE[connection.dialect.name], taken).scalar_one()
        first = int(latest) - len(mine) + 1
        rows += [_row(cursor, change) for cursor, change in enumerate(mine, first)]
    if rows:
        connection.execute(_INSERT, rows)
        written(by_lender)


def _row(cursor: int, change: Change) -> dict[str, object]:
    return {
        "lender": change.lender,
        "cursor": cursor,
        "subject_ref": change.subject_ref,
        "kind": change.kind,
        "consent_id": change.consent_id,
        "at": change.at,
        "record_id": change.record_id,
    }


def standing(connection: Connection, lender: str) -> Standing:
    """Return how far a lender's changes go."""
    row = connection.execute(_STANDING, {"name": lender}).first()
    return Standing(FIRST, 0) if row is None else Standing(row.latest, row.forgotten)


def read(connection: Connection, lender: str, after: int, most: int) -> list[Numbered]:
    """Return up to ``most`` of a lender's changes after a number, in order."""
    rows = connection.execute(_AFTER, {"name": lender, "after": after, "most": most})
    return [
        Numbered(
            row.cursor,
            Change(row.lender, row.kind, row.subject_ref, row.consent_id, row.at, row.record_id),
        )
        for row in rows
    ]


def forget(connection: Connection, before: int) -> None:
    """Delete what is older than ``before``, and of each lender whatever is ahead of that."""
    for lender, cursor in connection.execute(_LATEST_BEFORE, {"before": before}).all():
        connection.execute(_FORGOTTEN, {"name": lender, "to": cursor})
        connection.execute(_DELETE, {"name": lender, "to": cursor})
