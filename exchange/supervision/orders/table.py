"""The tables of orders and of what is told of disputes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    exists,
    insert,
    select,
    update,
)

from concordat.clock import to_micros
from concordat.store.lookup import Lookup
from concordat.v1 import OrderStage as Stage
from exchange.listings.reading import Key
from exchange.schema import metadata
from exchange.supervision.orders.rules import Order
from exchange.vault.columns import subject_ref
from exchange.vault.sealing import seal_many, unseal_many

# One row an order. What it says of the listing is sealed under the subject's key.
correction_order = Table(
    "correction_order",
    metadata,
    subject_ref(primary_key=True),
    Column("order_id", LargeBinary(16), primary_key=True),
    Column("listing_id", LargeBinary(16), nullable=False),
    Column("regulator", String(64), nullable=False),
    Column("furnisher", String(64), nullable=False),
    Column("stage", Integer, nullable=False),  # OrderStage
    Column("given_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("overdue_at", BigInteger),  # when that was put down; NULL where it never was
    Column("ended_at", BigInteger),  # NULL while it is open
    Column("version", Integer, nullable=False),  # of the listing as it was ordered about
    Column("reviewed", Boolean, nullable=False),  # whether its review was opened
    Column("digest", LargeBinary(32), nullable=False),
    Column("envelope", LargeBinary, nullable=False),  # sealed: the CorrectionOrder
    Column("review", LargeBinary, nullable=False),  # sealed: the ListingEvent
    Column("facts", LargeBinary, nullable=False),  # sealed: a Correction, what was on record
    Index("correction_order_by_listing", "subject_ref", "listing_id"),
    Index("correction_order_by_regulator", "regulator", "order_id"),
    Index("correction_order_by_furnisher", "furnisher", "given_at"),
    Index("correction_order_by_due", "stage", "due_at"),
)

# What regulators are told on a day: computed once, and the same all day. About no person.
oversight_told = Table(
    "oversight_told",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("answer", LargeBinary, nullable=False),  # a ReadOversightResponse
)

_C = correction_order.c
_OF_LISTINGS = Lookup(
    lambda wanted: select(correction_order).where(wanted).order_by(_C.order_id),
    _C.subject_ref,
    _C.listing_id,
)
_OF_REGULATOR = Lookup(
    lambda wanted: select(correction_order).where(wanted).order_by(_C.order_id),
    _C.regulator,
    _C.order_id,
)
_INSERT = insert(correction_order)
_UPDATE = update(correction_order).where(
    _C.subject_ref == bindparam("key_ref"), _C.order_id == bindparam("key_id")
)
_OVERDUE = (
    select(_C.subject_ref, _C.listing_id)
    .where(_C.stage == bindparam("given"), _C.due_at <= bindparam("now"))
    .order_by(_C.due_at)
    .limit(bindparam("most"))
)


def add(connection: Connection, order: Order) -> None:
    """Keep an order that was given."""
    sealed = seal_many(
        connection,
        [
            (order.key[0], part.SerializeToString())
            for part in (order.envelope, order.review, order.facts)
        ],
    )
    connection.execute(
        _INSERT,
        {
            "subject_ref": order.key[0],
            "order_id": order.order_id,
            "listing_id": order.key[1],
            "regulator": order.regulator,
            "furnisher": order.furnisher,
            "stage": order.stage,
            "given_at": to_micros(order.given_at),
            "due_at": to_micros(order.due_at),
            "overdue_at": None,
            "ended_at": None,
            "version": order.version,
            "reviewed": order.reviewed,
            "digest": order.digest,
            **dict(zip(("envelope", "review", "facts"), sealed, strict=True)),
        },
    )


def put(connection: Connection, order: Order, **values: object) -> None:
    """Change what is kept of an order."""
    connection.execute(
        _UPDATE.values(**values), {"key_ref": order.key[0], "key_id": order.order_id}
    )


def of_listings(connection: Connection, keys: Iterable[Key]) -> dict[Key, list[Order]]:
    """Return every order about each listing that has any, by id."""
    found: dict[Key, list[Order]] = defaultdict(list)
    for order in _orders(connection, _OF_LISTINGS.run(connection, keys)):
        found[order.key].append(order)
    return found


def of_regulator(connection: Connection, regulator: str, ids: Iterable[bytes]) -> list[Order]:
    """Return the orders that a regulator gave, of those with these ids, by id."""
    rows = _OF_REGULATOR.run(connection, [(regulator, order_id) for order_id in ids])
    return sorted(_orders(connection, rows), key=lambda order: order.order_id)


def waits_for(
    furnisher: str, subject: ColumnElement[bytes], listing_id: ColumnElement[bytes]
) -> ColumnElement[bool]:
    """Return the condition that an order waits to be obeyed by a furnisher about the listing of a row."""
    return exists().where(
        _C.subject_ref == subject,
        _C.listing_id == listing_id,
        _C.furnisher == furnisher,
        _C.ended_at.is_(None),
    )


def overdue(connection: Connection, now: int, most: int) -> list[Key]:
    """Return listings about which orders are past due and not put down as such, the longest due first."""
    given = {"given": Stage.ORDER_STAGE_GIVEN, "now": now, "most": most}
    rows = connection.execute(_OVERDUE, given)
    return [(row.subject_ref, row.listing_id) for row in rows]


def _orders(connection: Connection, rows: Sequence[Row[Any]]) -> list[Order]:
    sealed = [
        (row.subject_ref, part) for row in rows for part in (row.envelope, row.review, row.facts)
    ]
    opened = unseal_many(connection, sealed)
    return [Order.of_row(row, opened[3 * n : 3 * n + 3]) for n, row in enumerate(rows)]
