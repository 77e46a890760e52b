"""What a provider's store promises, on SQLite and on PostgreSQL alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from concordat import v1
from concordat.clock import from_micros
from concordat.store.engine import StoreError, migrate, open_engine, require_current
from concordat.store.group_commit import GroupCommit
from provider.database import keep_members, load_directory, start_clock
from provider.migrations import SCRIPTS
from provider.scores import Score
from provider.store import clock_mark, consents, journal, scores
from provider.store.journal import Access, Outcome
from provider.tables import ACCESS, METADATA
from tests.builders import DAY, LENDER, PROVIDERS, Federation, Granted
from tests.unit.provider.conftest import make_bench, reasons

PAUSE = v1.ConsentEventKind.CONSENT_EVENT_KIND_PAUSE
RESUME = v1.ConsentEventKind.CONSENT_EVENT_KIND_RESUME
REVOKE = v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE
REF, OTHER = b"r" * 32, b"o" * 32
CONSENT = b"c" * 16
DATABASE = "provider_store_contract"


def access(digest: bytes, at: int, outcome: Outcome = Outcome.SCORED, ref: bytes = REF) -> Access:
    return Access(
        subject_ref=ref,
        request_digest=digest * 32,
        request_id=digest * 16,
        lender=LENDER,
        purpose=1,
        consent_id=CONSENT,
        outcome=outcome,
        reason=0,
        at=at,
        statement_digest=None,
    )


class ProviderStoreContract:
    """The promises; a subclass brings a database."""

    @pytest.fixture
    def engine(self, url: str) -> Iterator[Engine]:
        engine = open_engine(url)
        migrate(engine, SCRIPTS)
        yield engine
        engine.dispose()

    @pytest.fixture
    def store(self, engine: Engine) -> Iterator[GroupCommit]:
        store = GroupCommit(engine)
        yield store
        store.close()

    def test_the_migrations_make_the_tables_that_the_code_uses(self, engine: Engine) -> None:
        require_current(engine, SCRIPTS)
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []

    def test_an_older_schema_is_refused_with_advice(self, engine: Engine) -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        with pytest.raises(StoreError, match="run init first"):
            require_current(engine, SCRIPTS)

    def test_only_a_newer_score_replaces_one(self, store: GroupCommit) -> None:
        for score in (
            Score(500, 20, "m-1", ("BK01", "BK02")),
            Score(400, 10, "m-0", ()),
            Score(450, 20, "m-1", ()),
        ):
            store.run(lambda c, s=score: scores.put(c, {REF: s}))  # type: ignore[misc]
        assert store.run(lambda c: scores.read(c, [REF, OTHER])) == {
            REF: Score(500, 20, "m-1", ("BK01", "BK02"))
        }
        store.run(lambda c: scores.put(c, {REF: Score(600, 21, "m-2", ())}))
        assert store.run(lambda c: scores.read(c, [REF]))[REF].score == 600
        assert store.run(scores.count) == 1

    @pytest.mark.parametrize("many", [1, 2, 3, 255, 256, 1000])
    def test_many_scores_are_read_at_once(self, store: GroupCommit, many: int) -> None:
        given = {n.to_bytes(32, "big"): Score(n, n, "m", ()) for n in range(many)}
        store.run(lambda c: scores.put(c, given))
        assert store.run(lambda c: scores.read(c, list(given))) == given

    def test_a_repeated_request_is_one_use_with_its_first_time(self, store: GroupCommit) -> None:
        for at in (10, 20, 30):
            store.run(lambda c, a=at: journal.write(c, [access(b"1", a)]))  # type: ignore[misc]
        store.run(lambda c: journal.write(c, [access(b"2", 40), access(b"3", 5, ref=OTHER)]))
        assert store.run(lambda c: journal.uses(c, [REF])) == {(REF, CONSENT): (2, 10)}
        since = from_micros(10)
        assert store.run(lambda c: journal.uses(c, [REF], since)) == {(REF, CONSENT): (1, 40)}

    def test_a_refusal_hides_no_answer_and_an_answer_replaces_a_refusal(
        self, store: GroupCommit
    ) -> None:
        refused = Outcome.REFUSED
        store.run(lambda c: journal.write(c, [access(b"1", 10, refused)]))
        assert store.run(lambda c: journal.uses(c, [REF])) == {}
        store.run(lambda c: journal.write(c, [access(b"1", 20)]))
        store.run(lambda c: journal.write(c, [access(b"1", 30, refused)]))
        assert store.run(lambda c: journal.uses(c, [REF])) == {(REF, CONSENT): (1, 20)}
        answered = store.run(lambda c: journal.answered(c, [REF, OTHER], [b"1" * 16, b"2" * 16]))
        assert answered == {(REF, b"1" * 16): b"1" * 32}

    def test_a_revocation_absorbs_and_old_events_change_nothing(self, store: GroupCommit) -> None:
        federation = Federation()
        granted = federation.consent(federation.subject())

        def put(kind: v1.ConsentEventKind.ValueType, sequence: int) -> int:
            envelope = federation.consent_event(granted, kind, sequence)
            event = v1.ConsentEvent.FromString(envelope.payload)
            return store.run(lambda c: consents.put_event(c, event, envelope))

        def kind() -> int:
            found = store.run(lambda c: consents.events(c, [granted.person.ref]))
            return found[granted.person.ref, granted.consent.consent_id]

        assert (put(PAUSE, 2), kind()) == (2, PAUSE)
        assert (put(RESUME, 1), kind()) == (2, PAUSE)
        assert (put(RESUME, 2), kind()) == (2, PAUSE)
        assert (put(REVOKE, 3), kind()) == (3, REVOKE)
        assert (put(REVOKE, 3), kind()) == (3, REVOKE)
        assert (put(RESUME, 4), kind()) == (3, REVOKE)

    def test_the_newest_binding_stays_known(self, store: GroupCommit) -> None:
        for version in (2, 5, 3):
            store.run(lambda c, n=version: consents.put_bindings(c, {REF: n}))  # type: ignore[misc]
        assert store.run(lambda c: consents.newest_bindings(c, [REF, OTHER])) == {REF: 5}

    def test_a_clock_set_back_across_a_restart_unexpires_nothing(self, store: GroupCommit) -> None:
        ahead = from_micros(4_000_000_000_000_000)
        assert store.run(clock_mark.read) is None
        store.run(lambda c: clock_mark.advance(c, ahead))
        store.run(lambda c: clock_mark.advance(c, ahead - DAY))
        assert store.run(start_clock).now() == ahead

    def test_a_restart_forgets_no_suspension(self, store: GroupCommit) -> None:
        federation = Federation()
        status = federation.status(LENDER, v1.Standing.STANDING_SUSPENDED)
        licences = [member.licence_envelope for member in federation.directory.members()]
        store.run(lambda c: keep_members(c, licences, [status]))
        again = store.run(lambda c: load_directory(c, federation.anchors, federation.at))
        assert again.standing(LENDER) == v1.Standing.STANDING_SUSPENDED
        assert len(again.members()) == len(licences)

    def test_a_batch_is_answered_recorded_and_counted(self, store: GroupCommit) -> None:
        federation = Federation()
        bench = make_bench(federation, store)
        people = [federation.subject(f"p{n}") for n in range(5)]
        for person in people:
            bench.put(person)
        granted: list[Granted] = [federation.consent(person) for person in people]
        asks = [federation.score_request(g) for g in granted]
        assert reasons(bench.answer(*asks, *asks)) == [""] * 10
        again = [federation.score_request(g) for g in granted]
        assert reasons(bench.answer(*again)) == ["CONSENT_EXHAUSTED"] * 5
        bench.notify(granted[0], REVOKE)
        assert reasons(bench.answer(asks[0], asks[1])) == ["CONSENT_REVOKED", ""]
        elsewhere = federation.consent(people[0], providers=[PROVIDERS[1]])
        assert reasons(bench.answer(federation.score_request(elsewhere))) == ["PROVIDER_NOT_NAMED"]
        rows = store.run(lambda c: len(c.execute(ACCESS.select()).all()))
        assert rows == 5 + 5 + 1


class TestOnSqlite(ProviderStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/provider.db"


class TestOnPostgresql(ProviderStoreContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> Iterator[str]:
        admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {DATABASE}"))
            yield make_url(postgres_url).set(database=DATABASE).render_as_string(False)
            connection.execute(text(f"DROP DATABASE {DATABASE} WITH (FORCE)"))
        admin.dispose()
