"""What the limits of lenders promise, on SQLite and on PostgreSQL alike, over several processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, func, select, text

from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.v1 import Reason
from exchange.limits.gate import Ask, Gate, Moved
from exchange.limits.limit_table import standings
from exchange.limits.rules import Level, Signal, Tally
from exchange.limits.settings import LimitSettings
from exchange.tables import consent, lender_limit, lender_use
from exchange.views.admit import Admitted, admit_many
from tests.builders import AT, DAY, LENDER, Federation, Granted
from tests.exchange_builders import checked, put_on_record
from tests.vault_builders import exchange_engine, own_postgres, prepared, to_newest_schema

MINUTE, HOUR, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
OTHER = "quickcash"
_DATABASE = "lender_limits_contract"


class Process:
    """What one exchange process has: a database thread and a gate."""

    def __init__(self, store: GroupCommit, limits: LimitSettings) -> None:
        self.store = store
        self.gate = Gate(limits)

    def ask(
        self, at: datetime, *granted: datetime | None, lender: str = LENDER
    ) -> list[Refusal | None]:
        """Ask with consents granted at these times, as one group."""
        return self.store.run(lambda c: self.gate.admit(c, lender, at, granted))

    def reasons(self, at: datetime, *granted: datetime | None, lender: str = LENDER) -> list[str]:
        """As ``ask``; return the reasons, empty for what is let in."""
        found = self.ask(at, *granted, lender=lender)
        return [Reason.Name(r.reason).removeprefix("REASON_") if r else "" for r in found]

    def note(self, at: datetime, lender: str = LENDER, **tally: int) -> None:
        self.store.run(lambda c: self.gate.note(c, lender, at, Tally(**tally)))

    def look(self, at: datetime) -> list[Moved]:
        return self.store.run(lambda c: self.gate.evaluate(c, at))


class Exchange:
    """A database, and as many processes on it as a test wants."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.federation = Federation()
        self._opened: list[tuple[GroupCommit, Engine]] = []
        self.store = self._open()

    @property
    def engine(self) -> Engine:
        """The first process's."""
        return self._opened[0][1]

    def _open(self) -> GroupCommit:
        engine = exchange_engine(self.url)
        self._opened.append((GroupCommit(engine), engine))
        return self._opened[-1][0]

    def process(self, **limits: Any) -> Process:
        """Return the first process, started anew."""
        return Process(self.store, LimitSettings(**limits))

    def processes(self, count: int = 2, **limits: Any) -> list[Process]:
        """Return several; on SQLite, which allows one, with gates of their own on the same thread."""
        stores = [self.store]
        while len(stores) < count:
            stores.append(self.store if self.url.startswith("sqlite") else self._open())
        return [Process(store, LimitSettings(**limits)) for store in stores]

    def level(self, lender: str = LENDER) -> Level:
        found = self.store.run(standings)
        return found[lender].level if lender in found else Level.NORMAL

    def asked(self, lender: str = LENDER, seconds: int = 3600) -> int:
        query = select(func.sum(lender_use.c.asked)).where(
            lender_use.c.lender == lender, lender_use.c.seconds == seconds
        )
        return int(self.store.run(lambda c: c.execute(query).scalar_one()) or 0)

    def rows(self) -> int:
        query = select(func.count()).select_from(lender_use)
        return int(self.store.run(lambda c: c.execute(query).scalar_one()))

    def close(self) -> None:
        for store, engine in self._opened:
            store.close()
            engine.dispose()


