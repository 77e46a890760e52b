"""What keeps lenders from narrowing a score down, on SQLite and on PostgreSQL alike, over several processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, event, text

from concordat import v1
from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.store.engine import _config, migrate
from concordat.store.group_commit import GroupCommit
from concordat.v1 import DataCategory, DisclosureKind, Purpose, Reason
from exchange.limits.gate import Gate
from exchange.limits.questions import question_of
from exchange.limits.settings import LimitSettings
from exchange.migrations import SCRIPTS
from exchange.views.admit import Admitted, Checked, admitting
from tests.builders import AT, DAY, LENDER, PROVIDERS, Federation, Granted
from tests.exchange_builders import checked, put_on_record, read_entries
from tests.vault_builders import exchange_engine, own_postgres, prepared, to_newest_schema

BAND = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_BAND)
OTHER = "quickcash"


def reaching(points: int) -> v1.Disclosure:
    return v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=points)


class Process:
    """What one exchange process has: a database thread and a gate."""

    def __init__(self, store: GroupCommit, limits: LimitSettings) -> None:
        self.store = store
        self.bulk = admitting(Gate(limits))

    def admit(self, items: Sequence[Checked]) -> list[str]:
        """Admit requests as one group; return the reasons, empty for what is let in."""
        return [_reason(each) for each in self.store.run(lambda c: self.bulk(c, items))]


class Exchange:
    """A database, and as many processes on it as a test wants."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.federation = Federation()
        self.federation.enrol(OTHER, v1.Role.ROLE_LENDER)
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

    def process(self, *, other: bool = False, **limits: Any) -> Process:
        """Return a process started anew; an ``other`` one on PostgreSQL alone: SQLite allows one."""
        own = other and not self.url.startswith("sqlite")
        return Process(self._open() if own else self.store, LimitSettings(**limits))

    def grant(self, disclosure: v1.Disclosure, name: str = "ada", **fields: Any) -> Granted:
        """Put a consent for many uses on record, valid throughout."""
        person = self.federation.subject(name)
        granted = self.federation.periodic(person, 50, 50, disclosure=disclosure, **fields)
        put_on_record(self.federation, self.store, granted)
        return granted

    def item(self, granted: Granted, at: datetime = AT) -> Checked:
        return checked(self.federation, granted, at=at)

    def items(self, *disclosures: v1.Disclosure, **fields: Any) -> list[Checked]:
        """Return a request each, under consents of their own."""
        return [self.item(self.grant(each, **fields)) for each in disclosures]

    def entries(self) -> list[Any]:
        return self.store.run(read_entries)

    def close(self) -> None:
        for store, engine in self._opened:
            store.close()
            engine.dispose()


def _reason(result: Admitted | Refusal) -> str:
    name = Reason.Name(result.reason) if isinstance(result, Refusal) else ""
    return name.removeprefix("REASON_")


MOVED = "THRESHOLD_MOVED"


