"""What cursors promise lenders, on SQLite and on PostgreSQL alike, over several processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from concordat.ids import new_id
from concordat.store.group_commit import GroupCommit
from concordat.v1 import LenderChangeKind
from exchange.lenders import change_table, outcome_table, periodic_table
from exchange.lenders.change_table import Change
from exchange.lenders.periodic_table import Periodic
from tests.builders import LENDER
from tests.vault_builders import exchange_engine, own_postgres, prepared

OTHER = "quickcash"
ADA = b"\x01" * 32
PAUSED = LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_PAUSED


class Exchange:
    """A database, and as many processes on it as a test wants."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: list[tuple[GroupCommit, Engine]] = []
        self.store = self.process()

    def process(self) -> GroupCommit:
        """Return another process's database thread; the first one's on SQLite, which allows one."""
        if self._opened and self.url.startswith("sqlite"):
            return self.store
        engine = exchange_engine(self.url)
        self._opened.append((GroupCommit(engine), engine))
        return self._opened[-1][0]

    def write(self, number: int, lender: str = LENDER, store: GroupCommit | None = None) -> None:
        """Write a change at a time of that many microseconds."""
        change = Change(lender, PAUSED, ADA, number.to_bytes(16), number)
        (store or self.store).run(lambda c: change_table.write(c, [change]))

    def read(self, after: int = change_table.FIRST, lender: str = LENDER) -> list[tuple[int, int]]:
        """Return the cursors and times after a cursor."""
        found = self.store.run(lambda c: change_table.read(c, lender, after, 1000))
        return [(each.cursor, each.change.at) for each in found]

    def close(self) -> None:
        for store, engine in self._opened:
            store.close()
            engine.dispose()


