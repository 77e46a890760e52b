"""The exchange as processes: killed, stalled, revoked and suspended under it, on real PostgreSQL.

Nothing here is a race: what may take a while is waited for, with bounds that a busy machine keeps. How long
the parties idle before they hear of something is counted in tests/unit/exchange/test_servicers.py and
tests/contracts/test_exchange_store.py.
"""

import json
import queue
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from sqlalchemy import Select, create_engine, select
from sqlalchemy.pool import NullPool

from clients.pki import read_envelope
from clients.sandbox import EXCHANGE, LENDER, REGULATOR, Person, Sandbox, ServerProcess
from clients.sandbox.calibration import sign_calibration
from clients.sandbox.cast import LOG
from clients.sandbox.layout import free_ports
from clients.sdk import ConsentTerms, ViewRefused
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
from concordat.verify.bundle import assemble_bundle
from concordat.verify.view import verify_view_bundle
from exchange.tables import access_entry, consent
from exchange.vault.cipher import attach
from exchange.vault.keyring import load
from provider.store.journal import Outcome
from provider.tables import ACCESS
from tests.receipt_builders import intent_record, receipt_of

T = TypeVar("T")
SECOND = 1.0  # after which a revocation or a suspension holds everywhere
LONG = 30.0  # seconds: more than anything here takes on a machine with other things to do
PROVIDER_SECONDS = (
    20.0  # how long a stalled provider is waited for: long enough to do things meanwhile
)
HASTY_PROVIDER_SECONDS = 1.5  # the same, at the second process

# Starting a federation takes seconds of processor time, more where tests run side by side.
pytestmark = pytest.mark.timeout(180)


@dataclass
class Second:
    """A second exchange process on the same database, and clients that know no other."""

    process: ServerProcess
    anchors: Anchors


class World:
    """A running federation with somebody in it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        (self.person,) = sandbox.enrol(["TEST-0001"])
        self.lender = sandbox.lender()
        self.calibrations: dict[bytes, v1.Envelope] = {}
        self.learn(sandbox.calibration)
        self.licences = {
            digest_of(member.licence_envelope): member.licence_envelope
            for member, _ in self.lender.members()
        }

    def learn(self, calibration: v1.Envelope) -> None:
        """Have a calibration at hand for the views that name it."""
        self.calibrations[digest_of(calibration)] = calibration

    @property
    def victim(self) -> ServerProcess:
        """The process of the first provider."""
        return self.sandbox.process(self.sandbox.provider_ids[0])

    def whole(self) -> bool:
        """Whether every provider answers the exchange."""
        return complete(self.lender.request_view(self.consent()).view)

    def mend(self) -> None:
        """Have every process run, and wait until the exchange has heard from all of them."""
        for process in self.sandbox.processes.values():
            process.resume()
            if not process.running:
                process.restart()
        eventually(self.whole)

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

    def verified(self, ask: v1.RequestViewRequest, answer: v1.RequestViewResponse) -> v1.View:
        """Return the view in an answer, verified offline."""
        bundle = assemble_bundle(ask, answer, self.licences, self.calibrations)
        return verify_view_bundle(bundle, self.sandbox.anchors, at=datetime.now(UTC)).view

    # What the processes have on record ----------------------------------------------------------

    def entries(self, ask: v1.RequestViewRequest) -> list[Any]:
        """Return the access entries of one request, as the exchange's database holds them."""
        digest = digest_of(ask.request)
        return self._rows(
            EXCHANGE, select(access_entry).where(access_entry.c.request_digest == digest)
        )

    def journal(self, provider: str, ask: v1.RequestViewRequest) -> list[Any]:
        """Return what a provider has in its journal of one request."""
        digest = digest_of(ask.request)
        return self._rows(provider, select(ACCESS).where(ACCESS.c.request_digest == digest))

    def uses(self, permission: Permission) -> int:
        digest = digest_of(permission.consent)
        ((uses,),) = self._rows(EXCHANGE, select(consent.c.uses).where(consent.c.digest == digest))
        return int(uses)

    def uses_at(self, provider: str, permission: Permission) -> int:
        """Return how many uses of a consent a provider counted by itself."""
        terms = v1.Consent.FromString(permission.consent.payload)
        answered = ACCESS.c.outcome != Outcome.REFUSED
        rows = self._rows(
            provider, select(ACCESS).where(ACCESS.c.consent_id == terms.consent_id, answered)
        )
        return len(rows)

    @property
    def keyring(self) -> Path:
        """The file with the keys of the exchange's database."""
        return self.sandbox.layout.member(EXCHANGE) / "storage_keys.json"

    def _rows(self, member: str, query: Select[Any]) -> list[Any]:
        url = self.sandbox.databases.url(member)
        if url.startswith("sqlite"):  # only read, and let go, beside the process that has it open
            url = f"sqlite:///file:{self.sandbox.layout.database(member)}?mode=ro&uri=true"
        engine = create_engine(url, poolclass=NullPool)
        if member == EXCHANGE:
            attach(engine, load(self.keyring))
        with engine.connect() as connection:
            return list(connection.execute(query))


