"""Orders and oversight on SQLite and PostgreSQL alike, over several processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.v1 import DisputeStage, OrderStage, RulingOutcome
from exchange.supervision import bounds
from exchange.supervision.bounds import Bounded
from exchange.supervision.orders.oversight import oversight_of
from exchange.supervision.orders.timer import run_overdue
from exchange.tables import correction_order, oversight_told, regulator_day
from tests.builders import DAY, REGULATOR, Federation
from tests.exchange_builders import ExchangeDesk
from tests.listing_builders import FURNISHER
from tests.listing_desk import ListingDesk
from tests.orders_desk import OrdersDesk
from tests.vault_builders import exchange_engine, own_postgres, prepared


class Exchange:
    """A desk on a database, and other processes on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.listings = ListingDesk(ExchangeDesk(Federation(), engine=exchange_engine(url)))
        self.orders = OrdersDesk(self.listings)
        self.store = self.listings.desk.store
        self._others: list[tuple[GroupCommit, Engine]] = []

    def process(self) -> GroupCommit:
        """Return another process's database thread; the first one's on SQLite, which allows one."""
        if self.url.startswith("sqlite"):
            return self.store
        engine = exchange_engine(self.url)
        self._others.append((GroupCommit(engine), engine))
        return self._others[-1][0]

    def rows(self, table: Any) -> list[Any]:
        return self.store.run(lambda c: list(c.execute(select(table))))

    def close(self) -> None:
        self.listings.close()
        for store, engine in self._others:
            store.close()
            engine.dispose()


class OrderStoreContract:
    """Run on each backend by the classes below."""

    def test_an_order_is_kept_sealed_and_followed_to_its_end(self, exchange: Exchange) -> None:
        listing_id = exchange.listings.in_force()
        given = exchange.orders.give(listing_id)
        (row,) = exchange.rows(correction_order)
        assert b"Order 631" not in bytes(row.envelope) + bytes(row.review) + bytes(row.facts)
        assert row.subject_ref == exchange.listings.subject.ref
        exchange.listings.withdraw(listing_id)
        assert exchange.orders.read(given.order_id).stage == OrderStage.ORDER_STAGE_COMPLIED

    def test_several_processes_put_an_overdue_order_down_once(self, exchange: Exchange) -> None:
        exchange.orders.give(exchange.listings.in_force())
        stores = [exchange.process(), exchange.process()]
        exchange.listings.federation.at += 11 * DAY
        office = exchange.listings.desk.listings.office
        at = exchange.listings.federation.at
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda store: store.run(lambda c: run_overdue(c, office, at)), stores))
        stages = [act.stage for act in exchange.orders.logged()]
        assert stages == [OrderStage.ORDER_STAGE_GIVEN, OrderStage.ORDER_STAGE_OVERDUE]

    def test_several_processes_keep_one_answer_a_day(self, exchange: Exchange) -> None:
        at = exchange.listings.federation.at
        stores = [exchange.process(), exchange.process()]

        def told(store: GroupCommit) -> bytes:
            answer = store.run(lambda c: oversight_of(c, [FURNISHER], 10, at))
            return answer.SerializeToString(deterministic=True)

        with ThreadPoolExecutor(2) as threads:
            found = set(threads.map(told, stores))
        assert len(found) == len(exchange.rows(oversight_told)) == 1

    def test_rulings_of_a_month_add_up(self, exchange: Exchange) -> None:
        desk = exchange.listings
        listing_id = desk.in_force()
        for n in range(2):
            stage = DisputeStage.DISPUTE_STAGE_REVIEW
            dispute_id, _ = desk.dispute(listing_id, stage, evidence=[str(n)])
            desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_REJECTED)
        next_month = desk.federation.at + 31 * DAY
        answer = exchange.store.run(lambda c: oversight_of(c, [], 2, next_month))
        (told,) = answer.furnishers
        assert (told.furnisher, told.decided, told.ran_out.count) == (FURNISHER, 2, 0)

    def test_what_a_regulator_does_in_a_day_adds_up_over_processes(
        self, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(bounds.PER_DAY, Bounded.ORDER, 6)
        at, stores = exchange.listings.federation.at, [exchange.process(), exchange.process()]

        def act(store: GroupCommit) -> int:
            return store.run(lambda c: bounds.count(c, REGULATOR, Bounded.ORDER, at))

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(act, stores * 3)) == [1, 2, 3, 4, 5, 6]
        for who, day in ((REGULATOR, at + DAY), ("second-regulator", at)):
            exchange.store.run(lambda c: bounds.require(c, who, Bounded.ORDER, day))  # noqa: B023
        with pytest.raises(Refusal):
            exchange.store.run(lambda c: bounds.require(c, REGULATOR, Bounded.ORDER, at))
        exchange.store.run(lambda c: bounds.forget(c, at + DAY))
        assert len(exchange.rows(regulator_day)) == 1
        exchange.store.run(lambda c: bounds.forget(c, at + 2 * DAY))
        assert exchange.rows(regulator_day) == []


class TestOnSqlite(OrderStoreContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        yield from _opened(f"sqlite:///{tmp_path / 'exchange.db'}")


class TestOnPostgres(OrderStoreContract):
    @pytest.fixture
    def exchange(self, postgres_url: str) -> Iterator[Exchange]:
        name = f"orders_{new_id().hex()}"
        yield from _opened(own_postgres(postgres_url, name))


def _opened(url: str) -> Iterator[Exchange]:
    exchange = Exchange(prepared(url))
    yield exchange
    exchange.close()
