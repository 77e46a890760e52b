"""Notices that are in the mail: what is to be sent when, and what proves that it was taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    insert,
    select,
    update,
)

from concordat.clock import from_micros, to_micros
from exchange.schema import metadata
from exchange.vault.columns import subject_ref
from exchange.vault.sealing import seal, unseal_each

notice_mail = Table(
    "notice_mail",
    metadata,
    subject_ref(primary_key=True),
    Column("message_id", LargeBinary(16), primary_key=True),  # of the inbox message
    Column("listing_id", LargeBinary(16), nullable=False),
    Column("enqueued_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", BigInteger),  # NULL once nothing is left to do
    Column("accepted_at", BigInteger),  # when the mail server took it; NULL before
    Column("evidence", LargeBinary),  # of that, sealed; see ``Mailer.send``
    Column("failure", LargeBinary),  # of the last attempt, sealed; final where nothing else is set
    Index("notice_mail_by_time", "next_try_at"),
)

LEASE = timedelta(minutes=15)
"""How long whoever took a row has it for itself; longer than any attempt lasts."""

Key = tuple[bytes, bytes]  # subject_ref, message_id


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is to be sent, or, where ``accepted_at`` is set, whose acceptance is to be told of."""

    subject_ref: bytes
    message_id: bytes
    listing_id: bytes
    enqueued_at: datetime
    attempts: int  # this one included
    accepted_at: datetime | None
    evidence: bytes

    @property
    def key(self) -> Key:
        """Its key in the store."""
        return self.subject_ref, self.message_id


_DUE = (
    select(notice_mail)
    .where(notice_mail.c.next_try_at <= bindparam("now"))
    .order_by(notice_mail.c.next_try_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)  # of several processes each takes others
)
_UPDATE = update(notice_mail).where(
    notice_mail.c.subject_ref == bindparam("key_ref"),
    notice_mail.c.message_id == bindparam("key_id"),
)
_TAKE = _UPDATE.values(attempts=bindparam("count"), next_try_at=bindparam("until"))


def enqueue(
    connection: Connection, subject_ref: bytes, message_id: bytes, listing_id: bytes, at: datetime
) -> None:
    """Put a message into the mail; it is due at once."""
    connection.execute(
        insert(notice_mail).values(
            subject_ref=subject_ref,
            message_id=message_id,
            listing_id=listing_id,
            enqueued_at=to_micros(at),
            attempts=0,
            next_try_at=to_micros(at),
        )
    )


def due(connection: Connection, now: datetime, most: int) -> Sequence[Due]:
    """Take up to ``most`` rows that are due, the longest overdue first; they are due to nobody else meanwhile.

    Who took one has ``LEASE`` to say what became of it. Had it died, the message is due again then: it may
    be sent twice, and never not at all.
    """
    rows = connection.execute(_DUE, {"now": to_micros(now), "most": most}).all()
    if not rows:
        return []
    until = to_micros(now + LEASE)
    connection.execute(
        _TAKE,
        [
            {
                "key_ref": row.subject_ref,
                "key_id": row.message_id,
                "count": row.attempts + 1,
                "until": until,
            }
            for row in rows
        ],
    )
    evidence = unseal_each(connection, [(row.subject_ref, row.evidence) for row in rows])
    return [
        Due(
            row.subject_ref,
            row.message_id,
            row.listing_id,
            from_micros(row.enqueued_at),
            row.attempts + 1,
            None if row.accepted_at is None else from_micros(row.accepted_at),
            proof or b"",
        )
        for row, proof in zip(rows, evidence, strict=True)
    ]


def accepted(
    connection: Connection, key: Key, at: datetime, evidence: bytes, *, tell: bool
) -> None:
    """Keep that the mail server took a message; ``tell`` whether the listing has still to hear of it.

    If so the row stays with who took it, until it is done or the lease is over.
    """
    _set(
        connection,
        key,
        accepted_at=to_micros(at),
        evidence=seal(connection, key[0], evidence),
        failure=None,
        attempts=0,
        next_try_at=to_micros(at + LEASE) if tell else None,
    )


def failed(connection: Connection, key: Key, failure: str, next_try_at: datetime | None) -> None:
    """Keep why an attempt failed, and when the next one is due: None for never."""
    due_at = None if next_try_at is None else to_micros(next_try_at)
    said = seal(connection, key[0], failure.encode())
    _set(connection, key, failure=said, next_try_at=due_at)


def done(connection: Connection, key: Key) -> None:
    """Keep that nothing is left to do about a message."""
    _set(connection, key, next_try_at=None)


def _set(connection: Connection, key: Key, **values: object) -> None:
    connection.execute(_UPDATE.values(**values), {"key_ref": key[0], "key_id": key[1]})