SETTINGS = {
    "exchange": {
        "provider_timeout_seconds": PROVIDER_SECONDS,
        "shutdown_grace_seconds": 2 * LONG,
    }
}


@pytest.fixture(scope="module")
def running(postgres_url: str) -> Iterator[World]:
    with Sandbox(providers=3, database=postgres_url, settings=SETTINGS) as sandbox:
        yield World(sandbox)


@pytest.fixture
def world(running: World) -> World:
    """Everyone is there when a test begins."""
    running.mend()
    return running


@pytest.fixture
def world_on_sqlite() -> Iterator[World]:
    with Sandbox(providers=3, settings=SETTINGS) as sandbox:
        yield World(sandbox)


@pytest.fixture(scope="module")
def second(running: World) -> Iterator[Second]:
    """Start another exchange on the database of the first."""
    first = running.sandbox.process(EXCHANGE)
    old, (new, log) = running.sandbox.ports[EXCHANGE], free_ports(2)
    text = first.config.read_text("utf-8")
    text = text.replace(running.sandbox.ports[LOG].member_address, log.member_address)
    text = text.replace(old.member_address, new.member_address)
    text = re.sub(r"^metrics_listen = .*$", 'metrics_listen = ""', text, flags=re.MULTILINE)
    patient = f"provider_timeout_seconds = {PROVIDER_SECONDS}"
    assert patient in text
    text = text.replace(patient, f"provider_timeout_seconds = {HASTY_PROVIDER_SECONDS}")
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


def eventually(look: Callable[[], T]) -> T:
    """Return the first truthy result of ``look``."""
    deadline = time.monotonic() + LONG
    while not (result := look()):
        assert time.monotonic() < deadline, f"not within {LONG} s"
        time.sleep(0.03)
    return result


def a_second_after(moment: float) -> None:
    """Wait until a second has passed since ``moment``."""
    time.sleep(max(0.0, moment + SECOND - time.monotonic()))


def reason(call: Callable[[], object]) -> str:
    """Return why a call is refused; "" where it is not."""
    try:
        call()
    except (RemoteError, ViewRefused) as error:
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


def test_a_provider_that_stalls_makes_the_view_partial_within_the_deadline(
    world: World, second: Second
) -> None:
    with LenderClient(second.anchors, world.sandbox.identity(LENDER)) as lender:
        eventually(lambda: complete(lender.request_view(world.consent()).view))
        world.victim.pause()
        permission, started = world.consent(), time.monotonic()
        view = lender.request_view(permission, seconds=LONG).view  # verified in full by the client
        assert time.monotonic() - started < LONG / 2, "the lender's own deadline was not the limit"
        assert outcome_of(view, world.victim) == ("TIMED_OUT", 2)
        assert view.no_score.partial
        world.victim.resume()
        eventually(lambda: complete(lender.request_view(world.consent()).view))


def test_a_provider_killed_while_it_is_asked_is_missing_and_back_after_its_restart(
    world: World,
) -> None:
    others = world.sandbox.provider_ids[1:]
    world.victim.pause()
    with world.lender_channel() as channel:
        ask = world.ask(world.consent())
        asked = ViewServiceStub(channel).RequestView.future(ask, timeout=LONG)
        # All are asked at once: what has reached the others is on its way to the one that is frozen.
        eventually(lambda: all(world.journal(other, ask) for other in others))
        assert not asked.done()
        world.victim.kill()
        view = world.verified(ask, asked.result())
    assert outcome_of(view, world.victim) == ("UNREACHABLE", 2)
    assert view.no_score.partial
    world.victim.start()
    world.victim.wait_ready()
    eventually(world.whole)