class ThresholdsContract:
    """Run on each backend by the classes below."""

    def test_a_third_threshold_is_refused_and_the_first_two_may_be_asked_again(
        self, exchange: Exchange
    ) -> None:
        process = exchange.process()
        grants = [exchange.grant(reaching(points)) for points in (600, 650, 625)]
        for hour in range(3):
            at = AT + timedelta(hours=hour)
            found = [process.admit([exchange.item(each, at)]) for each in grants]
            assert found == [[""], [""], [MOVED]]

    def test_two_thresholds_in_one_group_are_two(self, exchange: Exchange) -> None:
        items = exchange.items(*map(reaching, (600, 650, 625, 650, 600)))
        assert exchange.process().admit(items) == ["", "", MOVED, "", ""]

    def test_a_band_is_told_alone_or_with_what_it_tells(self, exchange: Exchange) -> None:
        process = exchange.process()
        assert process.admit(exchange.items(BAND, reaching(600), reaching(610), BAND)) == [
            *("", "", MOVED, "")
        ]
        items = exchange.items(reaching(610), BAND, name="bob")
        assert [process.admit([item]) for item in items] == [[""], [MOVED]]

    def test_fewer_providers_are_another_question(self, exchange: Exchange) -> None:
        process, item = exchange.process(), reaching(600)
        sets = [PROVIDERS, PROVIDERS[1:], PROVIDERS[::-1], PROVIDERS[:2]]
        items = [exchange.item(exchange.grant(item, providers=each)) for each in sets]
        assert [process.admit([item]) for item in items] == [[""], [""], [""], [MOVED]]

    def test_processes_at_once_let_in_two_thresholds_between_them(self, exchange: Exchange) -> None:
        processes = [exchange.process(), exchange.process(other=True)]
        for person in ("ada", "bob", "cleo"):
            items = exchange.items(*map(reaching, range(600, 640, 2)), name=person)

            def asking(place: int, item: Checked) -> Callable[[], str]:
                process = processes[place % 2]

                def ask() -> str:
                    job = process.store.submit_to(process.bulk, item)
                    refusal = job.exception(timeout=20)
                    return _reason(refusal) if isinstance(refusal, Refusal) else str(refusal or "")

                return ask

            with ThreadPoolExecutor(8) as threads:
                jobs = [asking(*each) for each in enumerate(items)]
                found = list(threads.map(lambda job: job(), jobs))
            assert (found.count(""), found.count(MOVED)) == (2, 18), found

    def test_a_restart_and_another_process_forget_nothing(self, exchange: Exchange) -> None:
        assert exchange.process().admit(exchange.items(reaching(600), reaching(650))) == ["", ""]
        for other in (False, True):
            process = exchange.process(other=other)
            assert process.admit(exchange.items(reaching(625))) == [MOVED]

    def test_it_is_told_when_the_oldest_threshold_leaves_the_period(
        self, exchange: Exchange
    ) -> None:
        process = exchange.process(threshold_days=20)
        grants = [exchange.grant(reaching(points)) for points in (600, 650, 625)]
        assert process.admit([exchange.item(grants[0])]) == [""]
        assert process.admit([exchange.item(grants[1], AT + 5 * DAY)]) == [""]
        later = exchange.item(grants[2], AT + 8 * DAY)
        (refusal,) = process.store.run(lambda c: process.bulk(c, [later]))
        assert isinstance(refusal, Refusal)
        assert refusal.retry_after == 12 * DAY
        assert process.admit([exchange.item(grants[2], AT + 20 * DAY)]) == [""]

    def test_what_was_refused_tells_nothing_and_does_not_count(self, exchange: Exchange) -> None:
        process = exchange.process()
        unknown = exchange.federation.consent(
            exchange.federation.subject(), disclosure=reaching(610)
        )
        assert process.admit([exchange.item(unknown)]) == ["CONSENT_UNKNOWN"]
        assert process.admit(exchange.items(reaching(600), reaching(650))) == ["", ""]
        assert process.admit(exchange.items(*[reaching(620)] * 3)) == [MOVED] * 3
        assert process.admit(exchange.items(reaching(600))) == [""]
        found = [(entry.threshold, entry.counted) for entry in exchange.entries()]
        assert sorted(found) == [
            *((600, True), (600, True), (610, False)),
            *((620, False), (620, False), (620, False), (650, True)),
        ]

    def test_a_refused_threshold_uses_nothing_of_its_consent(self, exchange: Exchange) -> None:
        process = exchange.process()
        assert process.admit(exchange.items(reaching(600), reaching(650))) == ["", ""]
        granted = exchange.grant(reaching(610))
        assert process.admit([exchange.item(granted)]) == [MOVED]
        query = text("SELECT uses FROM consent WHERE consent_id = :id")
        values = {"id": granted.consent.consent_id}
        assert exchange.store.run(lambda c: c.execute(query, values).scalar_one()) == 0

    def test_lenders_and_subjects_are_each_for_itself(self, exchange: Exchange) -> None:
        process = exchange.process(thresholds_of_one_subject=1)
        assert process.admit(exchange.items(reaching(600), reaching(610))) == ["", MOVED]
        assert process.admit(exchange.items(reaching(610), name="bob")) == [""]
        assert process.admit(exchange.items(reaching(610), recipient=OTHER)) == [""]

    def test_every_purpose_counts_and_a_deposit_waiver_is_answered(
        self, exchange: Exchange
    ) -> None:
        process, waiver = exchange.process(), Purpose.PURPOSE_DEPOSIT_WAIVER
        assert process.admit(exchange.items(*[reaching(600)] * 5, purpose=waiver)) == [""] * 5
        assert process.admit(exchange.items(reaching(610))) == [""]
        assert process.admit(exchange.items(reaching(620), purpose=waiver)) == [MOVED]

    def test_what_tells_no_score_or_all_of_it_is_no_question(self, exchange: Exchange) -> None:
        process = exchange.process()
        full = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_FULL)
        flags = {"data_categories": [DataCategory.DATA_CATEGORY_FLAGS]}
        thresholds = [reaching(points) for points in range(600, 610)]
        assert process.admit(exchange.items(*thresholds, **flags)) == [""] * 10
        assert process.admit(exchange.items(full, full, reaching(600), reaching(610))) == [""] * 4
        assert process.admit(exchange.items(reaching(620))) == [MOVED]

    def test_reading_again_is_no_new_question(self, exchange: Exchange) -> None:
        process = exchange.process()
        first = exchange.items(reaching(600))
        assert process.admit(first) == [""]
        assert process.admit(exchange.items(reaching(650))) == [""]
        assert process.admit(first) == [""]

    # Cost ---------------------------------------------------------------------------------------

    def test_a_group_costs_a_lock_and_a_look_up_more_and_a_full_score_neither(
        self, exchange: Exchange
    ) -> None:
        process = exchange.process()
        full = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_FULL)
        for disclosure in (full, BAND):  # what is built once is built
            process.admit(exchange.items(disclosure, name="zoe"))
        counts = []
        for disclosure in (full, BAND):
            items = exchange.items(*[disclosure] * 20)
            with _counting(exchange.engine) as seen:
                process.admit(items)
            counts.append(len(seen))
        assert counts[1] == counts[0] + 2

    def test_the_look_up_uses_its_index(self, exchange: Exchange) -> None:
        process = exchange.process()
        with _counting(exchange.engine) as seen:
            process.admit(exchange.items(reaching(600), reaching(610)))
        (look_up,) = {sql for sql, _ in seen if "asked_of IS NOT NULL" in sql}
        values = next(values for sql, values in seen if sql == look_up)
        sqlite = exchange.engine.dialect.name == "sqlite"
        with exchange.engine.begin() as connection:
            if not sqlite:
                connection.execute(text("SET LOCAL enable_seqscan = off"))  # the table is small
            plan = connection.exec_driver_sql(
                f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{look_up}", values
            )
            assert "access_entry_by_question" in str(plan.all())


