"""Which own looks were let in lately: for their limit, and to know one again. No score, and nothing of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    delete,
    insert,
    select,
    update,
)

from concordat.clock import to_micros
from exchange.schema import metadata
from exchange.vault.columns import subject_ref

# Kept for two days: a request lives for minutes, and looks are counted for a day.
own_look = Table(
    "own_look",
    metadata,
    subject_ref(primary_key=True),
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("request_digest", LargeBinary(32), nullable=False),
    Column("look_id", LargeBinary(16), nullable=False),  # record id of its entry in the log
    Column("recorded_at", BigInteger, nullable=False),
    Column("answers", Integer, nullable=False),  # more than one where it is repeated
    Index("own_look_by_time", "recorded_at"),
)


def seen(
    connection: Connection, subject_ref: bytes, request_id: bytes
) -> Row[*tuple[Any, ...]] | None:
    """Return the look that a request id was used for; None where it was not."""
    query = select(own_look).where(
        own_look.c.subject_ref == subject_ref, own_look.c.request_id == request_id
    )
    return connection.execute(query).first()


def since(connection: Connection, subject_ref: bytes, after: datetime) -> list[int]:
    """Return the times (microseconds) of a subject's looks after ``after``, oldest first."""
    query = (
        select(own_look.c.recorded_at)
        .where(own_look.c.subject_ref == subject_ref, own_look.c.recorded_at > to_micros(after))
        .order_by(own_look.c.recorded_at)
    )
    return list(connection.execute(query).scalars())


def add(connection: Connection, **row: object) -> None:
    """Put a look on record."""
    connection.execute(insert(own_look).values(**row))


def answer_again(connection: Connection, subject_ref: bytes, request_id: bytes) -> None:
    """Count that one more answer to a look has begun."""
    connection.execute(
        update(own_look)
        .where(own_look.c.subject_ref == subject_ref, own_look.c.request_id == request_id)
        .values(answers=own_look.c.answers + 1)
    )


def forget(connection: Connection, before: datetime) -> None:
    """Delete the looks from before a time."""
    connection.execute(delete(own_look).where(own_look.c.recorded_at < to_micros(before)))
