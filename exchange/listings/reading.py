"""Reading listings from the database."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select

from concordat import v1
from concordat.clock import from_micros
from concordat.store.lookup import Lookup
from exchange.listings.machine import Listing
from exchange.listings.rows import listing_of
from exchange.listings.table import (
    court_sync,
    filing_seen,
    listing,
    listing_debt,
    listing_revision,
    listing_source,
    listing_step,
)
from exchange.vault.sealing import unseal_each, unseal_many

Key = tuple[bytes, bytes]  # subject_ref, listing_id
Debt = tuple[bytes, bytes]  # subject_ref, debt commitment
StatementKey = tuple[bytes, bytes, bytes]  # subject_ref, listing_id, id of the statement


@dataclass(frozen=True, slots=True)
class Stored:
    """A listing as it is on record."""

    listing: Listing
    steps: int
    revision: int

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.listing.subject_ref, self.listing.listing_id


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a listing: the signed statement that caused it, when, and the state after it."""

    sequence: int
    envelope: v1.Envelope
    at: int  # microseconds
    state: v1.ListingState.ValueType


@dataclass(frozen=True, slots=True)
class FilingSeen:
    """A filing that was taken in: its statement digest, and its listing."""

    digest: bytes
    key: Key


_SOURCES = Lookup(
    lambda wanted: select(listing_source).where(wanted),
    listing_source.c.subject_ref,
    listing_source.c.listing_id,
)


def _by_key(finish: Callable[[Select[Any]], Select[Any]]) -> Lookup:
    def make(wanted: ColumnElement[bool]) -> Select[Any]:
        ordered = select(listing).order_by(listing.c.subject_ref, listing.c.listing_id)
        return finish(ordered.where(wanted))

    return Lookup(make, listing.c.subject_ref, listing.c.listing_id)


_BY_KEY = _by_key(lambda query: query)
_LOCKED = _by_key(lambda query: query.with_for_update())
_HELD = _by_key(lambda query: query.with_for_update(read=True))
_KEYS_OF_DEBTS = Lookup(
    lambda wanted: (
        select(listing.c.subject_ref, listing.c.debt, listing.c.listing_id)
        .where(wanted)
        .order_by(listing.c.listing_id)
    ),
    listing.c.subject_ref,
    listing.c.debt,
)
_LOCK_DEBTS = Lookup(
    lambda wanted: (
        select(listing_debt)
        .where(wanted)
        .order_by(listing_debt.c.subject_ref, listing_debt.c.debt)
        .with_for_update()
    ),
    listing_debt.c.subject_ref,
    listing_debt.c.debt,
)
_FILINGS = Lookup(
    lambda wanted: select(filing_seen).where(wanted),
    filing_seen.c.source,
    filing_seen.c.filing_id,
)
_STEPS = Lookup(
    lambda wanted: select(
        listing_step.c.subject_ref,
        listing_step.c.listing_id,
        listing_step.c.statement_id,
        listing_step.c.digest,
    ).where(wanted),
    listing_step.c.subject_ref,
    listing_step.c.listing_id,
    listing_step.c.statement_id,
)
_DISPUTE_RAISED = select(listing_step.c.sequence).where(
    listing_step.c.subject_ref == bindparam("ref"),
    listing_step.c.statement_id == bindparam("id"),
)
_DISPUTE_OPEN = select(listing.c.listing_id).where(
    listing.c.dispute_reviewer == bindparam("reviewer"), listing.c.dispute_id == bindparam("id")
)


_SYNCS = select(court_sync.c.court, court_sync.c.synced_at)


def by_keys(
    connection: Connection, keys: Iterable[Key], *, lock: bool = False, hold: bool = False
) -> dict[Key, Stored]:
    """Return the listings that exist, by key, in the order of their keys.

    Until the transaction ends nobody else changes them where they are to ``hold``, nor holds them where
    they are to ``lock``.
    """
    query = _LOCKED if lock else _HELD if hold else _BY_KEY
    return _with_sources(connection, query.run(connection, keys))


def keys_of_debts(connection: Connection, debts: Iterable[Debt]) -> dict[Debt, list[Key]]:
    """Return every listing that each debt ever had, ended ones too, the oldest first."""
    found: dict[Debt, list[Key]] = defaultdict(list)
    for row in _KEYS_OF_DEBTS.run(connection, debts):
        found[row.subject_ref, row.debt].append((row.subject_ref, row.listing_id))
    return found


