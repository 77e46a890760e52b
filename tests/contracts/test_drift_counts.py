"""What the counts of drift promise, on SQLite and on PostgreSQL alike, over several processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.v1 import DriftCause, DriftLevel, Reason
from concordat.verify.outcome_counts import open_outcome_counts
from exchange.drift.counting import ScoreCounter
from exchange.drift.outcomes import take_outcomes
from exchange.drift.settings import DriftSettings
from exchange.drift.table import Cell
from exchange.drift.watch import DriftWatch, Found, Moved
from exchange.tables import access_entry, drift_level, log_queue, outcome_count, score_count
from exchange.views import table as views
from tests.builders import AT, DAY, LENDER, PROVIDERS, Federation
from tests.drift_builders import fitted, outcome_counts, report
from tests.vault_builders import exchange_engine, own_postgres, prepared, to_newest_schema

ALDER, BIRCH, CEDAR = PROVIDERS
NONE, WATCH, STALE = (
    DriftLevel.DRIFT_LEVEL_NONE,
    DriftLevel.DRIFT_LEVEL_WATCH,
    DriftLevel.DRIFT_LEVEL_STALE,
)
_DATABASE = "drift_counts_contract"


class Exchange:
    """A database, and what an exchange process has on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.federation: Federation = fitted()
        self._opened: list[tuple[GroupCommit, Engine]] = []
        self.store = self.open()
        self.counter = ScoreCounter()
        self.watch = DriftWatch(DriftSettings(), self.federation.directory)

    @property
    def engine(self) -> Engine:
        return self._opened[0][1]

    def open(self) -> GroupCommit:
        """Return the database thread of one more process; on SQLite, which allows one, of the same."""
        if self._opened and self.url.startswith("sqlite"):
            return self.store
        engine = exchange_engine(self.url)
        self._opened.append((GroupCommit(engine), engine))
        return self._opened[-1][0]

    def count(self, at: datetime, scores: Sequence[int], provider: str = ALDER) -> None:
        """Count so many scores in each bin."""
        cells: list[Cell] = [
            (2, provider, place) for place, many in enumerate(scores) for _ in range(many)
        ]
        self.store.run(lambda connection: self.counter.count(connection, [(at, cells)]))

    def evaluate(self, at: datetime) -> list[Moved]:
        return self.store.run(lambda connection: self.watch.evaluate(connection, at))

    def found(self, at: datetime, provider: str = ALDER, version: int = 2) -> Found:
        found = self.store.run(lambda connection: self.watch.find(connection, at))
        return next(each for each in found if (each.provider, each.version) == (provider, version))

    def report(self, envelope: v1.Envelope, at: datetime | None = None) -> bool:
        fed, at = self.federation, at or self.federation.at
        counts = open_outcome_counts(envelope, fed.member(LENDER), fed.anchors, at)
        return self.store.run(
            lambda connection: take_outcomes(connection, self.watch, counts, envelope, at)
        )

    def refused(self, envelope: v1.Envelope) -> Reason.ValueType:
        with pytest.raises(Refusal) as caught:
            self.report(envelope)
        return caught.value.reason

    def rows(self, table: Any) -> int:
        query = select(func.count()).select_from(table)
        return int(self.store.run(lambda connection: connection.execute(query).scalar_one()))

    def outcomes(self) -> list[tuple[int, int]]:
        found = self.found(self.federation.at)
        return [(each.outcomes, each.defaults) for each in found.bins]

    def close(self) -> None:
        for store, engine in self._opened:
            store.close()
            engine.dispose()


