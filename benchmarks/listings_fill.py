"""An exchange's database with as many listings in force as asked for, before the exchange starts."""

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    func,
    insert,
    literal,
    select,
)

from clients.sandbox import REVIEWER
from concordat.clock import to_micros
from concordat.ids import new_id
from concordat.v1 import DisputeGround, DisputeStage, ListingBasis, ListingState, WithdrawalCode
from exchange.database import open_database
from exchange.listings.machine import Listing, Source, next_due
from exchange.listings.machine.listing import OpenDispute
from exchange.listings.profile import Profiles
from exchange.listings.rows import Values, listing_values, source_values
from exchange.listings.table import listing, listing_revision, listing_source
from exchange.vault.cipher import vault_of
from exchange.vault.keyring import Keyring

PROFILE = "us"
LIFE, NOTICE, DAY = timedelta(days=2735), timedelta(days=120), timedelta(days=1)
OLDEST = 1_800  # days since the delinquency, at most
SHOWN, NEVER = "listed", "never"
HIDDEN = ("noticed", "suppressed", "expired", "withdrawn", "repaired")  # why one is not shown

# Fresh listings: what is different in each. In the order of the key they are written several times faster.
_FRESH = Table(
    "fresh",
    MetaData(),
    Column("subject_ref", LargeBinary),
    Column("listing_id", LargeBinary),
    Column("debt", LargeBinary),
    Column("delinquent_since", Integer),
    Column("amount", Integer),
    prefixes=["TEMPORARY"],
)
_AT_ONCE = 1_000_000
_REVISION = 1


def fill(
    database: Path,
    keyring: Keyring,
    furnisher: str,
    size: int,
    at: datetime,
    named: Iterable[Listing],
) -> None:
    """Put ``size`` listings in force into an exchange's new SQLite file, and those that are ``named``.

    They are the rows that the ledger would write of debts that ``furnisher`` filed, of subjects made up by
    the machine. What led to them (steps, entries of the log, messages) is left out: no check reads it.
    """
    engine = open_database(f"sqlite:///{database}", keyring)
    keyed = vault_of(engine).keyed
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.create_function("fresh_ref", 0, lambda: keyed(os.urandom(32)))
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        connection.exec_driver_sql("PRAGMA cache_size = -1000000")
        connection.exec_driver_sql("PRAGMA temp_store = MEMORY")
    with engine.begin() as connection:
        indexes = [*listing.indexes, *listing_source.indexes]
        for index in indexes:
            index.drop(connection)
        for first in range(0, size, _AT_ONCE):
            _fill(connection, furnisher, min(_AT_ONCE, size - first), at)
        put(connection, named)
        for index in indexes:
            index.create(connection)
        connection.execute(insert(listing_revision).values(id=1, revision=_REVISION))
    engine.dispose()


def _fill(connection: Connection, furnisher: str, size: int, at: datetime) -> None:
    _FRESH.create(connection)
    numbers = select(literal(1).label("number")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.number + 1).where(numbers.c.number < size))
    days = func.abs(func.random()) % OLDEST + NOTICE.days + 1
    fresh = select(
        func.fresh_ref(),
        func.randomblob(16),
        func.randomblob(32),
        to_micros(at) - days * (DAY // timedelta(microseconds=1)),
        10_000 + func.abs(func.random()) % 20_000_000,
    )
    names = [column.name for column in _FRESH.c]
    connection.execute(insert(_FRESH).from_select(names, fresh.select_from(numbers)))
    model = listing_of(furnisher, bytes(32), SHOWN, at)
    since, varied = _FRESH.c.delinquent_since, {column.name: column for column in _FRESH.c}
    ends = since + LIFE // timedelta(microseconds=1)
    moments = {
        "effective_at": since + NOTICE // timedelta(microseconds=1),
        "expires_at": ends,
        "due_at": ends,
    }
    _copy(connection, listing, {**row_of(model), **varied, **moments})
    keys = {name: varied[name] for name in ("subject_ref", "listing_id")}
    _copy(
        connection,
        listing_source,
        {**source_values(model)[0], **keys, "filing_id": func.randomblob(16)},
    )
    _FRESH.drop(connection)


def _copy(connection: Connection, table: Table, values: Values) -> None:
    """Insert a row for each fresh listing; ``values`` are those that all have, or expressions."""
    columns = {
        name: value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)
        for name, value in values.items()
        if value is not None
    }
    query = select(*columns.values()).select_from(_FRESH).order_by(_FRESH.c.subject_ref)
    connection.execute(insert(table).from_select(list(columns), query))


def put(connection: Connection, named: Iterable[Listing]) -> None:
    """Insert listings one for one."""
    every = list(named)
    if every:
        connection.execute(insert(listing), [row_of(each) for each in every])
        connection.execute(
            insert(listing_source), [row for each in every for row in source_values(each)]
        )


def row_of(each: Listing) -> Values:
    """Return the row that the ledger would write."""
    due = next_due(each, Profiles.load()[each.profile])
    columns = {"steps": 1, "revision": _REVISION, "due_at": None if due is None else to_micros(due)}
    return {**listing_values(each), **columns}


def listing_of(furnisher: str, subject_ref: bytes, why: str, at: datetime) -> Listing:
    """Return a listing of a subject that is shown (``SHOWN``), or not for one of the reasons of ``HIDDEN``.

    One that is expired is still to be ended: the exchange's timer does that when it starts.
    """
    since = at - LIFE if why == "expired" else at - timedelta(days=400)
    basis = ListingBasis.LISTING_BASIS_LOAN
    filed = since + timedelta(days=90)
    state = {
        "noticed": ListingState.LISTING_STATE_NOTICED,
        "suppressed": ListingState.LISTING_STATE_UNDER_REVIEW,
        "withdrawn": ListingState.LISTING_STATE_WITHDRAWN,
        "repaired": ListingState.LISTING_STATE_REPAIRED,
    }.get(why, ListingState.LISTING_STATE_EFFECTIVE)
    noticed, disputed = why == "noticed", why == "suppressed"
    return Listing(
        listing_id=new_id(),
        subject_ref=subject_ref,
        debt=new_id() + new_id(),
        profile=PROFILE,
        state=state,
        currency="USD",
        amount=250_000,
        delinquent_since=since,
        evidence_hash=bytes(32),
        filed_at=filed,
        expires_at=since + LIFE,
        sources=(Source(furnisher, new_id(), court=False, basis=basis, reconfirmed_at=filed),),
        delivered_at=filed,
        effective_from=at + DAY if noticed else since + NOTICE,
        effective_at=None if noticed else since + NOTICE,
        settled_at=at - DAY if why == "repaired" else None,
        back_to=ListingState.LISTING_STATE_EFFECTIVE if disputed else None,
        dispute=_dispute(at) if disputed else None,
        withdrawal=WithdrawalCode.WITHDRAWAL_CODE_FILED_IN_ERROR
        if why == "withdrawn"
        else WithdrawalCode.WITHDRAWAL_CODE_UNSPECIFIED,
    )


def _dispute(at: datetime) -> OpenDispute:
    return OpenDispute(
        dispute_id=new_id(),
        stage=DisputeStage.DISPUTE_STAGE_REVIEW,
        ground=DisputeGround.DISPUTE_GROUND_AMOUNT,
        reviewer=REVIEWER,
        due_at=at + timedelta(days=30),
        suppresses=True,
    )
