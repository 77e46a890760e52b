"""Reading listings from the database."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, tuple_

from concordat.clock import from_micros
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

Key = tuple[bytes, bytes]  # subject_ref, listing_id
Debt = tuple[bytes, bytes]  # subject_ref, debt commitment


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


_SOURCES = select(listing_source).where(
    tuple_(listing_source.c.subject_ref, listing_source.c.listing_id).in_(
        bindparam("keys", expanding=True)
    )
)
_BY_KEY = (
    select(listing)
    .where(
        tuple_(listing.c.subject_ref, listing.c.listing_id).in_(bindparam("keys", expanding=True))
    )
    .order_by(listing.c.subject_ref, listing.c.listing_id)
)
_BY_DEBT = select(listing).where(
    tuple_(listing.c.subject_ref, listing.c.debt).in_(bindparam("keys", expanding=True))
)
_LOCK_DEBTS = (
    select(listing_debt)
    .where(
        tuple_(listing_debt.c.subject_ref, listing_debt.c.debt).in_(
            bindparam("keys", expanding=True)
        )
    )
    .order_by(listing_debt.c.subject_ref, listing_debt.c.debt)
    .with_for_update()
)
_FILINGS = select(filing_seen).where(
    tuple_(filing_seen.c.source, filing_seen.c.filing_id).in_(bindparam("keys", expanding=True))
)
_STEP = select(listing_step.c.digest).where(
    listing_step.c.subject_ref == bindparam("ref"),
    listing_step.c.listing_id == bindparam("id"),
    listing_step.c.statement_id == bindparam("statement"),
)


def by_keys(
    connection: Connection, keys: Iterable[Key], *, lock: bool = False
) -> dict[Key, Stored]:
    """Return the listings that exist, by key, locked until the transaction ends if asked."""
    query = _BY_KEY.with_for_update() if lock else _BY_KEY
    return _read(connection, query, sorted(set(keys)))


def by_debts(connection: Connection, debts: Iterable[Debt]) -> dict[Debt, list[Stored]]:
    """Return every listing that each debt ever had, ended ones too."""
    found: dict[Debt, list[Stored]] = defaultdict(list)
    for stored in _read(connection, _BY_DEBT, sorted(set(debts))).values():
        found[stored.listing.subject_ref, stored.listing.debt].append(stored)
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


def _read(
    connection: Connection, query: Select[Any], keys: Sequence[tuple[bytes, bytes]]
) -> dict[Key, Stored]:
    if not keys:
        return {}
    return _with_sources(connection, connection.execute(query, {"keys": keys}).all())


def _with_sources(connection: Connection, rows: Sequence[Row[Any]]) -> dict[Key, Stored]:
    keys = [(row.subject_ref, row.listing_id) for row in rows]
    sources: dict[Key, list[Row[Any]]] = defaultdict(list)
    for source in connection.execute(_SOURCES, {"keys": keys}) if keys else ():
        sources[source.subject_ref, source.listing_id].append(source)
    return {
        key: Stored(listing_of(row, sources[key]), row.steps, row.revision)
        for key, row in zip(keys, rows, strict=True)
    }


def lock_debts(connection: Connection, debts: Iterable[Debt]) -> frozenset[Debt]:
    """Lock the debts that were ever filed, and return them: nobody else files them meanwhile."""
    rows = connection.execute(_LOCK_DEBTS, {"keys": sorted(set(debts))})
    return frozenset((row.subject_ref, row.debt) for row in rows)


def filings_seen(
    connection: Connection, keys: Iterable[tuple[str, bytes]]
) -> dict[tuple[str, bytes], Row[Any]]:
    """Return what is known of filings by (source, filing_id)."""
    rows = connection.execute(_FILINGS, {"keys": sorted(set(keys))})
    return {(row.source, row.filing_id): row for row in rows}


def step_digest(connection: Connection, key: Key, statement_id: bytes) -> bytes | None:
    """Return the digest of the statement that was taken in under an id; None where none was."""
    found = connection.execute(_STEP, {"ref": key[0], "id": key[1], "statement": statement_id})
    return found.scalar_one_or_none()


def steps_of(connection: Connection, key: Key, most: int) -> Sequence[Row[Any]]:
    """Return what happened to a listing, in order; the latest ``most`` where there is more."""
    query = (
        select(listing_step)
        .where(listing_step.c.subject_ref == key[0], listing_step.c.listing_id == key[1])
        .order_by(listing_step.c.sequence.desc())
        .limit(most)
    )
    return connection.execute(query).all()[::-1]


def syncs(connection: Connection) -> Mapping[str, datetime]:
    """Return when each court's register was last found the same."""
    rows = connection.execute(select(court_sync.c.court, court_sync.c.synced_at))
    return {row.court: from_micros(row.synced_at) for row in rows}


def due_keys(connection: Connection, now: int, most: int) -> list[Key]:
    """Return the listings that the timer must look at by ``now`` (microseconds), the longest due first."""
    query = (
        select(listing.c.subject_ref, listing.c.listing_id)
        .where(listing.c.due_at <= now)
        .order_by(listing.c.due_at)
        .limit(most)
    )
    return [(row.subject_ref, row.listing_id) for row in connection.execute(query)]


def revision(connection: Connection) -> int:
    """Return the revision of the latest change of any listing; 0 before the first."""
    return connection.execute(select(listing_revision.c.revision)).scalar_one_or_none() or 0
