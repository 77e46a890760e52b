"""The access entries, and the request ids that were used."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from concordat.store.bulk import execute_many
from concordat.store.lookup import Lookup
from exchange.schema import metadata
from exchange.vault.columns import subject_ref

access_entry = Table(
    "access_entry",
    metadata,
    subject_ref(primary_key=True),
    Column("access_id", LargeBinary(16), primary_key=True),
    Column("lender", String(64), nullable=False),
    Column("consent_id", LargeBinary(16), nullable=False),
    Column("request_digest", LargeBinary(32), nullable=False),
    Column("purpose", Integer, nullable=False),
    Column("disclosure", Integer, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),  # the intent; before any provider is asked
    Column("refusal", Integer, nullable=False),  # Reason; 0 where the request was let in
    Column("counted", Boolean, nullable=False),  # whether it consumed a use of the consent
    Column("released_at", BigInteger),  # the latest release under this entry; NULL for none yet
    Column("result", String(16)),  # complete, partial or no_score, of that release
    Column("view_digest", LargeBinary(32)),
    Column("threshold", Integer, nullable=False),  # points; 0 where none was asked for
    # Of whom less than a whole score was asked: ``Question.asked_of``; NULL for a whole score, or none.
    Column("asked_of", LargeBinary(32)),
    Index("access_entry_by_consent", "subject_ref", "consent_id", "recorded_at"),
    Index("access_entry_by_lender", "lender", "recorded_at"),
    Index(
        "access_entry_by_question",
        "subject_ref",
        "lender",
        "recorded_at",
        sqlite_where=text("asked_of IS NOT NULL"),
        postgresql_where=text("asked_of IS NOT NULL"),
    ),
)

# Keyed by lender and id alone, so that the same id for another subject is caught too. On a distributed
# database this table is distributed by lender.
request_seen = Table(
    "request_seen",
    metadata,
    Column("lender", String(64), primary_key=True),
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("request_digest", LargeBinary(32), nullable=False),
    Column("access_id", LargeBinary(16), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)

RequestKey = tuple[str, bytes]  # lender, request_id

_SEEN = Lookup(
    lambda wanted: select(request_seen).where(wanted),
    request_seen.c.lender,
    request_seen.c.request_id,
)
_INSERT_SEEN = insert(request_seen)
_INSERT_ENTRY = insert(access_entry)
_RELEASE = (
    update(access_entry)
    .where(
        access_entry.c.subject_ref == bindparam("key_ref"),
        access_entry.c.access_id == bindparam("key_id"),
    )
    .values(
        released_at=bindparam("at"), result=bindparam("outcome"), view_digest=bindparam("digest")
    )
)
_FORGET = delete(access_entry).where(
    access_entry.c.subject_ref == bindparam("key_ref"),
    access_entry.c.access_id == bindparam("key_id"),
)
_USES_SINCE = Lookup(
    lambda wanted: select(
        access_entry.c.subject_ref, access_entry.c.consent_id, access_entry.c.recorded_at
    ).where(wanted, access_entry.c.recorded_at > bindparam("since"), access_entry.c.counted),
    access_entry.c.subject_ref,
    access_entry.c.consent_id,
)
_QUESTIONS_SINCE = Lookup(
    lambda wanted: (
        select(
            access_entry.c.subject_ref,
            access_entry.c.lender,
            access_entry.c.asked_of,
            access_entry.c.threshold,
            func.max(access_entry.c.recorded_at).label("latest"),
        )
        .where(
            wanted,
            access_entry.c.recorded_at > bindparam("since"),
            access_entry.c.counted,
            access_entry.c.asked_of.is_not(None),
        )
        .group_by(
            access_entry.c.subject_ref,
            access_entry.c.lender,
            access_entry.c.asked_of,
            access_entry.c.threshold,
        )
    ),
    access_entry.c.subject_ref,
    access_entry.c.lender,
)
_NOT_RELEASED = Lookup(
    lambda wanted: (
        select(access_entry.c.subject_ref, access_entry.c.access_id, access_entry.c.recorded_at)
        .where(wanted, access_entry.c.released_at.is_(None))
        .with_for_update()
    ),
    access_entry.c.subject_ref,
    access_entry.c.access_id,
)
_COUNTED_SINCE = (
    select(access_entry.c.recorded_at)
    .where(
        access_entry.c.subject_ref == bindparam("ref"),
        access_entry.c.consent_id == bindparam("id"),
        access_entry.c.recorded_at > bindparam("since"),
        access_entry.c.counted,
    )
    .order_by(access_entry.c.recorded_at)
)


def seen(
    connection: Connection, keys: Iterable[RequestKey]
) -> dict[RequestKey, Row[*tuple[Any, ...]]]:
    """Return what is known of the request ids that were used before."""
    rows = _SEEN.run(connection, keys)
    return {(row.lender, row.request_id): row for row in rows}


def counted_since(
    connection: Connection, subject_ref: bytes, consent_id: bytes, since: int
) -> list[int]:
    """Return the times (microseconds) of a consent's counted uses after ``since``, oldest first."""
    rows = connection.execute(
        _COUNTED_SINCE, {"ref": subject_ref, "id": consent_id, "since": since}
    )
    return list(rows.scalars())


