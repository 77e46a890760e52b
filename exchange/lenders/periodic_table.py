"""Periodic consents that are in force or paused: what their lenders are told of goes by this table.

A row comes with the grant and goes with the end. One granted before this was kept comes with its next use.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from exchange.schema import metadata
from exchange.vault.columns import subject_ref

periodic_consent = Table(
    "periodic_consent",
    metadata,
    subject_ref(primary_key=True),
    Column("consent_id", LargeBinary(16), primary_key=True),
    Column("lender", String(64), nullable=False),
    Column("active", Boolean, nullable=False),  # not paused
    Column("listings", Boolean, nullable=False),  # whether it covers them
    Column("uses", Integer, nullable=False),  # as the frequency allows, within ``period``
    Column("period", BigInteger, nullable=False),  # microseconds
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    Column("binding_version", Integer, nullable=False),  # of the key that signed it
    Column("review_at", BigInteger),  # when the lender is told that it can use it; NULL: was told
    Index("periodic_consent_by_review", "active", "review_at"),
    Index("periodic_consent_by_end", "valid_until"),
)

Key = tuple[bytes, bytes]  # subject_ref, consent_id

_ROW = periodic_consent.c
_IS_ONE = (_ROW.subject_ref == bindparam("key_ref"), _ROW.consent_id == bindparam("key_id"))


class Periodic(NamedTuple):
    """A row; its columns say what is what."""

    subject_ref: bytes
    consent_id: bytes
    lender: str
    active: bool
    listings: bool
    uses: int
    period: int
    valid_from: int
    valid_until: int
    binding_version: int
    review_at: int | None

    @property
    def key(self) -> Key:
        """The consent."""
        return self.subject_ref, self.consent_id


_SELECT: Select[Any] = select(periodic_consent)
_OF_SUBJECTS = _SELECT.where(_ROW.subject_ref.in_(bindparam("refs", expanding=True))).order_by(
    _ROW.consent_id
)
_DUE = (
    _SELECT.where(_ROW.active.is_(True), _ROW.review_at <= bindparam("now"))
    .order_by(_ROW.review_at)
    .limit(bindparam("most"))
)
_ENDED = (
    _SELECT.where(_ROW.valid_until <= bindparam("now"))
    .order_by(_ROW.valid_until)
    .limit(bindparam("most"))
)
_DELETE = delete(periodic_consent).where(*_IS_ONE)
_SET_ACTIVE = update(periodic_consent).where(*_IS_ONE).values(active=bindparam("is_active"))
_SET_REVIEW = (
    update(periodic_consent)
    .where(*_IS_ONE, _ROW.active.is_(True), _ROW.review_at == bindparam("before"))
    .values(review_at=bindparam("when"))
)


def _putting(insert: Callable[[Table], Any]) -> Any:
    statement = insert(periodic_consent)
    return statement.on_conflict_do_update(
        index_elements=list(periodic_consent.primary_key),
        set_={"review_at": statement.excluded.review_at},
    )


_PUT = {"sqlite": _putting(sqlite.insert), "postgresql": _putting(postgresql.insert)}


def put(connection: Connection, rows: Sequence[Periodic]) -> None:
    """Add rows; of those that are there, set when the next review is due."""
    if rows:
        connection.execute(_PUT[connection.dialect.name], [row._asdict() for row in rows])


def of_subjects(connection: Connection, refs: Iterable[bytes]) -> list[Periodic]:
    """Return the rows of these subjects."""
    return _rows(connection, _OF_SUBJECTS, refs=sorted(set(refs)))


def due(connection: Connection, now: int, most: int) -> list[Periodic]:
    """Return rows whose lender is to be told by ``now`` that the consent can be used, the longest due first."""
    return _rows(connection, _DUE, now=now, most=most)


def ended(connection: Connection, now: int, most: int) -> list[Periodic]:
    """Return rows of consents whose time is over at ``now``, the longest over first."""
    return _rows(connection, _ENDED, now=now, most=most)


def remove(connection: Connection, key: Key) -> bool:
    """Delete a row; tell whether it was there."""
    done = connection.execute(_DELETE, {"key_ref": key[0], "key_id": key[1]})
    return done.rowcount > 0


def set_active(connection: Connection, key: Key, *, active: bool) -> bool:
    """Note that a consent was paused or resumed; tell whether it is periodic."""
    values = {"key_ref": key[0], "key_id": key[1], "is_active": active}
    return connection.execute(_SET_ACTIVE, values).rowcount > 0


def set_review(connection: Connection, row: Periodic, when: int | None) -> bool:
    """Set when a review is due, None where the lender is told; tell whether nobody was quicker."""
    values = {"key_ref": row.subject_ref, "key_id": row.consent_id}
    done = connection.execute(_SET_REVIEW, {**values, "before": row.review_at, "when": when})
    return done.rowcount > 0


def _rows(connection: Connection, query: Select[Any], **values: object) -> list[Periodic]:
    return [Periodic(*row) for row in connection.execute(query, values)]
