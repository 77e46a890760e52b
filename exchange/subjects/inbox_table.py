"""The inbox of each subject at the exchange."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
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
from exchange.vault.columns import subject_ref
from exchange.vault.sealing import seal_many, unseal_many

inbox_message = Table(
    "inbox_message",
    metadata,
    subject_ref(primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # from 1, without gaps
    Column("kind", Integer, nullable=False),  # InboxKind
    Column("listing_id", LargeBinary(16), nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("text", LargeBinary, nullable=False),  # sealed
    Column("fetched_at", BigInteger),  # first; NULL before
    Column("fetched_by", LargeBinary(32)),  # digest of the subject's request that fetched it
)


class Message(NamedTuple):
    """A message of a subject's inbox, as it reads."""

    sequence: int
    kind: v1.InboxKind.ValueType
    listing_id: bytes
    sent_at: int
    text: str
    fetched_at: int | None

    @property
    def as_sent(self) -> v1.InboxMessage:
        """The message as its subject gets it."""
        return v1.InboxMessage(
            message_id=message_id(self.sequence),
            kind=self.kind,
            listing_id=self.listing_id,
            sent_at=to_timestamp(from_micros(self.sent_at)),
            text=self.text,
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


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Put messages into inboxes; their texts are sealed here."""
    texts = [(row["subject_ref"], row["text"].encode()) for row in rows]
    sealed = seal_many(connection, texts)
    values = [{**row, "text": text} for row, text in zip(rows, sealed, strict=True)]
    execute_many(connection, _INSERT, values)


def page(connection: Connection, subject_ref: bytes, after: int, most: int) -> list[Message]:
    """Return a subject's messages after a place, oldest first; none whose text is erased."""
    of = {"ref": subject_ref, "after": after, "most": most}
    rows = connection.execute(_PAGE, of).all()
    texts = unseal_many(connection, [(subject_ref, row.text) for row in rows])
    return [
        Message(row.sequence, row.kind, row.listing_id, row.sent_at, text.decode(), row.fetched_at)
        for row, text in zip(rows, texts, strict=True)
        if text is not None
    ]


def message_of(
    connection: Connection, subject_ref: bytes, message_id: bytes
) -> v1.InboxMessage | None:
    """Return one of a subject's messages; None where there is none such."""
    place = int.from_bytes(message_id, "big")
    found = page(connection, subject_ref, place - 1, 1)
    return found[0].as_sent if found and found[0].sequence == place else None


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