def at_once(jobs: Sequence[Callable[[], list[str]]]) -> list[str]:
    """Do every job from several threads at the same time; return all that came of them."""
    with ThreadPoolExecutor(8) as threads:
        return [each for found in threads.map(lambda job: job(), jobs) for each in found]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that are executed."""
    seen: list[str] = []

    def executed(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", executed)
    yield seen
    event.remove(engine, "before_cursor_execute", executed)


def fish(process: Process, at: datetime, *, unknown: int = 0, no_match: int = 0) -> None:
    """Try what a fisher tries: consents that it has not, and people who may not be there."""
    process.ask(at, *[at] * no_match, *[None] * unknown)
    process.note(at, refused_consent=unknown, answered=no_match, no_match=no_match)


class LenderLimitsContract:
    """Run on each backend by the classes below."""

    # Quotas -------------------------------------------------------------------------------------

    def test_a_minutes_quota_holds_over_groups_and_ends_with_the_minute(
        self, exchange: Exchange
    ) -> None:
        process = exchange.process(per_minute=10)
        assert process.reasons(AT, *[None] * 7) == [""] * 7
        assert process.reasons(AT + 59 * SECOND, *[None] * 5) == [""] * 3 + ["QUOTA_EXCEEDED"] * 2
        (refusal,) = process.ask(AT + 59 * SECOND, None)
        assert refusal is not None
        assert refusal.retry_after == SECOND
        assert process.reasons(AT + MINUTE, None) == [""]

    def test_a_days_quota_holds_over_hours_and_frees_them_as_they_leave_it(
        self, exchange: Exchange
    ) -> None:
        process = exchange.process(per_day=10)
        for hour in range(5):
            assert process.reasons(AT + hour * HOUR, None, None) == ["", ""]
        (refusal,) = process.ask(AT + 5 * HOUR, None)
        assert refusal is not None
        assert refusal.reason == Reason.REASON_QUOTA_EXCEEDED
        assert refusal.retry_after == 19 * HOUR
        assert process.reasons(AT + 24 * HOUR - SECOND, None) == ["QUOTA_EXCEEDED"]
        assert process.reasons(AT + 24 * HOUR, None, None, None) == ["", "", "QUOTA_EXCEEDED"]

    def test_what_one_process_let_in_counts_at_the_other(self, exchange: Exchange) -> None:
        one, two = exchange.processes(per_minute=10)
        assert one.reasons(AT, *[None] * 6) == [""] * 6
        assert two.reasons(AT, *[None] * 6) == [""] * 4 + ["QUOTA_EXCEEDED"] * 2
        assert one.reasons(AT, None) == ["QUOTA_EXCEEDED"]

    def test_no_lender_uses_up_anothers_quota(self, exchange: Exchange) -> None:
        process = exchange.process(per_minute=2)
        asks: list[Ask] = [(LENDER, None), (OTHER, None)] * 3
        found = exchange.store.run(lambda c: process.gate.admit_each(c, AT, asks))
        assert [each is None for each in found] == [True] * 4 + [False] * 2

    def test_nothing_is_lost_or_counted_twice_by_processes_at_once(
        self, exchange: Exchange
    ) -> None:
        processes = exchange.processes(3)
        jobs = [
            lambda process=processes[n % 3]: process.reasons(AT, None, None) for n in range(120)
        ]
        assert at_once(jobs) == [""] * 240
        assert exchange.asked() == exchange.asked(seconds=60) == 240

    def test_what_was_rolled_back_was_not_let_in(self, exchange: Exchange) -> None:
        process = exchange.process(per_minute=10)

        def failing(connection: Connection) -> None:
            process.gate.admit(connection, LENDER, AT, [None] * 9)
            raise RuntimeError("the transaction fails")

        with pytest.raises(RuntimeError):
            exchange.store.run(failing)
        assert exchange.asked() == 0
        assert process.reasons(AT, *[None] * 10) == [""] * 10

    def test_lenders_in_any_order_never_block_each_other(self, exchange: Exchange) -> None:
        one, two = exchange.processes(throttled_per_hour=1000)
        for lender in (LENDER, OTHER):
            one.note(AT, lender, asked=200, refused_consent=100, repeated=1)
        one.look(AT)
        assert exchange.level(OTHER) is Level.THROTTLED
        at = AT + MINUTE
        there: list[Ask] = [(LENDER, at), (OTHER, at)]

        def job(process: Process, asks: list[Ask]) -> Callable[[], list[str]]:
            def work() -> list[str]:
                found = process.store.run(lambda c: process.gate.admit_each(c, at, asks))
                return ["" if each is None else "refused" for each in found]

            return work

        jobs = [job(one, there), job(two, there[::-1])] * 30
        assert at_once(jobs) == [""] * 120

    # Levels -------------------------------------------------------------------------------------

    def test_stepped_up_lets_in_fresh_consents_alone(self, exchange: Exchange) -> None:
        process = exchange.process()
        process.note(AT, asked=100, refused_consent=50)
        assert process.reasons(AT, AT - DAY) == [""]
        (moved,) = process.look(AT)
        assert (moved.before.level, moved.after.level) == (Level.NORMAL, Level.STEPPED_UP)
        later = AT + SECOND
        found = process.reasons(later, later - 9 * MINUTE, later - 11 * MINUTE, None)
        assert found == ["", "LENDER_STEPPED_UP", "LENDER_STEPPED_UP"]
        assert process.reasons(later, None, lender=OTHER) == [""]

    def test_a_level_reaches_every_process_within_a_second(self, exchange: Exchange) -> None:
        one, two = exchange.processes()
        assert two.reasons(AT, AT - DAY) == [""]
        one.note(AT, asked=100, refused_consent=50)
        one.look(AT)
        assert two.reasons(AT + SECOND, AT - DAY) == ["LENDER_STEPPED_UP"]

    def test_throttled_lets_in_60_an_hour_over_all_processes_at_once(
        self, exchange: Exchange
    ) -> None:
        one, two = exchange.processes()
        one.note(AT, asked=100, refused_consent=50, repeated=1)
        one.look(AT)
        assert one.reasons(AT + 2 * SECOND, AT) == [
            "LENDER_THROTTLED"
        ]  # not before the next minute
        at = AT + MINUTE
        jobs = [lambda process=(one, two)[n % 2]: process.reasons(at, at) for n in range(200)]
        found = at_once(jobs)
        assert found.count("") == 60
        assert found.count("LENDER_THROTTLED") == 140
        (refusal,) = two.ask(AT + 30 * MINUTE, AT + 30 * MINUTE)
        assert refusal is not None
        assert refusal.retry_after == 31 * MINUTE
        later = AT + HOUR + MINUTE
        assert two.reasons(later - SECOND, later) == ["LENDER_THROTTLED"]
        assert two.reasons(later, later) == [""]

    def test_a_fisher_is_stepped_up_throttled_and_stopped_and_told_until_when(
        self, exchange: Exchange
    ) -> None:
        process, at = exchange.process(), AT
        fish(process, at, unknown=150)
        process.look(at)
        assert exchange.level() is Level.STEPPED_UP
        at += MINUTE
        fish(process, at, no_match=150)  # with fresh consents, such as it coaxed out of people
        process.look(at)
        assert exchange.level() is Level.THROTTLED
        throttled = at
        while exchange.level() is Level.THROTTLED:
            at += 10 * MINUTE
            assert at < throttled + 2 * DAY, "never stopped"
            process.ask(at, *[None] * 5)  # what it cannot have is still tried
            process.look(at)
        assert exchange.level() is Level.STOPPED
        assert at - throttled == DAY
        (refusal,) = process.ask(at + SECOND, at)
        assert refusal is not None
        assert refusal.reason == Reason.REASON_LENDER_STOPPED
        assert refusal.retry_after == DAY - SECOND
        levels = []
        for _ in range(4 * 24):  # it gives up
            at += HOUR
            process.look(at)
            levels.append(exchange.level())
        assert [levels.count(level) for level in Level] == [24 + 1, 24, 24, 24 - 1]

    def test_one_bad_hour_never_stops_a_lender_that_mends_its_ways(
        self, exchange: Exchange
    ) -> None:
        """Signals look back a day: a day of them must not come of what was over in an hour."""
        process, at = exchange.process(), AT + 59 * MINUTE
        fish(process, AT, unknown=200, no_match=200)
        levels = []
        for _ in range(80 * 3):
            process.look(at)
            levels.append(exchange.level())
            process.ask(at, at)
            process.note(at, answered=1)
            at += 20 * MINUTE
        assert set(levels) == {Level.THROTTLED, Level.STEPPED_UP, Level.NORMAL}
        assert levels == sorted(levels, reverse=True)

    def test_a_burst_at_night_is_measured_by_the_lenders_own_week(self, exchange: Exchange) -> None:
        process, night = exchange.process(), AT + 11 * HOUR  # 23:00 in the exchange's time zone
        for hour in range(7 * 24):
            process.note(night - (hour + 1) * HOUR, OTHER, asked=200)  # it works around the clock
        for hour in range(2, 11):
            process.note(night - hour * HOUR, asked=20)
        for lender in (LENDER, OTHER):
            process.note(night, lender, asked=250)
        process.look(night + MINUTE)
        found = exchange.store.run(standings)
        assert set(found) == {LENDER}
        assert set(found[LENDER].signals) == {Signal.OUT_OF_HOURS}

    def test_looking_again_changes_nothing_also_at_two_processes_at_once(
        self, exchange: Exchange
    ) -> None:
        processes = exchange.processes()
        processes[0].note(AT, asked=100, refused_consent=50, repeated=1)

        def looking(process: Process) -> Callable[[], list[str]]:
            return lambda: [moved.after.level.name for moved in process.look(AT)]

        moved = at_once([looking(processes[n % 2]) for n in range(20)])
        assert set(moved) == {"THROTTLED"}
        assert 1 <= len(moved) <= 2  # two may have seen the first of it at once
        standing = exchange.store.run(standings)[LENDER]
        assert (standing.level, standing.since) == (Level.THROTTLED, AT)
        assert standing.signals == {Signal.OTHERS_CONSENTS: AT, Signal.ONE_SUBJECT: AT}

    def test_a_restart_forgets_no_level(self, exchange: Exchange) -> None:
        process = exchange.process()
        process.note(AT, asked=100, refused_consent=50)
        process.look(AT)
        assert exchange.process().reasons(AT, AT - DAY) == ["LENDER_STEPPED_UP"]

    def test_an_exchange_may_look_without_acting(self, exchange: Exchange) -> None:
        process = exchange.process(act_on_signals=False, per_minute=3)
        process.note(AT, asked=100, refused_consent=50, repeated=1)
        process.look(AT)
        assert exchange.level() is Level.THROTTLED  # as the regulator sees it
        found = process.reasons(AT + 2 * MINUTE, *[None] * 4)
        assert found == ["", "", "", "QUOTA_EXCEEDED"]

    def test_attempts_that_a_limit_refuses_still_count_as_attempts(
        self, exchange: Exchange
    ) -> None:
        process = exchange.process()
        process.note(AT, asked=100, refused_consent=50)
        process.look(AT)
        for hour in range(2, 30):
            process.ask(AT + hour * HOUR, *[None] * 10)
            process.look(AT + hour * HOUR)
        assert exchange.level() is Level.STEPPED_UP
        assert exchange.asked() == 100  # none was let in

    # One subject --------------------------------------------------------------------------------

    def test_a_sixth_consent_of_one_subject_within_30_days_is_one_too_many(
        self, exchange: Exchange
    ) -> None:
        process, fed = exchange.process(), exchange.federation
        ada, bob = fed.subject("ada"), fed.subject("bob")

        def use(granted: Granted, at: datetime) -> int:
            put_on_record(fed, exchange.store, granted)

            def work(connection: Connection) -> int:
                (result,) = admit_many(connection, [checked(fed, granted, at=at)])
                assert isinstance(result, Admitted)
                ref = granted.person.ref
                return process.gate.repeated(connection, LENDER, [ref, bob.ref], at)

            return exchange.store.run(work)

        counts = [use(fed.consent(ada), AT + n * DAY) for n in range(6)]
        assert counts == [0, 0, 0, 0, 0, 1]
        again = fed.periodic(bob, 20, 20)
        assert [use(again, AT + n * HOUR) for n in range(8)] == [0] * 8  # one consent, many uses
        late = AT + 29 * DAY + 23 * HOUR
        refs = [ada.ref]
        repeated = process.gate.repeated
        assert exchange.store.run(lambda c: repeated(c, LENDER, refs, late)) == 1
        assert exchange.store.run(lambda c: repeated(c, LENDER, refs, AT + 30 * DAY)) == 0
        assert exchange.store.run(lambda c: repeated(c, OTHER, refs, late)) == 0
        assert exchange.store.run(lambda c: repeated(c, LENDER, [], late)) == 0

    def test_when_a_consent_was_granted_is_the_exchanges_word_and_granting_again_is_no_news(
        self, exchange: Exchange
    ) -> None:
        fed = exchange.federation
        granted = fed.consent(fed.subject("ada"))
        put_on_record(fed, exchange.store, granted)
        fed.at = AT + HOUR
        put_on_record(fed, exchange.store, granted)
        query = select(consent.c.granted_at)
        assert exchange.store.run(lambda c: c.execute(query).scalars().all()) == [to_micros(AT)]

    # Cost ---------------------------------------------------------------------------------------

    def test_a_group_costs_two_statements_and_a_look_at_the_levels_a_second(
        self, exchange: Exchange
    ) -> None:
        process = exchange.process()
        process.ask(AT, None)
        with statements(exchange.engine) as seen:
            process.ask(AT + SECOND / 2, *[None] * 200)
        assert len([each for each in seen if "lender_" in each]) == 2
        with statements(exchange.engine) as seen:
            process.ask(AT + SECOND, *[None] * 200)
        assert len([each for each in seen if "lender_" in each]) == 3

    def test_nothing_to_note_writes_nothing(self, exchange: Exchange) -> None:
        exchange.process().note(AT)
        assert exchange.rows() == 0

    def test_what_no_rule_looks_back_to_is_forgotten(self, exchange: Exchange) -> None:
        process = exchange.process()
        for hour in range(12 * 24):
            process.note(AT + hour * HOUR, asked=1)
        process.look(AT + 12 * DAY)
        assert exchange.rows() <= 8 * 24 + 3
        assert exchange.asked(seconds=60) <= 3


class TestOnSqlite(LenderLimitsContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        exchange = Exchange(f"sqlite:///{tmp_path}/exchange.db")
        to_newest_schema(exchange.engine)
        yield exchange
        exchange.close()


@pytest.fixture(scope="module")
def postgres_limits(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database at the newest schema."""
    return prepared(own_postgres(postgres_url, _DATABASE))


class TestOnPostgres(LenderLimitsContract):
    @pytest.fixture
    def exchange(self, postgres_limits: str) -> Iterator[Exchange]:
        exchange = Exchange(postgres_limits)
        with exchange.engine.begin() as connection:
            connection.execute(
                text(
                    f"TRUNCATE {lender_use.name}, {lender_limit.name}, consent, subject_binding, "
                    "access_entry, request_seen"
                )
            )
        yield exchange
        exchange.close()