@contextmanager
def _counting(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that are executed, and their parameters."""
    seen: list[tuple[str, Any]] = []

    def executed(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        seen.append((statement, values))

    event.listen(engine, "before_cursor_execute", executed)
    yield seen
    event.remove(engine, "before_cursor_execute", executed)


class TestOnSqlite(ThresholdsContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        exchange = Exchange(f"sqlite:///{tmp_path}/exchange.db")
        to_newest_schema(exchange.engine)
        yield exchange
        exchange.close()


@pytest.fixture(scope="module")
def postgres_thresholds(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database at the newest schema."""
    return prepared(own_postgres(postgres_url, "thresholds_contract"))


class TestOnPostgres(ThresholdsContract):
    @pytest.fixture
    def exchange(self, postgres_thresholds: str) -> Iterator[Exchange]:
        exchange = Exchange(postgres_thresholds)
        tables = "consent, subject_binding, access_entry, request_seen, log_queue"
        with exchange.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {tables}, lender_use, lender_limit"))
        yield exchange
        exchange.close()


# Schema -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_what_was_told_before_thresholds_were_kept_counts_after_the_migration(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/exchange.db"
    if backend == "postgres":
        server = request.getfixturevalue("postgres_url")
        url = own_postgres(server, "thresholds_migration")
    fed, engine = Federation(), exchange_engine(url)
    full = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_FULL)
    grants = [fed.consent(fed.subject(), disclosure=each) for each in (full, BAND, reaching(610))]
    _at_schema_0003(engine, grants)
    migrate(engine, SCRIPTS)
    with engine.begin() as connection:
        rows = {row.consent_id: row for row in read_entries(connection)}
    engine.dispose()
    for granted in grants:
        asked = question_of(granted.consent)
        row = rows[granted.consent.consent_id]
        assert row.asked_of == (asked.asked_of if asked else None)
        assert row.threshold == granted.consent.disclosure.threshold


def _at_schema_0003(engine: Engine, grants: Sequence[Granted]) -> None:
    """Make a database as it was before thresholds were kept, in which each consent was used."""
    with engine.begin() as connection:
        config = _config(SCRIPTS)
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for granted in grants:
            terms = granted.consent
            used = text(
                "INSERT INTO access_entry (subject_ref, access_id, lender, consent_id, request_digest, "
                "purpose, disclosure, recorded_at, refusal, counted) "
                "VALUES (:ref, :id, :lender, :id, :ref, 1, :disclosure, :at, 0, :counted)"
            )
            values: dict[str, object] = {
                "ref": terms.subject_ref,
                "id": terms.consent_id,
                "lender": LENDER,
                "disclosure": terms.disclosure.kind,
                "at": to_micros(AT),
                "counted": True,
            }
            connection.execute(used, values)
            of_consent = text(
                "INSERT INTO consent (subject_ref, consent_id, digest, recipient, state, uses, "
                "event_sequence, valid_until, binding_version, granted_at, envelope) "
                "VALUES (:ref, :id, :ref, :lender, 1, 1, 0, 0, 1, 0, :envelope)"
            )
            envelope = granted.envelope.SerializeToString()
            connection.execute(of_consent, values | {"envelope": envelope})