@pytest.mark.parametrize(
    "backend", ["world", pytest.param("world_on_sqlite", marks=pytest.mark.slow)]
)
def test_an_exchange_killed_between_entry_and_release_answers_the_retry_under_the_same_entry(
    request: pytest.FixtureRequest, backend: str
) -> None:
    world: World = request.getfixturevalue(backend)
    permission = world.consent()
    ask = world.ask(permission)
    world.victim.pause()
    others = world.sandbox.provider_ids[1:]
    with world.lender_channel() as channel:
        asked = ViewServiceStub(channel).RequestView.future(ask, timeout=LONG)
        (entry,) = eventually(lambda: world.entries(ask))
        eventually(lambda: all(world.journal(other, ask) for other in others))
        exchange = world.sandbox.process(EXCHANGE)
        exchange.kill()
        asked.cancel()
    exchange.start()
    exchange.wait_ready()
    (left,) = world.entries(ask)
    assert (left.access_id, left.released_at) == (entry.access_id, None)
    world.victim.resume()
    with world.lender_channel() as channel:
        answer = ViewServiceStub(channel).RequestView(ask, timeout=LONG)
    assert world.verified(ask, answer).receipt.access_id == entry.access_id
    (after,) = world.entries(ask)
    assert after.access_id == entry.access_id
    assert after.released_at is not None
    assert world.uses(permission) == 1
    assert [world.uses_at(one, permission) for one in world.sandbox.provider_ids] == [1, 1, 1]
    again = reason(lambda: world.lender.request_view(permission))
    assert again == "CONSENT_EXHAUSTED", "the use that was counted before the kill still is"


def test_64_copies_of_a_request_at_once_are_one_access_and_one_use_everywhere(
    world: World, second: Second
) -> None:
    permission = world.consent()
    ask = world.ask(permission)
    with world.lender_channel() as here, world.lender_channel(second.anchors) as there:
        stubs = [ViewServiceStub(here), ViewServiceStub(there)]
        asked = [stubs[n % 2].RequestView.future(ask, timeout=LONG) for n in range(64)]
        views = [world.verified(ask, one.result()) for one in asked]
    (entry,) = world.entries(ask)
    assert entry.counted
    assert [view.receipt.access_id for view in views] == [entry.access_id] * 64
    assert world.uses(permission) == 1
    providers = world.sandbox.provider_ids
    assert [len(world.journal(provider, ask)) for provider in providers] == [1, 1, 1]
    assert [world.uses_at(provider, permission) for provider in providers] == [1, 1, 1]


@pytest.mark.slow
def test_a_stream_of_200_answers_each_ask_and_a_refused_one_refuses_no_other(
    world: World,
) -> None:
    permissions = [world.consent() for _ in range(180)]
    expected = [""] * len(permissions)
    for place in range(0, 200, 20):
        revoked = world.consent()
        world.person.revoke(revoked)
        permissions.insert(place, revoked)
        expected.insert(place, "CONSENT_REVOKED")
        terms = ConsentTerms(recipient=LENDER, providers=world.sandbox.provider_ids)
        permissions.insert(place + 7, world.person.sign(terms))  # and granted to nobody's knowledge
        expected.insert(place + 7, "CONSENT_UNKNOWN")
    streamed = list(world.lender.request_views(permissions, batch=30))
    assert [one.permission for one in streamed] == permissions
    assert [reason(one.view) for one in streamed] == expected
    for one, refused in zip(streamed, expected, strict=True):
        if not refused:
            view = one.view()  # verified in full by the client
            assert view.view.consent_digest == digest_of(one.permission.consent)
            assert world.uses(one.permission) == 1


def test_a_revocation_holds_at_exchange_and_provider_once_they_acknowledged_it(
    world: World,
) -> None:
    terms = v1.Frequency(uses=100, period=v1.Period.PERIOD_DAY)
    permission = world.consent(frequency=terms, max_uses=100)
    with world.lender_channel() as lender, world.provider_channel() as liar:
        views, scores = ViewServiceStub(lender), ProviderServiceStub(liar)
        assert reason(lambda: views.RequestView(world.ask(permission), timeout=LONG)) == ""
        (before,) = scores.RequestScores(world.score_request(permission), timeout=LONG).results
        assert before.HasField("statement")
        assert world.person.revoke(permission).complete
        refused = reason(lambda: views.RequestView(world.ask(permission), timeout=LONG))
        (after,) = scores.RequestScores(world.score_request(permission), timeout=LONG).results
    assert refused == "CONSENT_REVOKED"
    assert after.refusal.reason == Reason.REASON_CONSENT_REVOKED  # whatever the exchange says


