"""What this member filed, and where the exchange said that it stands."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from provider.store.bulk import Lookup, among, bound
from provider.store.upsert import BulkInsert, Insert
from provider.tables import LISTING

Key = tuple[bytes, bytes]  # subject_ref, filing_id


class Listed(NamedTuple):
    """One row, in the order of the table's columns; times in microseconds."""

    subject_ref: bytes
    filing_id: bytes
    debt: bytes
    creditor: str
    reference: str
    kind: int
    basis: int
    currency: str
    amount: int
    delinquent_since: int
    evidence_hash: bytes
    source_ends_at: int | None
    listing_id: bytes | None = None
    state: int = 0
    version: int = 0
    noticed_at: int | None = None
    effective_from: int | None = None
    expires_at: int | None = None
    told_at: int | None = None
    ended_at: int | None = None

    @property
    def key(self) -> Key:
        """What its row is found by."""
        return self.subject_ref, self.filing_id


class Told(NamedTuple):
    """Where a listing stands, as the exchange answered; times in microseconds."""

    subject_ref: bytes
    filing_id: bytes
    listing_id: bytes
    state: int
    version: int
    noticed_at: int | None
    effective_from: int | None
    expires_at: int
    told_at: int
    ended_at: int | None


class Facts(NamedTuple):
    """What a correction that was taken has changed."""

    subject_ref: bytes
    filing_id: bytes
    amount: int
    delinquent_since: int
    evidence_hash: bytes


def put(connection: Connection, rows: Sequence[Listed]) -> None:
    """Keep what is filed; a filing that is filed anew after a refusal replaces its facts."""
    _PUT.run(connection, rows)


def open_by_debt(connection: Connection, debts: Sequence[bytes]) -> dict[bytes, Listed]:
    """Return the row that has not ended of each debt that has one, by its commitment."""
    rows = (Listed(*row) for row in _OPEN.run(connection, debts))
    return {row.debt: row for row in rows}


def ended_debts(connection: Connection, debts: Sequence[bytes]) -> set[bytes]:
    """Return those of ``debts`` that were listed before."""
    return {debt for (debt,) in _ENDED.run(connection, debts)}


def by_keys(connection: Connection, keys: Sequence[Key]) -> dict[Key, Listed]:
    """Return the rows of these filings; at most 16,384 at once."""
    wanted = set(keys)
    # By subject alone: each has few, and a look-up by two lists tries every pair of them.
    refs = sorted({key[0] for key in wanted})
    rows = (Listed(*row) for row in _BY_SUBJECTS.run(connection, refs))
    return {row.key: row for row in rows if row.key in wanted}


def by_reference(connection: Connection, reference: str) -> list[Listed]:
    """Return every row of a reference, whoever its creditor is; those that ended first, then by id."""
    query = select(LISTING).where(LISTING.c.reference == reference)
    rows = [Listed(*row) for row in connection.execute(query)]
    return sorted(rows, key=lambda row: (row.ended_at is None, row.filing_id))


def all_open(connection: Connection) -> list[Listed]:
    """Return every row that has not ended: what a court compares its register with."""
    query = select(LISTING).where(LISTING.c.ended_at.is_(None))
    return [Listed(*row) for row in connection.execute(query)]


def one_of(connection: Connection, creditor: str) -> Listed | None:
    """Return any row of a creditor's debts; None where there is none."""
    query = select(LISTING).where(LISTING.c.creditor == creditor).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Listed(*row)


def counts(connection: Connection) -> dict[int, int]:
    """Return how many open listings there are in each state, 0 for those not answered yet."""
    query = (
        select(LISTING.c.state, func.count())
        .where(LISTING.c.ended_at.is_(None))
        .group_by(LISTING.c.state)
    )
    return {state: count for state, count in connection.execute(query)}  # noqa: C416 - rows, not pairs


def tell(connection: Connection, told: Iterable[Told]) -> None:
    """Put down where listings stand; one that was known to have ended stays ended."""
    if rows := bound(told):
        connection.execute(_TELL, rows)


def correct(connection: Connection, facts: Iterable[Facts]) -> None:
    """Put down corrections that the exchange took."""
    if rows := bound(facts):
        connection.execute(_CORRECT, rows)


_KEY_COLUMNS = ("subject_ref", "filing_id")


def _replace_facts(insert: Insert) -> Insert:
    new = insert.excluded
    changed = {name: new[name] for name in Listed._fields[2:12]}
    return insert.on_conflict_do_update(index_elements=list(_KEY_COLUMNS), set_=changed)


_PUT = BulkInsert(LISTING, _replace_facts)
_OPEN = Lookup(
    lambda size: select(LISTING).where(among(LISTING.c.debt, size), LISTING.c.ended_at.is_(None))
)
_ENDED = Lookup(
    lambda size: (
        select(LISTING.c.debt)
        .where(among(LISTING.c.debt, size), LISTING.c.ended_at.is_not(None))
        .distinct()
    )
)
_BY_SUBJECTS = Lookup(lambda size: select(LISTING).where(among(LISTING.c.subject_ref, size)))
_IS_KEY = (LISTING.c.subject_ref == bindparam("_subject_ref")) & (
    LISTING.c.filing_id == bindparam("_filing_id")
)
_TELL = (
    update(LISTING)
    .where(_IS_KEY)
    .values(
        {name: bindparam(f"_{name}") for name in Told._fields[2:9]}
        | {"ended_at": func.coalesce(LISTING.c.ended_at, bindparam("_ended_at"))}
    )
)
_CORRECT = (
    update(LISTING)
    .where(_IS_KEY)
    .values({name: bindparam(f"_{name}") for name in Facts._fields[2:]})
)
