"""The outbox: every filing and event, durable before it is sent and until the exchange has answered."""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnClause,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    update,
)

from provider.store.bulk import Lookup, among, bound
from provider.store.listings import Key
from provider.store.upsert import BulkInsert, Insert
from provider.tables import LISTING, OUTBOX

FILING = 0  # the action of a filing, and its sequence


class Delivery(IntEnum):
    """How far a statement has come."""

    WAITING = 1  # an event, unsigned, for the id of its listing
    QUEUED = 2  # signed; to be sent, or sent and not answered
    SENT = 3  # taken by the exchange
    REFUSED = 4  # refused for good


class Posted(NamedTuple):
    """One row, in the order of the table's columns; times in microseconds."""

    subject_ref: bytes
    filing_id: bytes
    sequence: int
    statement_id: bytes
    action: int
    envelope: bytes
    state: int
    made_at: int
    due_at: int
    attempts: int = 0
    reason: int = 0
    message: str = ""
    settled_at: int | None = None

    @property
    def key(self) -> Key:
        """The filing that it is of."""
        return self.subject_ref, self.filing_id


class Change(NamedTuple):
    """What became of a statement that was queued."""

    subject_ref: bytes
    filing_id: bytes
    sequence: int
    state: int
    due_at: int
    attempts: int
    reason: int
    message: str
    settled_at: int | None


class Refused(NamedTuple):
    """A statement that the exchange refused for good, or for now, with what is known of it."""

    reference: str
    creditor: str
    action: int
    state: int
    reason: int
    message: str
    attempts: int
    made_at: int
    due_at: int


def put_filings(connection: Connection, rows: Sequence[Posted]) -> None:
    """Queue filings; one that was refused is replaced by what is filed in its place."""
    _PUT_FILINGS.run(connection, rows)


def put_events(connection: Connection, rows: Sequence[Posted]) -> None:
    """Queue events; raise ``IntegrityError`` where another process gave one the same place."""
    _PUT_EVENTS.run(connection, rows)


def due(connection: Connection, at: int, most: int, *, filings: bool) -> list[Posted]:
    """Return what is to be sent at ``at``, the longest due first: filings, or events.

    An event is not among them before all that was said of its listing earlier is settled.
    """
    rows = connection.execute(_DUE_FILINGS if filings else _DUE_EVENTS, {"at": at, "most": most})
    return [Posted(*row) for row in rows]


def next_due(connection: Connection) -> int | None:
    """Return when something is to be sent next; None where nothing is queued."""
    return connection.execute(_NEXT_DUE).scalar_one_or_none()


def of_filings(connection: Connection, keys: Sequence[Key]) -> dict[Key, list[Posted]]:
    """Return all that was said of some filings, in order; at most 16,384 filings at once."""
    found: dict[Key, list[Posted]] = {key: [] for key in keys}
    # By subject alone: each has few, and a look-up by two lists tries every pair of them.
    rows = _OF_SUBJECTS.run(connection, sorted({key[0] for key in keys}))
    for posted in sorted((Posted(*row) for row in rows), key=lambda row: row.sequence):
        if posted.key in found:
            found[posted.key].append(posted)
    return found


def change(connection: Connection, changes: Iterable[Change]) -> None:
    """Put down what became of queued statements; one that is settled already stays as it is."""
    if rows := bound(changes):
        connection.execute(_CHANGE, rows)


def sign(connection: Connection, posts: Iterable[Posted]) -> None:
    """Replace waiting events by what they are once signed, and queue them."""
    rows = [
        {
            "_subject_ref": post.subject_ref,
            "_filing_id": post.filing_id,
            "_sequence": post.sequence,
            "_envelope": post.envelope,
            "_due_at": post.due_at,
        }
        for post in posts
    ]
    if rows:
        connection.execute(_SIGN, rows)


def ask_again(connection: Connection, key: Key, at: int) -> None:
    """Queue a filing that was taken once more: the answer says where its listing stands now."""
    connection.execute(_ASK_AGAIN, {"_subject_ref": key[0], "_filing_id": key[1], "at": at})


def counts(connection: Connection) -> dict[Delivery, int]:
    """Return how many statements have come how far."""
    query = select(OUTBOX.c.state, func.count()).group_by(OUTBOX.c.state)
    return {Delivery(state): count for state, count in connection.execute(query)}


