"""A node in a process of its own, called over real TLS; and `concordat-provider check` beside it."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from concordat import v1
from concordat.clock import to_timestamp
from concordat.rpc.channels import open_channel
from concordat.rpc.errors import RemoteError
from concordat.rpc.tls import public_channel
from concordat.store.engine import open_engine
from concordat.v1.provider_service_pb2_grpc import ConsentNoticeServiceStub
from provider.store import clock_mark
from tests.builders import LENDER, Pki, signer
from tests.unit.provider.house import SELF, House
from tests.unit.provider.running import running

# A node is a process of its own: it takes seconds of processor time to start, and some tests start two.
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def reason(results: list[v1.ScoreResult]) -> str:
    return v1.Reason.Name(results[0].refusal.reason) if results[0].HasField("refusal") else ""


def test_a_node_answers_hears_of_events_and_suspensions_and_stops(house: House) -> None:
    assert house.run("init").exit_code == 0
    federation = house.federation
    granted, other, third = (
        federation.consent(federation.subject(name)) for name in ("ada", "bob", "cyd")
    )
    with running(house) as node:
        assert reason(node.ask(federation.score_request(granted))) == ""
        with pytest.raises(RemoteError, match="ROLE_NOT_ALLOWED"):
            node.ask(federation.score_request(other), caller=LENDER)

        anchors = federation.anchors
        with open_channel(
            node.public, public_channel(anchors), anchors.server_name(SELF)
        ) as channel:
            revocation = federation.consent_event(
                other, v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE
            )
            told = ConsentNoticeServiceStub(channel).NotifyConsentEvent(
                v1.NotifyConsentEventRequest(
                    event=revocation, consent=other.envelope, binding=other.person.binding
                ),
                timeout=30,
            )
            assert told.event_sequence == 1
        assert reason(node.ask(federation.score_request(other))) == "REASON_CONSENT_REVOKED"

        findings = house.run("check", "--json")
        assert findings.exit_code == 0, findings.stdout

        # The same request again is no further use, so that it may be asked until the node has heard.
        request = federation.score_request(third)
        assert reason(node.ask(request)) == ""
        federation.suspend(LENDER)
        heard = ""
        for _ in range(200):
            if heard := reason(node.ask(request)):
                break
            time.sleep(0.05)
        assert heard == "REASON_MEMBER_SUSPENDED"
        assert node.stop() == 0
    with running(house) as node:
        assert reason(node.ask(federation.score_request(third))) == "REASON_MEMBER_SUSPENDED"


def test_a_clock_set_back_across_a_restart_unexpires_no_consent(house: House) -> None:
    assert house.run("init").exit_code == 0
    federation = house.federation
    granted = federation.consent(
        federation.subject(), valid_until=to_timestamp(federation.at + timedelta(seconds=90))
    )
    engine = open_engine(f"sqlite:///{house.folder}/provider.db")
    with engine.begin() as connection:  # it was later when this node last ran
        clock_mark.advance(connection, datetime.now(UTC) + timedelta(seconds=120))
    engine.dispose()
    with running(house) as node:
        assert reason(node.ask(federation.score_request(granted))) == "REASON_CONSENT_EXPIRED"


def test_a_node_without_a_database_says_to_run_init(house: House) -> None:
    result = house.run("serve")
    assert result.exit_code == 1
    assert "run init first" in result.stderr


# check ------------------------------------------------------------------------------------------


def findings(house: House) -> dict[str, tuple[str, str]]:
    found = json.loads(house.run("check", "--json").stdout)
    return {finding["check"]: (finding["state"], finding["detail"]) for finding in found}


def test_check_is_content_once_the_database_is_there(house: House) -> None:
    assert findings(house)["database"][0] == "failed"
    assert house.run("check").exit_code == 1
    house.run("init")
    found = findings(house)
    assert {state for state, _ in found.values()} == {"ok", "warning"}
    assert found["scores"] == (
        "warning",
        "0 in the node's own database; load a file, or every answer is that there is no record",
    )
    assert house.run("check").exit_code == 0


def test_check_finds_a_signing_key_that_is_not_licensed(house: House) -> None:
    house.run("init")
    (house.folder / "signing.key").unlink()
    signer("another").save(house.folder / "signing.key", None)
    assert findings(house)["own licence"][0] == "failed"


@pytest.mark.parametrize(
    "fault", ["another-key", "another-member", "expired", "another-ca", "none"]
)
def test_check_finds_a_certificate_that_will_not_do(house: House, fault: str) -> None:
    house.run("init")
    certificate, key = house.pki.issue(SELF)
    match fault:
        case "another-key":
            key = house.pki.issue(SELF)[1]
        case "another-member":
            certificate, key = house.pki.issue(LENDER)
        case "expired":
            certificate, key = house.pki.issue(
                SELF, not_after=datetime.now(UTC) - timedelta(hours=1)
            )
        case "another-ca":
            certificate, key = Pki().issue(SELF)
        case "none":
            certificate = b"nothing"
    house.install(certificate, key)
    found = findings(house)
    assert found["TLS certificate"][0] == "failed"
    assert found["exchange"][0] == "skipped"


def test_check_warns_of_a_certificate_that_expires_soon(house: House) -> None:
    house.run("init")
    house.install(*house.pki.issue(SELF, not_after=datetime.now(UTC) + timedelta(days=3)))
    assert findings(house)["TLS certificate"][0] == "warning"


def test_check_finds_an_exchange_that_is_away(house: House) -> None:
    house.run("init")
    house.close()
    assert findings(house)["exchange"][0] == "failed"


def test_check_reads_a_sample_of_the_scores_in_place(house: House) -> None:
    house.run("init")
    house.configure(
        scores={"source": "query", "url": "sqlite:///core.db", "query": "SELECT :subject_refs"}
    )
    assert findings(house)["scores"][0] == "failed"


def test_settings_that_are_wrong_are_named(house: House) -> None:
    house.configure(threads=0, nonsense=1)
    result = house.run("check")
    assert result.exit_code == 2
    assert "threads" in result.stderr
    assert "nonsense" in result.stderr


def test_a_node_answers_from_the_providers_own_postgresql(house: House, postgres_url: str) -> None:
    federation = house.federation
    known, unknown = federation.subject("ada"), federation.subject("bob")
    columns = "ref bytea, points int, seen date, model text, codes text"
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE core_scores ({columns})"))
        connection.execute(
            text("INSERT INTO core_scores VALUES (:ref, 640, '2026-05-01', 'core-7', 'BK02')"),
            {"ref": known.ref},
        )
    query = (
        "SELECT ref AS subject_ref, points AS score, seen AS as_of, model AS model_version, "
        "codes AS reasons FROM core_scores WHERE ref IN :subject_refs"
    )
    house.configure(scores={"source": "query", "url": postgres_url, "query": query})
    assert house.run("init").exit_code == 0
    try:
        with running(house) as node:
            found = node.ask(
                *(federation.score_request(federation.consent(p)) for p in (known, unknown))
            )
            assert findings(house)["scores"][0] == "ok"
            assert node.stop() == 0
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE core_scores"))
        engine.dispose()
    first, second = (v1.ScoreStatement.FromString(one.statement.payload) for one in found)
    assert (first.score, first.model_version, [*first.reasons]) == (640, "core-7", ["BK02"])
    assert second.WhichOneof("answer") == "absence"
    refused = house.run("load", house.folder / "any.csv")
    assert refused.exit_code == 2
    assert "read in place" in refused.stderr.replace("\n", " ")


def test_init_in_json_is_one_object(house: House) -> None:
    assert json.loads(house.run("init", "--json").stdout) == {"ok": True, "member_id": SELF}
    house.configure(database="mysql://host/name")
    refused = house.run("init", "--json")
    assert refused.exit_code == 1
    told = json.loads(refused.stdout)
    assert (told["ok"], "postgresql+psycopg" in told["error"]) == (False, True)
