"""The inbox of each subject at the exchange."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    update,
)

from concordat import v1
from concordat.clock import from_micros, to_timestamp
from concordat.store.bulk import execute_many
from exchange.schema import metadata

inbox_message = Table(
    "inbox_message",
    metadata,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # from 1, without gaps
    Column("kind", Integer, nullable=False),  # InboxKind
    Column("listing_id", LargeBinary(16), nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("text", String(8000), nullable=False),
    Column("fetched_at", BigInteger),  # first; NULL before
    Column("fetched_by", LargeBinary(32)),  # digest of the subject's request that fetched it
)


_LAST = (
    select(inbox_message.c.subject_ref, func.max(inbox_message.c.sequence))
    .where(inbox_message.c.subject_ref.in_(bindparam("refs", expanding=True)))
    .group_by(inbox_message.c.subject_ref)
)
_PAGE = (
    select(inbox_message)
    .where(
        inbox_message.c.subject_ref == bindparam("ref"),
        inbox_message.c.sequence > bindparam("after"),
    )
    .order_by(inbox_message.c.sequence)
    .limit(bindparam("most"))
)
_INSERT = insert(inbox_message)
_FETCHED = (
    update(inbox_message)
    .where(
        inbox_message.c.subject_ref == bindparam("key_ref"),
        inbox_message.c.sequence == bindparam("key_sequence"),
        inbox_message.c.fetched_at.is_(None),
    )
    .values(fetched_at=bindparam("new_at"), fetched_by=bindparam("new_by"))
)


def message_id(sequence: int) -> bytes:
    """Return the id of a message, 16 bytes that grow with its place."""
    return sequence.to_bytes(16, "big")


def last_sequences(connection: Connection, refs: Iterable[bytes]) -> dict[bytes, int]:
    """Return the place of the last message of each subject that has one."""
    rows = connection.execute(_LAST, {"refs": list(set(refs))})
    return {ref: int(last) for ref, last in rows}


def add(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Put messages into inboxes."""
    execute_many(connection, _INSERT, rows)


def page(
    connection: Connection, subject_ref: bytes, after: int, most: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return a subject's messages after a place, oldest first."""
    of = {"ref": subject_ref, "after": after, "most": most}
    return connection.execute(_PAGE, of).all()


def message_of(
    connection: Connection, subject_ref: bytes, message_id: bytes
) -> v1.InboxMessage | None:
    """Return one of a subject's messages; None where there is none such."""
    query = select(inbox_message).where(
        inbox_message.c.subject_ref == subject_ref,
        inbox_message.c.sequence == int.from_bytes(message_id, "big"),
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return v1.InboxMessage(
        message_id=message_id,
        kind=row.kind,
        listing_id=row.listing_id,
        sent_at=to_timestamp(from_micros(row.sent_at)),
        text=row.text,
    )


def mark_fetched(
    connection: Connection, subject_ref: bytes, sequences: Sequence[int], digest: bytes, at: int
) -> None:
    """Keep when, and by which signed request, messages were first fetched."""
    execute_many(
        connection,
        _FETCHED,
        [
            {"key_ref": subject_ref, "key_sequence": sequence, "new_at": at, "new_by": digest}
            for sequence in sequences
        ],
    )
