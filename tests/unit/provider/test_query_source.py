"""Scores read in place: whatever stands in the provider's database, a bad row is its own refusal."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.store.engine import StoreError
from concordat.store.group_commit import GroupCommit
from provider.query_source import QuerySource
from provider.scores import Score, score_of
from provider.settings import ScoresSettings
from tests.builders import Federation
from tests.unit.provider.conftest import make_bench, reasons

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
QUERY = (
    "SELECT ref AS subject_ref, points AS score, seen AS as_of, model AS model_version, "
    "codes AS reasons FROM customer WHERE ref IN :subject_refs"
)
REF = bytes(range(32))


class Customers:
    """The provider's existing database."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/core.db"
        self.engine = create_engine(self.url)
        self.execute("CREATE TABLE customer (ref, points, seen, model, codes)")

    def execute(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def add(self, points: object, ref: object = REF, **changed: object) -> None:
        row = {"seen": "2026-05-01T00:00:00", "model": "m-1", "codes": "BK01;BK02", **changed}
        self.execute(
            "INSERT INTO customer VALUES (:ref, :points, :seen, :model, :codes)",
            ref=ref,
            points=points,
            **row,
        )

    def source(self, query: str = QUERY, form: str = "bytes") -> QuerySource:
        return QuerySource(
            ScoresSettings.model_validate(
                {"source": "query", "url": self.url, "query": query, "subject_ref_format": form}
            )
        )


@pytest.fixture
def customers(tmp_path: Path) -> Iterator[Customers]:
    customers = Customers(tmp_path)
    yield customers
    customers.engine.dispose()


def test_a_score_is_read_and_nothing_is_copied(customers: Customers) -> None:
    customers.add(700)
    found = customers.source().read([REF, bytes(32)], AT)
    as_of = to_micros(datetime(2026, 5, 1, tzinfo=UTC))
    assert found == {REF: Score(700, as_of, "m-1", ("BK01", "BK02"))}


def test_references_may_be_kept_in_hex(customers: Customers) -> None:
    customers.add(700, ref=REF.hex(), codes=None)
    score = customers.source(form="hex").read([REF], AT)[REF]
    assert isinstance(score, Score)
    assert score.reasons == ()


@pytest.mark.parametrize(
    ("points", "changed", "reason"),
    [
        pytest.param(float("inf"), {}, "SCORE_OUT_OF_SCALE", id="infinite"),
        pytest.param(700.5, {}, "SCORE_OUT_OF_SCALE", id="fraction"),
        pytest.param("700", {}, "SCORE_STORE_FAILED", id="text"),
        pytest.param("NaN", {}, "SCORE_STORE_FAILED", id="nan-as-text"),
        pytest.param(b"\x01", {}, "SCORE_STORE_FAILED", id="bytes"),
        pytest.param(299, {}, "SCORE_OUT_OF_SCALE", id="below-the-scale"),
        pytest.param(10**18, {}, "SCORE_OUT_OF_SCALE", id="far-above-the-scale"),
        pytest.param(700, {"codes": "ZZ99"}, "SCORE_STORE_FAILED", id="unknown-code"),
        pytest.param(700, {"codes": "BK01;BK01"}, "SCORE_STORE_FAILED", id="code-twice"),
        pytest.param(700, {"codes": "late payer"}, "SCORE_STORE_FAILED", id="free-text"),
        pytest.param(700, {"codes": 7}, "SCORE_STORE_FAILED", id="codes-of-another-type"),
        pytest.param(700, {"model": ""}, "SCORE_STORE_FAILED", id="no-model"),
        pytest.param(700, {"model": None}, "SCORE_STORE_FAILED", id="null-model"),
        pytest.param(700, {"seen": "yesterday"}, "SCORE_STORE_FAILED", id="as-of-no-time"),
        pytest.param(700, {"seen": None}, "SCORE_STORE_FAILED", id="as-of-null"),
        pytest.param(700, {"seen": "2027-01-01"}, "SCORE_STORE_FAILED", id="as-of-ahead"),
        pytest.param(700, {"seen": "1950-01-01"}, "SCORE_STORE_FAILED", id="as-of-before-1970"),
    ],
)
def test_a_bad_row_is_its_own_refusal_and_no_other(
    customers: Customers,
    store: GroupCommit,
    points: object,
    changed: dict[str, object],
    reason: str,
) -> None:
    federation = Federation()
    bad, good = federation.subject("bad"), federation.subject("good")
    customers.add(points, ref=bad.ref, **changed)
    customers.add(700, ref=good.ref)
    bench = make_bench(federation, store, customers.source())
    results = bench.answer(
        *(federation.score_request(federation.consent(person)) for person in (bad, good))
    )
    assert reasons(results) == [reason, ""]


def test_nan_is_no_score() -> None:
    class Row:
        score, as_of, model_version, reasons = float("nan"), AT, "m", ""

    with pytest.raises(Refusal, match="SCORE_OUT_OF_SCALE"):
        score_of(Row, AT)


def test_two_rows_for_a_subject_are_nobodys_score(customers: Customers) -> None:
    customers.add(700)
    customers.add(500)
    refusal = customers.source().read([REF], AT)[REF]
    assert isinstance(refusal, Refusal)


def test_a_null_score_is_no_record(customers: Customers) -> None:
    customers.add(None, model=None, seen=None, codes=None)
    assert customers.source().read([REF], AT) == {}


def test_a_failing_database_refuses_every_item_and_raises_nothing(customers: Customers) -> None:
    customers.execute("DROP TABLE customer")
    found = customers.source().read([REF, bytes(32)], AT)
    assert [type(answer) for answer in found.values()] == [Refusal, Refusal]


def test_a_query_without_a_column_refuses_every_item(customers: Customers) -> None:
    customers.add(700)
    query = "SELECT ref AS subject_ref, points AS score FROM customer WHERE ref IN :subject_refs"
    assert isinstance(customers.source(query).read([REF], AT)[REF], Refusal)


def test_a_database_that_no_driver_knows_is_refused_at_the_start() -> None:
    settings = ScoresSettings(source="query", url="nosuch://x", query=QUERY)
    with pytest.raises(StoreError, match=r"scores\.url"):
        QuerySource(settings)


def test_the_query_settings_must_be_complete() -> None:
    with pytest.raises(ValueError, match="subject_refs"):
        ScoresSettings(source="query", url="sqlite:///x", query="SELECT 1")


# PostgreSQL -------------------------------------------------------------------------------------

TYPED = {
    "bytes": "ref bytea PRIMARY KEY",
    "hex": "ref char(64) PRIMARY KEY",
}
STRICT_COLUMNS = "points numeric(6, 1), seen timestamptz, model varchar(40), codes text"


class TypedCustomers(Customers):
    """The provider's existing database on a server, where every column has a type."""

    def __init__(self, url: str, form: str) -> None:
        self.url = url
        self.engine = create_engine(url)
        self.table = f"customer_{form}"
        self.form = form
        self.execute(f"CREATE TABLE {self.table} ({TYPED[form]}, {STRICT_COLUMNS})")

    @property
    def query(self) -> str:
        return QUERY.replace("FROM customer", f"FROM {self.table}")

    def put(self, ref: bytes, points: object, **changed: object) -> None:
        row = {"seen": datetime(2026, 5, 1, tzinfo=UTC), "model": "m-1", "codes": "BK01;BK02"}
        self.execute(
            f"INSERT INTO {self.table} VALUES (:ref, :points, :seen, :model, :codes)",
            ref=ref.hex() if self.form == "hex" else ref,
            points=points,
            **(row | changed),
        )


@pytest.fixture(params=TYPED)
def typed(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[TypedCustomers]:
    customers = TypedCustomers(postgres_url, request.param)
    yield customers
    customers.execute(f"DROP TABLE {customers.table}")
    customers.engine.dispose()


def test_scores_are_read_from_postgresql_in_its_own_types(typed: TypedCustomers) -> None:
    full, plain, broken, none, absent = (bytes([n]) * 32 for n in range(1, 6))
    typed.put(full, 700)
    typed.put(plain, "649.0", codes=None, seen="2026-05-01T02:00:00+02:00")
    typed.put(broken, "700.5")
    typed.put(none, None, model=None)
    source = typed.source(typed.query, typed.form)
    try:
        found = source.read([full, plain, broken, none, absent], AT)
    finally:
        source.close()
    as_of = to_micros(datetime(2026, 5, 1, tzinfo=UTC))
    assert found[full] == Score(700, as_of, "m-1", ("BK01", "BK02"))
    assert found[plain] == Score(649, as_of, "m-1", ())
    assert isinstance(found[broken], Refusal)
    assert set(found) == {full, plain, broken}


def test_a_postgresql_that_closed_its_connections_is_connected_to_again(
    typed: TypedCustomers,
) -> None:
    typed.put(REF, 700)
    source = typed.source(typed.query, typed.form)
    try:
        assert isinstance(source.read([REF], AT)[REF], Score)
        typed.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        assert isinstance(source.read([REF], AT)[REF], Score)
    finally:
        source.close()