def test_a_suspended_lender_is_refused_everywhere_a_second_later_on_open_connections(
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
            return reason(lambda: exchange.RequestView(world.ask(permission), timeout=LONG))

        def at_exchanges() -> list[str]:
            return [at(exchange) for exchange in exchanges]

        def at_provider() -> Reason.ValueType:
            answer = scores.RequestScores(world.score_request(permission), timeout=LONG)
            refused: Reason.ValueType = answer.results[0].refusal.reason
            return refused

        assert (at_exchanges(), at_provider()) == (["", ""], 0)
        asks: queue.SimpleQueue[v1.RequestViewsRequest | None] = queue.SimpleQueue()
        stream = exchanges[0].RequestViews(iter(asks.get, None), timeout=2 * LONG)
        asks.put(v1.RequestViewsRequest(asks=[world.ask(permission)]))
        assert next(stream).results[0].HasField("view")
        try:
            world.sandbox.suspend(LENDER)
            suspended = time.monotonic()
            assert at(exchanges[0]) == "MEMBER_SUSPENDED", "in force there once it is acknowledged"
            everywhere = (["MEMBER_SUSPENDED"] * 2, Reason.REASON_MEMBER_SUSPENDED)
            eventually(lambda: (at_exchanges(), at_provider()) == everywhere)
            a_second_after(suspended)
            assert (at_exchanges(), at_provider()) == everywhere
            asks.put(v1.RequestViewsRequest(asks=[world.ask(permission)]))
            assert reason(lambda: next(stream)) == "MEMBER_SUSPENDED"
        finally:
            asks.put(None)
            world.sandbox.reinstate(LENDER)
        eventually(lambda: at_exchanges() == ["", ""] and not at_provider())


def test_a_revocation_at_one_exchange_process_holds_at_the_other_at_once(
    world: World, second: Second
) -> None:
    permission = world.consent()
    with WalletClient(second.anchors) as wallet:
        there = Person(world.person.identity_number, world.person.key, wallet)
        assert there.revoke(permission).complete
    assert reason(lambda: world.lender.request_view(permission)) == "CONSENT_REVOKED"


def test_a_provider_suspended_at_one_exchange_process_is_asked_by_neither_a_second_later(
    world: World, second: Second
) -> None:
    provider = world.victim.name
    identity = world.sandbox.identity(LENDER)
    standing = v1.Standing
    with MemberClient(second.anchors, world.sandbox.identity(REGULATOR)) as regulator:
        order = world.sandbox.pki.status(provider, standing.STANDING_SUSPENDED, "Test order 1")
        regulator.submit_status(order)
        suspended = time.monotonic()
        try:
            with LenderClient(second.anchors, identity) as there:

                def outcomes() -> list[tuple[str, int]]:
                    views = [
                        one.request_view(world.consent()).view for one in (world.lender, there)
                    ]
                    return [outcome_of(view, world.victim) for view in views]

                eventually(lambda: outcomes() == [("NOT_LICENSED", 2)] * 2)
                a_second_after(suspended)
                assert outcomes() == [("NOT_LICENSED", 2)] * 2
        finally:
            order = world.sandbox.pki.status(provider, standing.STANDING_ACTIVE, "Test order 2")
            regulator.submit_status(order)


@pytest.mark.slow
def test_an_exchange_told_to_stop_does_not_wait_for_those_who_watch_its_members(
    world: World,
) -> None:
    exchange = world.sandbox.process(EXCHANGE)
    # Their streams would last for the whole of the grace, which is longer: it would be stopped by force.
    assert exchange.stop(LONG) == 0
    exchange.start()
    exchange.wait_ready()
    eventually(world.whole)


@pytest.mark.slow
def test_a_new_calibration_is_in_use_at_once_and_older_views_stay_checkable(world: World) -> None:
    before = world.lender.request_view(world.consent())
    version = before.view.calibration_version + 1
    new = read_envelope(sign_calibration(world.sandbox.pki, version))
    world.learn(new)
    with MemberClient(world.sandbox.anchors, world.sandbox.identity(REGULATOR)) as regulator:
        regulator.submit_calibration(new)
    after = world.lender.request_view(world.consent())
    assert after.view.calibration_version == version
    for view in (before, after):
        verified = verify_view_bundle(view.bundle, world.sandbox.anchors)
        assert verified.calibration is not None
        assert verified.calibration.version == view.view.calibration_version


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["world", "world_on_sqlite"])
def test_keys_are_rotated_while_the_exchange_serves_and_the_old_ones_are_gone(
    request: pytest.FixtureRequest, backend: str
) -> None:
    world: World = request.getfixturevalue(backend)
    permission = world.consent()
    assert world.lender.request_view(permission).view.receipt.access_id
    config = world.sandbox.layout.config(EXCHANGE)
    command = [sys.executable, "-m", "exchange.main", "rotate-keys", "--config", str(config)]
    rotated = subprocess.run([*command, "--discard-old", "--json"], capture_output=True, check=True)
    facts = json.loads(rotated.stdout)
    assert (facts["wrapping_key"], facts["discarded"]) == (2, 1)
    assert facts["subjects"] > 0
    assert set(load(world.keyring).wrapping_keys) == {2}
    assert complete(world.lender.request_view(world.consent()).view)
    world.sandbox.process(EXCHANGE).kill()
    world.mend()
    assert world.uses(permission) == 1
