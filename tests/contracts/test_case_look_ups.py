"""What holds case look-ups to their budget and their subject, on SQLite and PostgreSQL alike, over processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, select

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.case import LookUp, open_case, open_case_look_up
from exchange.listings.profile import Profiles
from exchange.subjects import inbox_table
from exchange.supervision.cases import refusals, table
from exchange.supervision.cases.look_up import CaseDesk, CaseTerms
from exchange.supervision.cases.notices import Due, _put, attach
from exchange.tables import case_budget, case_file, case_look_up, log_queue
from tests.builders import DAY, EXCHANGE, REGULATOR, Federation, signer
from tests.case_builders import CaseOffice, approver_keys
from tests.vault_builders import exchange_engine, own_postgres, prepared

PER_MONTH = 5


class Exchange:
    """A database, and as many processes on it as a test wants."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.federation = Federation()
        self.federation.enrol(
            REGULATOR,
            v1.Role.ROLE_REGULATOR,
            version=2,
            approvers=approver_keys(self.federation),
        )
        self.regulator = CaseOffice(self.federation)
        self._opened: list[tuple[GroupCommit, Engine]] = []
        self.store = self.process()
        nothing = cast("Any", None)  # what only the asynchronous half of a look-up uses
        self.desk = CaseDesk(
            self.federation.directory,
            self.store,
            nothing,
            nothing,
            Profiles.load(),
            signer(EXCHANGE),
            nothing,
            CaseTerms(PER_MONTH),
        )

    def process(self) -> GroupCommit:
        """Return another process's database thread; the first one's on SQLite, which allows one."""
        if self._opened and self.url.startswith("sqlite"):
            return self.store
        engine = exchange_engine(self.url)
        self._opened.append((GroupCommit(engine), engine))
        return self._opened[-1][0]

    def look_up(self, name: str = "ada", **fields: Any) -> LookUp:
        return self.verified(
            self.regulator.request(self.regulator.case(self.federation.subject(name), **fields))
        )

    def verified(self, request: v1.LookUpCaseRequest) -> LookUp:
        fed, regulator = self.federation, self.federation.member(REGULATOR)
        case = open_case(request.case, regulator, fed.anchors)
        return open_case_look_up(request.request, case, regulator, fed.anchors, fed.at)

    def take(self, look_up: LookUp, store: GroupCommit | None = None) -> str:
        """Let a look-up in; return the reason, empty where it is."""
        try:
            (store or self.store).run(lambda c: self.desk._take(c, look_up, self.federation.at))
        except Refusal as refusal:
            return Reason.Name(refusal.reason).removeprefix("REASON_")
        return ""

    def rows(self, of: Any) -> list[Any]:
        return self.store.run(lambda c: list(c.execute(select(of))))

    def close(self) -> None:
        for store, engine in self._opened:
            store.close()
            engine.dispose()


class CaseContract:
    """Run on each backend by the classes below."""

    def test_a_look_up_is_entered_with_its_draft_its_notice_and_its_case(
        self, exchange: Exchange
    ) -> None:
        look_up = exchange.look_up()
        assert exchange.take(look_up) == ""
        (row,), (draft,) = exchange.rows(case_look_up), exchange.rows(log_queue)
        assert (row.record_id, draft.subject_ref) == (draft.record_id, b"")
        assert draft.kind == LogEntryKind.LOG_ENTRY_KIND_CASE_LOOK_UP
        (file,), (month,) = exchange.rows(case_file), exchange.rows(case_budget)
        assert file.digest == look_up.case.digest
        assert (month.month, month.look_ups) == (202606, 1)
        at = exchange.federation.at
        assert exchange.store.run(lambda c: table.due(c, at + 29 * DAY, 9)) == []
        (due,) = exchange.store.run(lambda c: table.due(c, at + 30 * DAY, 9))
        assert (due.subject_ref, due.record_id) == (look_up.case.message.subject_ref, row.record_id)

    def test_processes_together_let_in_no_more_than_the_budget(self, exchange: Exchange) -> None:
        processes = [exchange.process(), exchange.process()]
        jobs = [(exchange.look_up(f"person {n}"), processes[n % 2]) for n in range(12)]
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda job: exchange.take(*job), jobs))
        assert found.count("") == PER_MONTH
        assert found.count("CASE_BUDGET_SPENT") == 12 - PER_MONTH
        assert len(exchange.rows(log_queue)) == len(exchange.rows(case_file)) == PER_MONTH

    def test_processes_together_give_one_reference_to_one_subject(self, exchange: Exchange) -> None:
        processes = [exchange.process(), exchange.process()]
        jobs = [
            (exchange.look_up(f"person {n}", case_reference="FR/2026-1"), processes[n % 2])
            for n in range(8)
        ]
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda job: exchange.take(*job), jobs))
        assert sorted(found) == ["", *["CASE_OTHER_SUBJECT"] * 7]

    def test_the_same_request_from_everywhere_counts_once(self, exchange: Exchange) -> None:
        look_up, processes = exchange.look_up(), [exchange.process(), exchange.process()]
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda n: exchange.take(look_up, processes[n % 2]), range(10)))
        assert found == [""] * 10
        assert [row.look_ups for row in exchange.rows(case_budget)] == [1]
        assert len(exchange.rows(log_queue)) == 1

    def test_two_processes_deliver_a_notice_once(self, exchange: Exchange) -> None:
        at, ada = exchange.federation.at, exchange.federation.subject("ada")
        case = exchange.regulator.case(ada)
        reason = Reason.REASON_CASE_NOT_APPROVED
        exchange.store.run(lambda c: refusals.record(c, case, REGULATOR, reason, at, 180 * DAY))
        (owed,) = exchange.store.run(lambda c: table.due(c, at + 31 * DAY, 9))
        notice = v1.CaseNotice(regulator=REGULATOR, refusal=reason, looked_at=to_timestamp(at))
        due = Due(owed.subject_ref, owed.record_id, notice, case)
        stores = [exchange.process(), exchange.process()]
        with ThreadPoolExecutor(2) as threads:
            told = list(threads.map(lambda s: s.run(lambda c: _put(c, [due], at)), stores))
        assert sorted(told) == [0, 1]

        def read(connection: Any) -> list[v1.InboxMessage]:
            rows = inbox_table.page(connection, ada.ref, 0, 9)
            messages = [row.as_sent for row in rows]
            attach(connection, ada.ref, messages)
            return messages

        (message,) = exchange.store.run(read)
        assert message.case_notice == case


class TestOnSqlite(CaseContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        yield from _opened(f"sqlite:///{tmp_path / 'exchange.db'}")


class TestOnPostgres(CaseContract):
    @pytest.fixture
    def exchange(self, postgres_url: str) -> Iterator[Exchange]:
        name = f"cases_{new_id().hex()}"
        yield from _opened(own_postgres(postgres_url, name))


def _opened(url: str) -> Iterator[Exchange]:
    exchange = Exchange(prepared(url))
    yield exchange
    exchange.close()