class DriftCountsContract:
    """Run on each backend by the classes below."""

    # Scores -------------------------------------------------------------------------------------

    def test_what_several_processes_count_at_once_adds_up(self, exchange: Exchange) -> None:
        others = [(exchange.open(), ScoreCounter()) for _ in range(2)]
        cells: list[Cell] = [(2, ALDER, 0), (2, ALDER, 3), (2, BIRCH, 1)]

        def count(nth: int) -> None:
            store, counter = others[nth % 2]
            store.run(lambda connection: counter.count(connection, [(AT - DAY, cells)]))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(count, range(20)))
        assert [each.scores for each in exchange.found(AT).bins] == [20, 0, 0, 20]
        assert [each.scores for each in exchange.found(AT, BIRCH).bins] == [0, 20, 0, 0]
        assert exchange.rows(score_count) == 6

    def test_processes_that_release_under_one_access_at_once_count_it_once(
        self, exchange: Exchange
    ) -> None:
        ref, access_id = b"\x01" * 32, b"\x02" * 16
        entry = {"subject_ref": ref, "access_id": access_id, "lender": LENDER, "purpose": 1}
        entry |= {"consent_id": bytes(16), "request_digest": bytes(32), "disclosure": 1}
        entry |= {"recorded_at": 1, "refusal": 0, "counted": True, "threshold": 0}
        row = {"key_ref": ref, "key_id": access_id, "at": 2, "outcome": "complete"}
        exchange.store.run(lambda c: c.execute(insert(access_entry), entry))

        def release(store: GroupCommit) -> bool:
            def job(connection: Connection) -> bool:
                fresh = views.not_released(connection, [(ref, access_id), (ref, bytes(16))])
                sleep(0.05)
                views.release(connection, [row | {"digest": bytes(32)}])
                return fresh == {(ref, access_id): 1}

            return store.run(job)

        stores = [exchange.store, *(exchange.open() for _ in range(3))]
        with ThreadPoolExecutor(4) as threads:
            assert sorted(threads.map(release, stores)) == [False, False, False, True]

    def test_the_window_is_whole_days_and_today_is_not_in_it(self, exchange: Exchange) -> None:
        for days in (0, 1, 90, 91):
            exchange.count(AT - days * DAY, [10, 0, 0, 0])
        assert exchange.found(AT).bins[0].scores == 20
        assert exchange.found(AT + DAY).bins[0].scores == 20
        # Whatever is read during a day is the same: nobody learns of one view by reading before and after.
        exchange.count(AT, [0, 0, 0, 10])
        assert exchange.found(AT + timedelta(hours=1)).bins[3].scores == 0

    def test_counts_are_forgotten_after_400_days(self, exchange: Exchange) -> None:
        exchange.count(AT, [1, 1, 1, 1])
        exchange.report(outcome_counts(exchange.federation))
        exchange.evaluate(AT + 400 * DAY)
        assert (exchange.rows(score_count), exchange.rows(outcome_count)) == (4, 1)
        exchange.evaluate(AT + 401 * DAY)
        assert (exchange.rows(score_count), exchange.rows(outcome_count)) == (0, 0)

    # Levels -------------------------------------------------------------------------------------

    def test_a_provider_whose_scores_moved_is_stale_since_it_was_found_and_until_it_is_not(
        self, exchange: Exchange
    ) -> None:
        assert exchange.evaluate(AT) == []
        exchange.count(AT, [2000, 0, 0, 0])
        exchange.count(AT, [500, 500, 500, 500], BIRCH)
        tomorrow = AT + DAY
        (moved,) = exchange.evaluate(tomorrow)
        assert (moved.found.provider, moved.before, moved.found.finding.level) == (
            ALDER,
            NONE,
            STALE,
        )
        assert exchange.watch.stale(2) == {ALDER}
        assert exchange.evaluate(tomorrow + DAY) == []
        assert exchange.found(tomorrow + DAY).since == tomorrow
        later = AT + 95 * DAY  # what was counted is out of the window
        (back,) = exchange.evaluate(later)
        assert (back.before, back.found.finding.level, back.found.since) == (STALE, NONE, later)
        assert exchange.watch.stale(2) == frozenset()

    def test_two_processes_come_to_the_same(self, exchange: Exchange) -> None:
        exchange.count(AT, [2000, 0, 0, 0])
        other = DriftWatch(DriftSettings(), exchange.federation.directory)
        store = exchange.open()
        assert len(exchange.evaluate(AT + DAY)) == 1
        assert store.run(lambda connection: other.evaluate(connection, AT + 2 * DAY)) == []
        assert other.stale(2) == {ALDER}
        assert exchange.found(AT + 2 * DAY).since == AT + DAY

    def test_marks_are_of_the_calibration_that_was_counted_by(self, exchange: Exchange) -> None:
        exchange.count(AT, [2000, 0, 0, 0])
        exchange.federation.calibrate(
            version=3, report=report(), not_before=to_timestamp(AT + 2 * DAY)
        )
        exchange.evaluate(AT + DAY)
        assert exchange.store.run(lambda c: {f.version for f in exchange.watch.find(c, AT)}) == {2}
        exchange.evaluate(AT + 3 * DAY)
        assert exchange.watch.stale(3) == frozenset()
        assert exchange.watch.stale(2) == {ALDER}
        assert exchange.found(AT + 3 * DAY, version=3).finding.level == NONE

    def test_past_its_date_a_calibration_is_stale_for_every_provider(
        self, exchange: Exchange
    ) -> None:
        stale_from = AT + 300 * DAY
        exchange.evaluate(stale_from - timedelta(seconds=1))
        assert exchange.watch.stale(2) == frozenset()
        assert len(exchange.evaluate(stale_from)) == 3
        assert exchange.watch.stale(2) == set(PROVIDERS)
        assert exchange.found(stale_from).finding.causes == (DriftCause.DRIFT_CAUSE_DATE,)
        assert exchange.rows(drift_level) == 3

    # Outcomes -----------------------------------------------------------------------------------

    def test_counts_are_kept_and_logged_once(self, exchange: Exchange) -> None:
        counts = outcome_counts(exchange.federation, [(0, 100, 40), (3, 50, 1)])
        assert not exchange.report(counts)
        assert exchange.report(counts)  # the same bytes again
        assert exchange.outcomes() == [(100, 40), (0, 0), (0, 0), (50, 1)]
        assert exchange.rows(log_queue) == 1

    def test_a_later_count_of_the_same_period_replaces_the_earlier(
        self, exchange: Exchange
    ) -> None:
        fed = exchange.federation
        exchange.report(outcome_counts(fed, [(0, 100, 40)]))
        later = outcome_counts(fed, [(0, 120, 60)], made_at=to_timestamp(fed.at))
        assert exchange.report(later)
        assert exchange.outcomes()[0] == (120, 60)
        superseded = Reason.REASON_OUTCOME_COUNTS_SUPERSEDED
        assert exchange.refused(outcome_counts(fed, [(0, 100, 41)])) == superseded
        assert exchange.outcomes()[0] == (120, 60)

    def test_no_credit_counts_twice_by_periods_that_overlap(self, exchange: Exchange) -> None:
        fed = exchange.federation
        exchange.report(outcome_counts(fed))
        for start, end in ((90, 2), (100, 9), (2, 0), (80, 5), (100, 0.5)):
            overlapping = outcome_counts(
                fed,
                period_from=to_timestamp(AT - start * DAY),
                period_until=to_timestamp(AT - end * DAY),
                made_at=to_timestamp(AT),
            )
            assert exchange.refused(overlapping) == Reason.REASON_OUTCOME_PERIOD_OVERLAPS
        before = outcome_counts(
            fed,
            period_from=to_timestamp(AT - DAY),
            period_until=to_timestamp(AT),
            made_at=to_timestamp(AT),
        )
        assert not exchange.report(before)
        assert exchange.outcomes()[0] == (200, 80)

    def test_a_small_cell_is_refused_and_nothing_kept(self, exchange: Exchange) -> None:
        small = outcome_counts(exchange.federation, [(0, 100, 40), (1, 9, 0)])
        assert exchange.refused(small) == Reason.REASON_OUTCOME_CELL_TOO_SMALL
        assert exchange.rows(outcome_count) == 0

    def test_counts_of_no_calibration_provider_or_bin_on_record_are_refused(
        self, exchange: Exchange
    ) -> None:
        fed = exchange.federation
        for strange in (
            outcome_counts(fed, calibration_version=9),
            outcome_counts(fed, calibration_version=1),  # declared: it has no bins
            outcome_counts(fed, provider="nobody-knows"),
            outcome_counts(fed, [(4, 100, 40)]),
            # of a time before anything was pooled by it, or long before
            outcome_counts(fed, period_until=to_timestamp(AT - 10 * DAY)),
            outcome_counts(fed, period_from=to_timestamp(AT - 411 * DAY)),
        ):
            assert exchange.refused(strange) == Reason.REASON_OUTCOMES_NOT_OF_CALIBRATION

    def test_outcomes_that_differ_mark_the_provider(self, exchange: Exchange) -> None:
        worse = [(0, 1000, 600), (1, 1000, 300), (2, 1000, 150), (3, 1000, 40)]
        exchange.report(outcome_counts(exchange.federation, worse))
        (moved,) = exchange.evaluate(AT)
        assert moved.found.finding.causes == (DriftCause.DRIFT_CAUSE_OUTCOMES,)
        assert exchange.watch.stale(2) == {ALDER}


class TestOnSqlite(DriftCountsContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        exchange = Exchange(f"sqlite:///{tmp_path}/exchange.db")
        to_newest_schema(exchange.engine)
        yield exchange
        exchange.close()


@pytest.fixture(scope="module")
def postgres_drift(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database at the newest schema."""
    return prepared(own_postgres(postgres_url, _DATABASE))


class TestOnPostgres(DriftCountsContract):
    @pytest.fixture
    def exchange(self, postgres_drift: str) -> Iterator[Exchange]:
        exchange = Exchange(postgres_drift)
        with exchange.engine.begin() as connection:
            connection.execute(
                text("TRUNCATE score_count, outcome_count, drift_level, log_queue, access_entry")
            )
        yield exchange
        exchange.close()
