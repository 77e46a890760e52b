"""What the store of statistics promises, on SQLite and on PostgreSQL alike, over several processes."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select, text

from concordat import v1
from concordat.clock import to_micros
from concordat.ids import new_id
from concordat.store.group_commit import GroupCommit
from concordat.trust.envelope import validate
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T
from exchange.listings.machine import Listing, Source
from exchange.listings.machine.listing import EFFECTIVE, UNDER_REVIEW, WITHDRAWN, State
from exchange.listings.rows import listing_values, source_values
from exchange.supervision.settings import SupervisionSettings
from exchange.supervision.statistics import counting, table
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.office import StatisticsOffice
from exchange.supervision.statistics.periods import Period
from exchange.tables import (
    access_entry,
    consent,
    listing,
    listing_source,
    retraction,
    statistics_told,
)
from tests.builders import AT, DAY, LENDER, Federation
from tests.listing_builders import FURNISHER
from tests.vault_builders import exchange_engine, own_postgres, prepared

OTHER = "a-telecom"
_KEPT = {"steps": 1, "revision": 1}  # what the ledger adds to a listing
_DATABASE = "statistics_contract"
_ACT: table.Counted = (Series.FISHING, LENDER, int(M.STATISTICS_MEASURE_SIGNAL_NO_MATCH))


class Exchange:
    """A database, and the statistics office of each of several processes on it."""

    def __init__(self, url: str, processes: int) -> None:
        self.federation = Federation()
        self.engines: list[Engine] = [exchange_engine(url) for _ in range(processes)]
        self.stores = [GroupCommit(engine) for engine in self.engines]
        self.offices = [
            StatisticsOffice(SupervisionSettings(), self.federation.directory) for _ in self.stores
        ]

    def read(self, period: Period, process: int = 0) -> Mapping[int, bytes]:
        office = self.offices[process % len(self.offices)]
        tables = self.stores[process % len(self.stores)].run(
            lambda connection: office.read(connection, period, AT)
        )
        return {each.table: each.SerializeToString(deterministic=True) for each in tables}

    def standing(self, period: Period, at: datetime) -> v1.Statistics:
        """Return how listings stood on a day, of which the statistics are read at a time."""
        read = self.offices[0].read
        (told,) = [
            each
            for each in self.stores[0].run(lambda connection: read(connection, period, at))
            if each.table == T.STATISTICS_TABLE_LISTINGS_BY_STATE
        ]
        return told

    def close(self) -> None:
        for store, engine in zip(self.stores, self.engines, strict=True):
            store.close()
            engine.dispose()


class StatisticsStoreContract:
    """Run on each backend by the classes below."""

    def test_what_several_processes_count_at_once_adds_up(self, exchange: Exchange) -> None:
        def add(nth: int) -> None:
            store = exchange.stores[nth % len(exchange.stores)]
            counts = {(20_000, _ACT): 2}
            store.run(lambda connection: table.add(connection, f"process {nth % 2}", counts))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(add, range(12)))
        found = exchange.stores[0].run(lambda c: table.counted(c, Series.FISHING, (20_000, 20_001)))
        assert found == {LENDER: {_ACT[2]: 24}}

    def test_processes_that_make_a_period_at_once_tell_the_same(self, exchange: Exchange) -> None:
        period = Period.day_before(AT)
        with ThreadPoolExecutor(4) as threads:
            told = list(threads.map(lambda nth: exchange.read(period, nth), range(4)))
        assert all(each == told[0] for each in told)
        rows = exchange.stores[0].run(
            lambda c: c.execute(select(func.count()).select_from(statistics_told)).scalar_one()
        )
        assert rows == len(told[0]) > 0

    def test_every_table_is_made_of_what_is_there(self, exchange: Exchange) -> None:
        at = AT - DAY
        exchange.stores[0].run(lambda c: counting.count(c, [(at, [_ACT])]))
        exchange.stores[0].run(lambda c: c.execute(insert(consent), _consents()))
        exchange.stores[0].run(lambda c: c.execute(insert(access_entry), _entries()))
        exchange.stores[0].run(lambda c: c.execute(insert(retraction), _recalls()))
        day = exchange.read(Period.day_before(AT))
        month = exchange.read(Period.month_before(AT))
        assert {*day, *month} == {each for each in T.values() if each}
        delay = exchange.offices[0].read
        (told,) = [
            each
            for each in exchange.stores[0].run(lambda c: delay(c, Period.day_before(AT), AT))
            if each.table == T.STATISTICS_TABLE_CONSENT_DELAY
        ]
        assert told.rows[-1].cells[0].up_to_ms == timedelta(hours=1) // timedelta(milliseconds=1)
        (recalls,) = [
            each
            for each in exchange.stores[0].run(lambda c: delay(c, Period.month_before(AT), AT))
            if each.table == T.STATISTICS_TABLE_RECALLS
        ]
        assert recalls.rows[-1].cells[0].count == 10

    def test_listings_are_counted_once_by_who_filed_them_first_and_the_state_they_stand_in(
        self, exchange: Exchange
    ) -> None:
        run = exchange.stores[0].run
        filed = [
            *(_filed(FURNISHER, EFFECTIVE) for _ in range(21)),
            *(_filed(FURNISHER, UNDER_REVIEW) for _ in range(12)),
            *(_filed(OTHER, EFFECTIVE) for _ in range(16)),
            *(_filed(OTHER, UNDER_REVIEW) for _ in range(11)),
            *(_filed(FURNISHER, WITHDRAWN) for _ in range(40)),
        ]
        own = [listing_values(each) | _KEPT for each in filed]
        vouched = [row for each in filed for row in source_values(each)]
        run(lambda c: c.execute(insert(listing), own))
        run(lambda c: c.execute(insert(listing_source), vouched))
        period = Period.day_before(AT)
        told = exchange.standing(period, period.end + timedelta(minutes=10))
        assert [
            (row.member, [cell.count for cell in row.cells if cell.WhichOneof("told")])
            for row in told.rows
        ] == [(OTHER, [20, 10]), (FURNISHER, [20, 10]), ("", [40, 20])]
        validate(told)
        assert exchange.standing(period, AT) == told
        late = Period.day((period.start - DAY).date().isoformat())
        assert not exchange.standing(late, late.end + DAY).rows  # what stands now is another day's


def _filed(member: str, state: State) -> Listing:
    """Return a listing that one filed first, and that the others vouch for as well."""
    basis = v1.ListingBasis.LISTING_BASIS_LOAN
    return Listing(
        listing_id=new_id(),
        subject_ref=new_id() * 2,
        debt=bytes(32),
        profile="eu",
        state=state,
        currency="EUR",
        amount=75_000,
        delinquent_since=AT - 200 * DAY,
        evidence_hash=bytes(32),
        filed_at=AT - 50 * DAY,
        expires_at=AT + 900 * DAY,
        sources=tuple(
            Source(each, new_id(), court=False, basis=basis, reconfirmed_at=AT)
            for each in sorted((FURNISHER, OTHER), key=lambda each: each != member)
        ),
    )


def _consents() -> list[dict[str, object]]:
    return [
        {
            "subject_ref": bytes([nth]) * 32,
            "consent_id": bytes([nth]) * 16,
            "digest": bytes(32),
            "recipient": LENDER,
            "state": 1,
            "uses": 1,
            "event_sequence": 0,
            "valid_until": to_micros(AT),
            "binding_version": 1,
            "granted_at": to_micros(AT - DAY - timedelta(minutes=50)),
            "envelope": b"",
        }
        for nth in range(12)
    ]


def _entries() -> list[dict[str, object]]:
    return [
        {
            "subject_ref": bytes([nth]) * 32,
            "access_id": new_id(),
            "lender": LENDER,
            "consent_id": bytes([nth]) * 16,
            "request_digest": bytes(32),
            "purpose": 1,
            "disclosure": 1,
            "recorded_at": to_micros(AT - DAY),
            "refusal": 0,
            "counted": True,
            "threshold": 0,
        }
        for nth in range(12)
    ]


def _recalls() -> list[dict[str, object]]:
    issued = Period.month_before(AT).start
    return [
        {
            "lender": LENDER,
            "retraction_id": new_id(),
            "subject_ref": bytes([nth]) * 32,
            "listing_id": bytes(16),
            "digest": bytes(32),
            "envelope": b"",
            "issued_at": to_micros(issued),
            "due_at": to_micros(issued + 3 * DAY),
            "acknowledged_at": to_micros(issued + DAY),
        }
        for nth in range(11)
    ]


class TestOnSqlite(StatisticsStoreContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        url = prepared(f"sqlite:///{tmp_path / 'exchange.db'}")
        exchange = Exchange(url, processes=1)
        yield exchange
        exchange.close()


class TestOnPostgresql(StatisticsStoreContract):
    @pytest.fixture
    def exchange(self, postgres_url: str) -> Iterator[Exchange]:
        server = exchange_engine(postgres_url)
        with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {_DATABASE}"))
        server.dispose()
        url = prepared(own_postgres(postgres_url, _DATABASE))
        exchange = Exchange(url, processes=2)
        yield exchange
        exchange.close()
