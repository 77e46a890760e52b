"""The exchange as processes: killed, stalled, revoked and suspended under it, on real PostgreSQL."""

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import grpc
import pytest
from sqlalchemy import Engine, create_engine, select

from clients.sandbox import EXCHANGE, LENDER, REGULATOR, Person, Sandbox, ServerProcess
from clients.sandbox.cast import LOG
from clients.sandbox.layout import free_ports
from clients.sdk.client import LenderClient, MemberClient, WalletClient
from clients.sdk.views import Permission, prepare_asks
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import Anchors, load_anchors, save_bundle
from concordat.ids import new_id
from concordat.rpc.channels import open_channel
from concordat.rpc.errors import RemoteError, from_rpc_error
from concordat.rpc.tls import member_channel
from concordat.statements import digest_of, seal
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.v1 import Reason
from concordat.v1.provider_service_pb2_grpc import ProviderServiceStub
from concordat.v1.view_service_pb2_grpc import ViewServiceStub
from exchange.tables import access_entry, consent
from tests.receipt_builders import intent_record, receipt_of

T = TypeVar("T")
PROVIDER_SECONDS = 1.5
WITHIN = 1.0  # seconds, for a revocation or a suspension to hold everywhere


@dataclass
class Second:
    """A second exchange process on the same database, and clients that know no other."""

    process: ServerProcess
    anchors: Anchors


class World:
    """A running federation with somebody in it."""

    def __init__(self, sandbox: Sandbox, person: Person, engine: Engine) -> None:
        self.sandbox = sandbox
        self.person = person
        self.engine = engine

    @property
    def victim(self) -> ServerProcess:
        """The process of the first provider."""
        return self.sandbox.process(self.sandbox.provider_ids[0])

    def consent(self, **terms: Any) -> Permission:
        return self.person.consent(self.sandbox.provider_ids, **terms)

    def ask(self, permission: Permission) -> v1.RequestViewRequest:
        identity = self.sandbox.identity(LENDER)
        (ask,) = prepare_asks(identity, [permission], datetime.now(UTC))
        return ask

    def channel(
        self, member_id: str, to: str, endpoint: str, anchors: Anchors | None = None
    ) -> grpc.Channel:
        """Open a connection as ``member_id``."""
        anchors = anchors or self.sandbox.anchors
        tls = self.sandbox.identity(member_id).tls
        return open_channel(endpoint, member_channel(tls, anchors), anchors.server_name(to))

    def lender_channel(self, anchors: Anchors | None = None) -> grpc.Channel:
        endpoint = (anchors or self.sandbox.anchors).bundle.exchange_endpoint
        return self.channel(LENDER, EXCHANGE, endpoint, anchors)

    def provider_channel(self) -> grpc.Channel:
        """Open a connection to the first provider as the exchange: what a lying one would have."""
        provider = self.sandbox.provider_ids[0]
        return self.channel(EXCHANGE, provider, self.sandbox.ports[provider].member_address)

    def score_request(self, permission: Permission) -> v1.RequestScoresRequest:
        """Return what an exchange sends that says, freshly signed, that the consent is active."""
        ask, terms = self.ask(permission), v1.Consent.FromString(permission.consent.payload)
        status = v1.ConsentStatus(
            federation=terms.federation,
            subject_ref=terms.subject_ref,
            consent_id=terms.consent_id,
            consent_digest=digest_of(permission.consent),
            state=v1.ConsentState.CONSENT_STATE_ACTIVE,
            uses=1,
            binding_version=1,
            issued_at=to_timestamp(datetime.now(UTC)),
        )
        now = datetime.now(UTC)
        request = v1.ScoreRequest(
            view_request=ask.request,
            consent=ask.consent,
            binding=ask.binding,
            consent_status=seal(status, self.sandbox.identity(EXCHANGE).signer),
            intent=receipt_of(
                intent_record(ask.request, terms, new_id(), now),
                v1.LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT,
                origin=self.sandbox.anchors.log.name,
                log=Ed25519Signer.load(self.sandbox.pki.folder / "log.key", None),
                at=now,
            ),
        )
        return v1.RequestScoresRequest(requests=[request])

    def entries(self, ask: v1.RequestViewRequest) -> list[Any]:
        """Return the access entries of one request, as the database holds them."""
        digest = digest_of(ask.request)
        with self.engine.connect() as connection:
            query = select(access_entry).where(access_entry.c.request_digest == digest)
            return list(connection.execute(query))

    def uses(self, permission: Permission) -> int:
        digest = digest_of(permission.consent)
        with self.engine.connect() as connection:
            query = select(consent.c.uses).where(consent.c.digest == digest)
            return int(connection.execute(query).scalar_one())


@pytest.fixture(scope="module")
def running(postgres_url: str) -> Iterator[World]:
    settings = {"exchange": {"provider_timeout_seconds": PROVIDER_SECONDS}}
    with Sandbox(providers=3, database=postgres_url, settings=settings) as sandbox:
        (person,) = sandbox.enrol(["TEST-0001"])
        engine = create_engine(sandbox.databases.url(EXCHANGE), isolation_level="AUTOCOMMIT")
        yield World(sandbox, person, engine)
        engine.dispose()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    """Everyone is there when a test begins."""
    yield running
    for process in running.sandbox.processes.values():
        process.resume()
        if not process.running:
            process.restart()