def uses_since(
    connection: Connection, keys: Iterable[tuple[bytes, bytes]], since: int
) -> dict[tuple[bytes, bytes], list[int]]:
    """Return the times of the counted uses of many consents after ``since``, by (subject_ref, consent_id)."""
    found: dict[tuple[bytes, bytes], list[int]] = {}
    for ref, consent_id, at in _USES_SINCE.run(connection, keys, since=since):
        found.setdefault((ref, consent_id), []).append(at)
    return found


def questions_since(
    connection: Connection, pairs: Iterable[tuple[bytes, str]], since: int
) -> list[Row[*tuple[Any, ...]]]:
    """Return what less than a whole score was let in for of (subject_ref, lender) after ``since``.

    A row each: ``subject_ref``, ``lender``, ``asked_of``, ``threshold``, and when ``latest``.
    """
    return _QUESTIONS_SINCE.run(connection, pairs, since=since)


def accesses_of(
    connection: Connection, request_digest: bytes, refs: Iterable[bytes]
) -> dict[bytes, bytes]:
    """Return the access id of each subject that a request was let in for."""
    query = select(access_entry.c.subject_ref, access_entry.c.access_id).where(
        access_entry.c.subject_ref.in_(list(refs)),
        access_entry.c.request_digest == request_digest,
        access_entry.c.counted,
    )
    return {row.subject_ref: row.access_id for row in connection.execute(query)}


def add(
    connection: Connection,
    entries: Sequence[dict[str, object]],
    requests: Sequence[dict[str, object]],
) -> None:
    """Record access entries (refused attempts too) and the request ids of those let in."""
    execute_many(connection, _INSERT_ENTRY, entries)
    execute_many(connection, _INSERT_SEEN, requests)


def release(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Record what was released under each entry."""
    execute_many(connection, _RELEASE, rows)


def not_released(
    connection: Connection, keys: Iterable[tuple[bytes, bytes]]
) -> dict[tuple[bytes, bytes], int]:
    """Return when those of these accesses were let in under which nothing was released before; by their keys.

    They are held, so that two processes that release under one access do not both find it so.
    """
    return {
        (row.subject_ref, row.access_id): row.recorded_at
        for row in _NOT_RELEASED.run(connection, keys)
    }


def forget(connection: Connection, keys: Iterable[tuple[bytes, bytes]]) -> None:
    """Delete the access entries at these (subject_ref, access_id), where there are any."""
    connection.execute(_FORGET, [{"key_ref": ref, "key_id": access_id} for ref, access_id in keys])


def latest_time(connection: Connection) -> int:
    """Return the time of the latest entry, microseconds; 0 where there is none."""
    newest = connection.execute(select(func.max(access_entry.c.recorded_at))).scalar_one()
    return int(newest or 0)
