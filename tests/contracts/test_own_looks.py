"""What holds people's own looks to a day's number, on SQLite and on PostgreSQL alike, over several processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from concordat import v1
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.consent import open_binding, open_own_view_request
from exchange.subjects.own_looks import MOST_ANSWERS, OwnAsk, let_in
from exchange.tables import log_queue, own_look
from tests.builders import AT, DAY, Federation
from tests.own_view_builders import own_request
from tests.vault_builders import exchange_engine, own_postgres, prepared

PER_DAY = 3
HOUR = timedelta(hours=1)


class Exchange:
    """A database, and as many processes on it as a test wants."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.federation = Federation()
        self._opened: list[tuple[GroupCommit, Engine]] = []
        self.store = self.process()

    def process(self) -> GroupCommit:
        """Return another process's database thread; the first one's on SQLite, which allows one."""
        if self._opened and self.url.startswith("sqlite"):
            return self.store
        engine = exchange_engine(self.url)
        self._opened.append((GroupCommit(engine), engine))
        return self._opened[-1][0]

    def ask(self, at: datetime = AT, name: str = "ada", version: int = 1, **fields: Any) -> OwnAsk:
        fed = self.federation
        person = fed.subject(name, version=version)
        envelopes = v1.RequestOwnViewRequest(
            request=own_request(fed, person, made=at, **fields), binding=person.binding
        )
        binding = open_binding(envelopes.binding, fed.anchors, at)
        request = open_own_view_request(envelopes.request, binding, fed.anchors, at)
        return OwnAsk(request, binding, envelopes, at)

    def look(self, ask: OwnAsk, store: GroupCommit | None = None) -> str:
        """Let a look in; return the reason, empty where it is."""
        try:
            (store or self.store).run(lambda c: let_in(c, ask, PER_DAY))
        except Refusal as refusal:
            return Reason.Name(refusal.reason).removeprefix("REASON_")
        return ""

    def rows(self, table: Any) -> list[Any]:
        return self.store.run(lambda c: list(c.execute(select(table))))

    def close(self) -> None:
        for store, engine in self._opened:
            store.close()
            engine.dispose()


QUOTA = "QUOTA_EXCEEDED"


class OwnLooksContract:
    """Run on each backend by the classes below."""

    def test_a_look_is_entered_with_its_draft_for_the_log(self, exchange: Exchange) -> None:
        ask = exchange.ask()
        assert exchange.look(ask) == ""
        (row,), (draft,) = exchange.rows(own_look), exchange.rows(log_queue)
        assert row.look_id == draft.record_id
        assert draft.kind == LogEntryKind.LOG_ENTRY_KIND_OWN_LOOK
        assert draft.subject_ref == ask.subject_ref

    def test_the_same_request_is_the_same_look_and_counts_once(self, exchange: Exchange) -> None:
        ask = exchange.ask()
        assert [exchange.look(ask, exchange.process()) for _ in range(5)] == [""] * 5
        assert len(exchange.rows(own_look)) == len(exchange.rows(log_queue)) == 1

    def test_one_request_repeated_without_end_asks_providers_and_fills_the_log_only_so_often(
        self, exchange: Exchange
    ) -> None:
        ask, processes = exchange.ask(), [exchange.process(), exchange.process()]
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda n: exchange.look(ask, processes[n % 2]), range(20)))
        assert (found.count(""), found.count(QUOTA)) == (MOST_ANSWERS, 20 - MOST_ANSWERS), found
        assert exchange.look(exchange.ask()) == ""

    def test_an_id_is_used_for_one_request_of_one_person(self, exchange: Exchange) -> None:
        used = new_id()
        assert exchange.look(exchange.ask(request_id=used)) == ""
        other = exchange.ask(request_id=used, providers=exchange.federation.providers[:1])
        assert exchange.look(other) == "REPLAYED_WITH_OTHER_BYTES"
        assert exchange.look(exchange.ask(name="bob", request_id=used)) == ""

    def test_a_day_slides(self, exchange: Exchange) -> None:
        hours = (0, 8, 16, 23, 24, 25, 32, 33)
        found = [exchange.look(exchange.ask(AT + hour * HOUR)) for hour in hours]
        assert found == ["", "", "", QUOTA, "", QUOTA, "", QUOTA]

    def test_it_is_told_when_to_look_again(self, exchange: Exchange) -> None:
        for hour in (0, 1, 2):
            exchange.look(exchange.ask(AT + hour * HOUR))
        ask = exchange.ask(AT + 5 * HOUR)
        with pytest.raises(Refusal) as refused:
            exchange.store.run(lambda c: let_in(c, ask, PER_DAY))
        assert refused.value.retry_after == DAY - 5 * HOUR
        assert exchange.look(exchange.ask(AT + DAY)) == ""

    def test_processes_together_let_in_no_more(self, exchange: Exchange) -> None:
        processes = [exchange.process(), exchange.process()]
        for person in ("ada", "bob"):
            asks = [exchange.ask(name=person) for _ in range(12)]
            with ThreadPoolExecutor(8) as threads:
                jobs = [(ask, processes[place % 2]) for place, ask in enumerate(asks)]
                found = list(threads.map(lambda job: exchange.look(*job), jobs))
            assert (found.count(""), found.count(QUOTA)) == (PER_DAY, 12 - PER_DAY), found

    def test_a_replaced_key_looks_no_more(self, exchange: Exchange) -> None:
        assert exchange.look(exchange.ask(version=2)) == ""
        assert exchange.look(exchange.ask(version=1), exchange.process()) == "BINDING_INVALID"
        assert len(exchange.rows(own_look)) == 1


class TestOnSqlite(OwnLooksContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        url = f"sqlite:///{tmp_path}/exchange.db"
        yield from _opened(url)


class TestOnPostgres(OwnLooksContract):
    @pytest.fixture
    def exchange(self, postgres_url: str) -> Iterator[Exchange]:
        name = f"own_looks_{new_id().hex()}"
        yield from _opened(own_postgres(postgres_url, name))


def _opened(url: str) -> Iterator[Exchange]:
    exchange = Exchange(prepared(url))
    yield exchange
    exchange.close()