def unsettled(connection: Connection) -> int:
    """Return how many statements wait, or are to be sent."""
    return connection.execute(_COUNT_UNSETTLED).scalar_one()


def troubled(connection: Connection, most: int) -> list[Refused]:
    """Return statements that were refused, or failed and are tried again; the latest first."""
    on = and_(
        LISTING.c.subject_ref == OUTBOX.c.subject_ref, LISTING.c.filing_id == OUTBOX.c.filing_id
    )
    query = (
        select(
            LISTING.c.reference,
            LISTING.c.creditor,
            *(OUTBOX.c[name] for name in Refused._fields[2:]),
        )
        .join(LISTING, on)
        .where(
            OUTBOX.c.state.in_([Delivery.QUEUED.value, Delivery.REFUSED.value]),
            (OUTBOX.c.reason != 0) | (OUTBOX.c.message != ""),
        )
        .order_by(OUTBOX.c.made_at.desc(), OUTBOX.c.statement_id.desc())
        .limit(most)
    )
    return [Refused(*row) for row in connection.execute(query)]


def _literal(state: Delivery) -> ColumnClause[Any]:
    return literal_column(str(state.value))


_KEY = ["subject_ref", "filing_id", "sequence"]


def _replace_refused(insert: Insert) -> Insert:
    new = insert.excluded
    changed = {name: new[name] for name in Posted._fields if name not in _KEY}
    return insert.on_conflict_do_update(
        index_elements=_KEY, set_=changed, where=OUTBOX.c.state == _literal(Delivery.REFUSED)
    )


_PUT_FILINGS = BulkInsert(OUTBOX, _replace_refused)
_PUT_EVENTS = BulkInsert(OUTBOX, lambda insert: insert)
_EARLIER = OUTBOX.alias("earlier")
_UNSETTLED_EARLIER = exists().where(
    _EARLIER.c.subject_ref == OUTBOX.c.subject_ref,
    _EARLIER.c.filing_id == OUTBOX.c.filing_id,
    _EARLIER.c.sequence < OUTBOX.c.sequence,
    _EARLIER.c.state.in_([_literal(Delivery.WAITING), _literal(Delivery.QUEUED)]),
)
_COUNT_UNSETTLED = (
    select(func.count())
    .select_from(OUTBOX)
    .where(OUTBOX.c.state.in_([_literal(Delivery.WAITING), _literal(Delivery.QUEUED)]))
)
_DUE = (
    select(OUTBOX)
    .where(OUTBOX.c.state == _literal(Delivery.QUEUED), OUTBOX.c.due_at <= bindparam("at"))
    .order_by(OUTBOX.c.due_at, OUTBOX.c.statement_id)
    .limit(bindparam("most"))
)
_DUE_FILINGS = _DUE.where(OUTBOX.c.sequence == FILING)
_DUE_EVENTS = _DUE.where(OUTBOX.c.sequence > FILING, ~_UNSETTLED_EARLIER)
_NEXT_DUE = select(func.min(OUTBOX.c.due_at)).where(OUTBOX.c.state == _literal(Delivery.QUEUED))
_OF_SUBJECTS = Lookup(lambda size: select(OUTBOX).where(among(OUTBOX.c.subject_ref, size)))
_IS_FILING = and_(
    OUTBOX.c.subject_ref == bindparam("_subject_ref"),
    OUTBOX.c.filing_id == bindparam("_filing_id"),
)
_IS_ROW = and_(_IS_FILING, OUTBOX.c.sequence == bindparam("_sequence"))
_CHANGE = (
    update(OUTBOX)
    .where(_IS_ROW, OUTBOX.c.state.in_([_literal(Delivery.WAITING), _literal(Delivery.QUEUED)]))
    .values({name: bindparam(f"_{name}") for name in Change._fields[3:]})
)
_SIGN = (
    update(OUTBOX)
    .where(_IS_ROW, OUTBOX.c.state == _literal(Delivery.WAITING))
    .values(
        envelope=bindparam("_envelope"), due_at=bindparam("_due_at"), state=Delivery.QUEUED.value
    )
)
_ASK_AGAIN = (
    update(OUTBOX)
    .where(_IS_FILING, OUTBOX.c.sequence == FILING, OUTBOX.c.state == _literal(Delivery.SENT))
    .values(state=Delivery.QUEUED.value, due_at=bindparam("at"))
)