@pytest.fixture(scope="module")
def second(running: World) -> Iterator[Second]:
    """Start another exchange on the database of the first."""
    first = running.sandbox.process(EXCHANGE)
    old, (new, log) = running.sandbox.ports[EXCHANGE], free_ports(2)
    text = first.config.read_text("utf-8")
    text = text.replace(running.sandbox.ports[LOG].member_address, log.member_address)
    text = text.replace(old.member_address, new.member_address)
    config = first.config.with_name("second.toml")
    config.write_text(text.replace(old.public_address, new.public_address), "utf-8")
    process = ServerProcess(
        name="exchange, second process",
        module=first.module,
        config=config,
        log=first.log.with_name("second.jsonl"),
        signs=first.signs,
        environment=first.environment,
    )
    bundle = v1.TrustBundle()
    bundle.CopyFrom(running.sandbox.anchors.bundle)
    bundle.exchange_endpoint = new.member_address
    bundle.exchange_public_endpoint = new.public_address
    save_bundle(bundle, config.with_name("second-bundle.json"))
    process.start()
    process.wait_ready()
    yield Second(process, load_anchors(config.with_name("second-bundle.json")))
    process.stop()


def eventually(look: Callable[[], T], seconds: float) -> T:
    """Return the first truthy result of ``look`` within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (result := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.03)
    return result


def reason(call: Callable[[], object]) -> str:
    """Return why a call is refused; "" where it is not."""
    try:
        call()
    except RemoteError as error:
        return Reason.Name(error.reason).removeprefix("REASON_")
    except grpc.RpcError as error:
        return Reason.Name(from_rpc_error(error).reason).removeprefix("REASON_")
    return ""


def complete(view: v1.View) -> bool:
    """Whether every provider answered (none has a record of the person)."""
    return all(one.kind == Kind.PROVIDER_OUTCOME_KIND_NO_RECORD for one in view.providers)


def outcome_of(view: v1.View, process: ServerProcess) -> tuple[str, int]:
    """Return what became of one provider, and how many answered."""
    (kind,) = (one.kind for one in view.providers if one.provider == process.name)
    answered = [one.kind == Kind.PROVIDER_OUTCOME_KIND_NO_RECORD for one in view.providers]
    return Kind.Name(kind).removeprefix("PROVIDER_OUTCOME_KIND_"), sum(answered)


def test_a_provider_that_stalls_makes_the_view_partial_within_the_deadline(world: World) -> None:
    lender = world.sandbox.lender()
    assert complete(lender.request_view(world.consent()).view)
    world.victim.pause()
    started = time.monotonic()
    view = lender.request_view(world.consent()).view  # verified in full by the client
    assert time.monotonic() - started < PROVIDER_SECONDS + 1
    assert outcome_of(view, world.victim) == ("TIMED_OUT", 2)
    assert view.no_score.partial
    world.victim.resume()
    assert complete(lender.request_view(world.consent()).view)


def test_a_provider_that_dies_mid_answer_is_missing_and_back_after_its_restart(
    world: World,
) -> None:
    permission = world.consent()
    world.victim.pause()
    with world.lender_channel() as channel:
        ask = world.ask(permission)
        asked = ViewServiceStub(channel).RequestView.future(ask, timeout=10)
        eventually(lambda: world.entries(ask), 2)
        time.sleep(0.2)  # now the provider has the request, and is frozen over it
        world.victim.kill()
        view = v1.View.FromString(asked.result(timeout=5).view.payload)
    assert outcome_of(view, world.victim) == ("UNREACHABLE", 2)
    assert view.no_score.partial
    world.victim.start()
    world.victim.wait_ready()
    lender = world.sandbox.lender()
    eventually(lambda: complete(lender.request_view(world.consent()).view), 5)


def test_an_exchange_killed_between_entry_and_release_answers_the_retry_under_the_same_entry(
    world: World,
) -> None:
    permission = world.consent()
    ask = world.ask(permission)
    world.victim.pause()
    with world.lender_channel() as channel:
        asked = ViewServiceStub(channel).RequestView.future(ask, timeout=10)
        (entry,) = eventually(lambda: world.entries(ask), 2)
        assert entry.released_at is None
        exchange = world.sandbox.process(EXCHANGE)
        exchange.kill()
        asked.cancel()
    exchange.start()
    exchange.wait_ready()
    world.victim.resume()
    with world.lender_channel() as channel:
        answer = ViewServiceStub(channel).RequestView(ask, timeout=5)
    view = v1.View.FromString(answer.view.payload)
    assert view.receipt.access_id == entry.access_id
    (after,) = world.entries(ask)
    assert after.access_id == entry.access_id
    assert after.released_at is not None
    assert world.uses(permission) == 1


def test_a_revocation_holds_at_exchange_and_provider_within_a_second(world: World) -> None:
    terms = v1.Frequency(uses=100, period=v1.Period.PERIOD_DAY)
    permission = world.consent(frequency=terms, max_uses=100)
    with world.lender_channel() as lender, world.provider_channel() as liar:
        views, scores = ViewServiceStub(lender), ProviderServiceStub(liar)
        assert reason(lambda: views.RequestView(world.ask(permission), timeout=5)) == ""
        (before,) = scores.RequestScores(world.score_request(permission), timeout=5).results
        assert before.HasField("statement")
        started = time.monotonic()
        assert world.person.revoke(permission).complete
        refused = reason(lambda: views.RequestView(world.ask(permission), timeout=5))
        (after,) = scores.RequestScores(world.score_request(permission), timeout=5).results
        assert time.monotonic() - started < WITHIN
    assert refused == "CONSENT_REVOKED"
    assert after.refusal.reason == Reason.REASON_CONSENT_REVOKED  # whatever the exchange says


def test_a_suspended_lender_is_refused_everywhere_within_a_second_on_open_connections(
    world: World, second: Second
) -> None:
    terms = v1.Frequency(uses=100, period=v1.Period.PERIOD_DAY)
    permission = world.consent(frequency=terms, max_uses=100)
    with (
        world.lender_channel() as here,
        world.lender_channel(second.anchors) as there,
        world.provider_channel() as liar,
    ):
        exchanges = [ViewServiceStub(here), ViewServiceStub(there)]
        scores = ProviderServiceStub(liar)

        def at(exchange: ViewServiceStub) -> str:
            return reason(lambda: exchange.RequestView(world.ask(permission), timeout=5))

        def at_exchanges() -> list[str]:
            return [at(exchange) for exchange in exchanges]

        def at_provider() -> Reason.ValueType:
            answer = scores.RequestScores(world.score_request(permission), timeout=5)
            refused: Reason.ValueType = answer.results[0].refusal.reason
            return refused

        assert (at_exchanges(), at_provider()) == (["", ""], 0)
        asks: queue.SimpleQueue[v1.RequestViewsRequest | None] = queue.SimpleQueue()
        stream = exchanges[0].RequestViews(iter(asks.get, None), timeout=20)
        asks.put(v1.RequestViewsRequest(asks=[world.ask(permission)]))
        assert next(stream).results[0].HasField("view")
        try:
            world.sandbox.suspend(LENDER)
            time.sleep(WITHIN)
            assert at_exchanges() == ["MEMBER_SUSPENDED"] * 2
            assert at_provider() == Reason.REASON_MEMBER_SUSPENDED
            asks.put(v1.RequestViewsRequest(asks=[world.ask(permission)]))
            assert reason(lambda: next(stream)) == "MEMBER_SUSPENDED"
        finally:
            asks.put(None)
            world.sandbox.reinstate(LENDER)
        eventually(lambda: at_exchanges() == ["", ""] and not at_provider(), 3)


def test_a_revocation_at_one_exchange_process_holds_at_the_other_within_a_second(
    world: World, second: Second
) -> None:
    permission = world.consent()
    identity = world.sandbox.identity(LENDER)
    with WalletClient(second.anchors) as wallet, LenderClient(second.anchors, identity) as lender:
        assert complete(lender.request_view(world.consent()).view)
        there = Person(world.person.identity_number, world.person.key, wallet)
        started = time.monotonic()
        there.revoke(permission)
        here = world.sandbox.lender()
        assert reason(lambda: here.request_view(permission)) == "CONSENT_REVOKED"
        assert time.monotonic() - started < WITHIN


def test_a_provider_suspended_at_one_exchange_process_is_asked_by_neither_within_a_second(
    world: World, second: Second
) -> None:
    provider = world.victim.name
    identity = world.sandbox.identity(LENDER)
    standing = v1.Standing
    with MemberClient(second.anchors, world.sandbox.identity(REGULATOR)) as regulator:
        order = world.sandbox.pki.status(provider, standing.STANDING_SUSPENDED, "Test order 1")
        regulator.submit_status(order)
        try:
            time.sleep(WITHIN)
            for anchors in (world.sandbox.anchors, second.anchors):
                with LenderClient(anchors, identity) as lender:
                    view = lender.request_view(world.consent()).view
                assert outcome_of(view, world.victim) == ("NOT_LICENSED", 2)
        finally:
            order = world.sandbox.pki.status(provider, standing.STANDING_ACTIVE, "Test order 2")
            regulator.submit_status(order)


def test_an_exchange_told_to_stop_does_not_wait_for_those_who_watch_its_members(
    world: World,
) -> None:
    exchange = world.sandbox.process(EXCHANGE)
    started = time.monotonic()
    assert exchange.stop() == 0
    assert time.monotonic() - started < 3  # the grace is 5 s
    exchange.start()
    exchange.wait_ready()
    lender = world.sandbox.lender()
    eventually(lambda: complete(lender.request_view(world.consent()).view), 5)