def of_subject(connection: Connection, subject_ref: bytes, after: bytes, most: int) -> list[Stored]:
    """Return a subject's listings after an id, in the order of their ids."""
    query = (
        select(listing)
        .where(listing.c.subject_ref == subject_ref, listing.c.listing_id > after)
        .order_by(listing.c.listing_id)
        .limit(most)
    )
    return list(_with_sources(connection, connection.execute(query).all()).values())


def _with_sources(connection: Connection, rows: Sequence[Row[Any]]) -> dict[Key, Stored]:
    keys = [(row.subject_ref, row.listing_id) for row in rows]
    sources: dict[Key, list[Row[Any]]] = defaultdict(list)
    for source in _SOURCES.run(connection, keys):
        sources[source.subject_ref, source.listing_id].append(source)
    words = unseal_each(connection, [(row.subject_ref, row.words) for row in rows])
    return {
        key: Stored(listing_of(row, sources[key], said), row.steps, row.revision)
        for key, row, said in zip(keys, rows, words, strict=True)
    }


def lock_debts(connection: Connection, debts: Iterable[Debt]) -> frozenset[Debt]:
    """Lock the debts that were ever filed, and return them: nobody else files them meanwhile."""
    rows = _LOCK_DEBTS.run(connection, debts)
    return frozenset((row.subject_ref, row.debt) for row in rows)


def filings_seen(
    connection: Connection, keys: Iterable[tuple[str, bytes]]
) -> dict[tuple[str, bytes], FilingSeen]:
    """Return what is known of filings by (source, filing_id)."""
    rows = _FILINGS.run(connection, keys)
    return {
        (row.source, row.filing_id): FilingSeen(row.digest, (row.subject_ref, row.listing_id))
        for row in rows
    }


def step_digests(connection: Connection, keys: Iterable[StatementKey]) -> dict[StatementKey, bytes]:
    """Return the digest of each statement that was taken in, by listing and id."""
    rows = _STEPS.run(connection, keys)
    return {(row.subject_ref, row.listing_id, row.statement_id): row.digest for row in rows}


def dispute_id_used(
    connection: Connection, subject_ref: bytes, reviewer: str, dispute_id: bytes
) -> bool:
    """Tell whether the subject has used an id before, or a dispute that lies with the reviewer has it."""
    raised = connection.execute(_DISPUTE_RAISED, {"ref": subject_ref, "id": dispute_id})
    if raised.first() is not None:
        return True
    lies = connection.execute(_DISPUTE_OPEN, {"reviewer": reviewer, "id": dispute_id})
    return lies.first() is not None


def steps_of(connection: Connection, key: Key, most: int) -> list[Step]:
    """Return what happened to a listing, in order; the latest ``most`` where there is more."""
    query = (
        select(listing_step)
        .where(listing_step.c.subject_ref == key[0], listing_step.c.listing_id == key[1])
        .order_by(listing_step.c.sequence.desc())
        .limit(most)
    )
    rows = connection.execute(query).all()[::-1]
    opened = unseal_many(connection, [(key[0], row.envelope) for row in rows])
    return [
        Step(row.sequence, v1.Envelope.FromString(raw), row.at, row.state)
        for row, raw in zip(rows, opened, strict=True)
        if raw is not None
    ]


def statements_of(
    connection: Connection, key: Key, statement_ids: Iterable[bytes]
) -> dict[bytes, v1.Envelope]:
    """Return those of a listing's signed statements that have these ids, by id."""
    rows = connection.execute(
        select(listing_step.c.statement_id, listing_step.c.envelope).where(
            listing_step.c.subject_ref == key[0],
            listing_step.c.listing_id == key[1],
            listing_step.c.statement_id.in_(list(statement_ids)),
        )
    ).all()
    opened = unseal_many(connection, [(key[0], row.envelope) for row in rows])
    return {
        row.statement_id: v1.Envelope.FromString(raw)
        for row, raw in zip(rows, opened, strict=True)
        if raw is not None
    }


def syncs(connection: Connection) -> Mapping[str, datetime]:
    """Return when each court's register was last found the same."""
    rows = connection.execute(_SYNCS)
    return {row.court: from_micros(row.synced_at) for row in rows}


def lock_due(connection: Connection, now: int, most: int) -> list[Key]:
    """Lock the listings that the timer must look at by ``now`` (microseconds), the longest due first.

    Those that another process has locked are left to it, and to the next time.
    """
    query = (
        select(listing.c.subject_ref, listing.c.listing_id)
        .where(listing.c.due_at <= now)
        .order_by(listing.c.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [(row.subject_ref, row.listing_id) for row in connection.execute(query)]


def revision(connection: Connection) -> int:
    """Return the revision of the latest change of any listing; 0 before the first."""
    return connection.execute(select(listing_revision.c.revision)).scalar_one_or_none() or 0