class LenderChangesContract:
    """Run on each backend by the classes below."""

    def test_numbers_have_no_gaps_and_are_each_lenders_own(self, exchange: Exchange) -> None:
        for number in range(4):
            exchange.write(number)
        exchange.write(9, OTHER)
        assert exchange.read() == [(2, 0), (3, 1), (4, 2), (5, 3)]
        assert exchange.read(4) == [(5, 3)]
        assert exchange.read(lender=OTHER) == [(2, 9)]

    def test_who_reads_while_processes_write_misses_nothing(self, exchange: Exchange) -> None:
        processes, done = [exchange.process(), exchange.process()], Event()
        seen: list[tuple[int, int]] = []

        def follow() -> None:
            cursor = change_table.FIRST
            while True:
                last = done.is_set()
                for each in exchange.read(cursor):
                    seen.append(each)
                    cursor = each[0]
                if last:
                    return

        with ThreadPoolExecutor(9) as threads:
            reader = threads.submit(follow)
            jobs = [
                threads.submit(exchange.write, number, LENDER, processes[number % 2])
                for number in range(40)
            ]
            for job in jobs:
                job.result()
            done.set()
            reader.result()
        assert [cursor for cursor, _ in seen] == list(range(2, 42))
        assert sorted(at for _, at in seen) == list(range(40))

    def test_a_change_that_is_not_committed_yet_is_not_overtaken(self, exchange: Exchange) -> None:
        slow, quick, taken, read = exchange.process(), exchange.process(), Event(), Event()

        def slowly(connection: Connection) -> None:
            change_table.write(connection, [Change(LENDER, PAUSED, ADA, bytes(16), 1)])
            taken.set()
            read.wait(5)

        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(slow.run, slowly)
            assert taken.wait(5)
            second = threads.submit(exchange.write, 2, LENDER, quick)
            sleep(0.02)
            assert exchange.url.startswith("sqlite") or exchange.read() == []
            read.set()
            first.result()
            second.result()
        assert exchange.read() == [(2, 1), (3, 2)]

    def test_what_failed_takes_no_number(self, exchange: Exchange) -> None:
        def failing(connection: Connection) -> None:
            change_table.write(connection, [Change(LENDER, PAUSED, ADA, bytes(16), 1)])
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            exchange.store.run(failing)
        exchange.write(2)
        assert exchange.read() == [(2, 2)]

    def test_what_is_old_is_forgotten_and_that_it_was_is_known(self, exchange: Exchange) -> None:
        for number in (10, 20, 30):
            exchange.write(number)
        exchange.store.run(lambda c: change_table.forget(c, 25))
        exchange.store.run(lambda c: change_table.forget(c, 25))
        assert exchange.read() == [(4, 30)]
        standing = exchange.store.run(lambda c: change_table.standing(c, LENDER))
        assert (standing.latest, standing.forgotten) == (4, 3)

    def test_of_processes_that_find_a_review_due_at_once_one_tells_it(
        self, exchange: Exchange
    ) -> None:
        row = Periodic(
            ADA,
            bytes(16),
            LENDER,
            active=True,
            listings=True,
            uses=1,
            period=100,
            valid_from=0,
            valid_until=1000,
            binding_version=1,
            review_at=5,
        )
        exchange.store.run(lambda c: periodic_table.put(c, [row]))
        assert exchange.store.run(lambda c: periodic_table.due(c, 5, 10)) == [row]
        processes = [exchange.process() for _ in range(3)]
        with ThreadPoolExecutor(3) as threads:
            set_ = [
                threads.submit(store.run, lambda c: periodic_table.set_review(c, row, None))
                for store in processes
            ]
            assert sorted(each.result() for each in set_) == [False, False, True]
        exchange.store.run(lambda c: periodic_table.put(c, [row._replace(review_at=9)]))
        assert exchange.store.run(lambda c: periodic_table.set_active(c, row.key, active=False))
        assert exchange.store.run(lambda c: periodic_table.due(c, 9, 10)) == []
        assert exchange.store.run(lambda c: periodic_table.remove(c, row.key))
        assert not exchange.store.run(lambda c: periodic_table.remove(c, row.key))

    def test_what_is_owed_adds_up_over_processes(self, exchange: Exchange) -> None:
        for store in (exchange.process(), exchange.process()):
            store.run(
                lambda c: outcome_table.add(c, {(LENDER, 3): (2, 0, 0), (OTHER, 3): (1, 0, 0)})
            )
        exchange.store.run(lambda c: outcome_table.add(c, {(LENDER, 3): (0, 4, 1)}))
        rows = exchange.store.run(lambda c: outcome_table.counts_by_lender(c, 3, 4))
        assert sorted(tuple(map(int, row[1:])) for row in rows) == [(2, 0, 0), (4, 4, 1)]
        assert exchange.store.run(lambda c: outcome_table.open_days(c, LENDER, 9)) == []
        assert exchange.store.run(lambda c: outcome_table.open_days(c, OTHER, 9)) == [3]
        assert exchange.store.run(lambda c: outcome_table.open_days(c, OTHER, 2)) == []

    def test_what_is_owed_is_forgotten_every_few_seconds_by_an_index(
        self, exchange: Exchange
    ) -> None:
        assert "outcome_duty_by_day" in exchange.store.run(plan_of_forgetting)


def plan_of_forgetting(connection: Connection) -> str:
    """Return how the database finds the counts of days that nobody looks back to any more."""
    seen: list[tuple[str, Any]] = []

    def executed(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        seen.append((statement, values))

    event.listen(connection, "before_cursor_execute", executed)
    outcome_table.forget_days(connection, 3)
    event.remove(connection, "before_cursor_execute", executed)
    ((statement, values),) = seen
    explain = "EXPLAIN QUERY PLAN"
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # the table is small
        explain = "EXPLAIN"
    return str(connection.exec_driver_sql(f"{explain} {statement}", values).all())


class TestOnSqlite(LenderChangesContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        yield from _opened(f"sqlite:///{tmp_path}/exchange.db")


class TestOnPostgres(LenderChangesContract):
    @pytest.fixture
    def exchange(self, postgres_url: str) -> Iterator[Exchange]:
        name = f"lender_changes_{new_id().hex()}"
        yield from _opened(own_postgres(postgres_url, name))


def _opened(url: str) -> Iterator[Exchange]:
    exchange = Exchange(prepared(url))
    yield exchange
    exchange.close()
