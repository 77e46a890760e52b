"""An exchange in one process, with providers that a test makes lie, stall or die.

    desk = ExchangeDesk()                       # honest providers, a database in memory
    desk.links.answers["alder-bank"] = lying    # an async function of the message
    granted = desk.grant()
    response = desk.ask(granted)                # or asyncio.run(desk.answer([...]))
    desk.verify(granted, request, response)     # offline, from the trust bundle alone

``FakeLinks`` replaces the network alone: bounds, counts and deadlines are checked by the real
``ProviderLinks``, on messages that went through their bytes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio
from sqlalchemy import Engine, select

from concordat import v1
from concordat.clock import Clock
from concordat.federation.directory import Member
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.store.group_commit import GroupCommit
from concordat.verify.bundle import assemble_bundle
from concordat.verify.consent import open_binding, open_consent
from concordat.verify.request import open_view_request
from concordat.verify.view import VerifiedView, verify_view_bundle
from exchange.consents import ledger
from exchange.drift.settings import DriftSettings
from exchange.drift.watch import DriftWatch
from exchange.limits.gate import Gate
from exchange.limits.settings import LimitSettings
from exchange.listings.opening import open_listings
from exchange.log.book import LogBook, WitnessPolicy
from exchange.log.sequencer import Sequencer
from exchange.log.tile_store import DatabaseTiles, TileStore
from exchange.log.witnesses import Witnesses
from exchange.settings import ListingsSettings
from exchange.subjects.own_views import OwnViewDesk
from exchange.subjects.settings import SubjectsSettings
from exchange.tables import access_entry, consent, metadata
from exchange.views.accesses import Accesses
from exchange.views.admit import Checked
from exchange.views.dispatch import Dispatcher
from exchange.views.provider_link import ProviderLinks, _Link
from exchange.views.request_view import ViewDesk
from tests.builders import EXCHANGE, LENDER, Federation, Granted, Subject, signer
from tests.own_view_builders import own_statement
from tests.vault_builders import exchange_engine

if TYPE_CHECKING:
    from concordat.v1.provider_service_pb2_grpc import ProviderServiceAsyncStub

Answers = Callable[[v1.RequestScoresRequest], Awaitable[Sequence[v1.ScoreResult]]]
OwnAnswer = Callable[[v1.RequestOwnScoresRequest], Awaitable[v1.ScoreResult]]
SECONDS_LEFT = 5.0


def checked(
    federation: Federation,
    granted: Granted,
    request: v1.Envelope | None = None,
    at: datetime | None = None,
) -> Checked:
    """Return a request as the view desk hands it to the store: every envelope verified."""
    at = at or federation.at
    ask = federation.ask(granted, request)
    lender = federation.member(granted.consent.recipient)
    binding = open_binding(ask.binding, federation.anchors, federation.at)
    return Checked(
        ask,
        open_view_request(ask.request, lender, federation.anchors, federation.at),
        open_consent(ask.consent, binding, federation.anchors, federation.at),
        binding,
        lender.licence_digest,
        at,
    )


def put_on_record(federation: Federation, store: GroupCommit, granted: Granted) -> ledger.Standing:
    """Grant a consent at the exchange."""
    binding = open_binding(granted.person.binding, federation.anchors, federation.at)
    terms = open_consent(granted.envelope, binding, federation.anchors, federation.at)
    return store.run(
        lambda connection: ledger.grant(
            connection,
            terms,
            granted.envelope,
            binding,
            granted.person.binding,
            federation.at,
        )
    )


class _FakeStub:
    """Answers for one provider, through bytes and under the deadline, as gRPC would."""

    def __init__(self, links: "FakeLinks", provider: str) -> None:
        self._links = links
        self._provider = provider

    async def RequestScores(  # noqa: N802 - the rpc's name
        self,
        message: v1.RequestScoresRequest,
        timeout: float,  # noqa: ASYNC109 - gRPC's signature
        metadata: Sequence[tuple[str, str]] = (),
    ) -> v1.RequestScoresResponse:
        self._links.sent.append((self._provider, message))
        self._links.metadata[self._provider] = dict(metadata)
        answers = self._links.answers.get(self._provider) or self._links.honest(self._provider)
        try:
            results = await asyncio.wait_for(answers(message), timeout)
        except TimeoutError:
            raise rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED) from None
        response = v1.RequestScoresResponse(results=results)
        return v1.RequestScoresResponse.FromString(response.SerializeToString())

    async def RequestOwnScores(  # noqa: N802 - the rpc's name
        self,
        message: v1.RequestOwnScoresRequest,
        timeout: float,  # noqa: ASYNC109 - gRPC's signature
        metadata: Sequence[tuple[str, str]] = (),
    ) -> v1.RequestOwnScoresResponse:
        self._links.own_metadata[self._provider] = dict(metadata)
        self._links.own_sent.append((self._provider, message))
        answer = self._links.own_answers.get(self._provider) or self._links.own(self._provider)
        try:
            result = await asyncio.wait_for(answer(message), timeout)
        except TimeoutError:
            raise rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED) from None
        response = v1.RequestOwnScoresResponse(result=result)
        return v1.RequestOwnScoresResponse.FromString(response.SerializeToString())


class _FakeLink(_Link):
    def __init__(self, stub: _FakeStub) -> None:
        self.endpoint = ""
        self.stub = cast("ProviderServiceAsyncStub", stub)
        self.calls = 0
        self.own_calls = 0


class FakeLinks(ProviderLinks):
    """Links to providers that answer as ``answers`` says, honestly by default."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._links = {}
        self.answers: dict[str, Answers] = {}
        self.sent: list[tuple[str, v1.RequestScoresRequest]] = []
        self.metadata: dict[str, dict[str, str]] = {}  # of the latest message, by provider
        self.own_answers: dict[str, OwnAnswer] = {}
        self.own_sent: list[tuple[str, v1.RequestOwnScoresRequest]] = []
        self.own_metadata: dict[str, dict[str, str]] = {}

    async def _link(self, provider: Member) -> _Link:
        stub = _FakeStub(self, provider.member_id)
        return self._links.setdefault(provider.member_id, _FakeLink(stub))

    def honest(self, provider: str) -> Answers:
        """Return answers of 700 points to every request."""

        async def answer(message: v1.RequestScoresRequest) -> list[v1.ScoreResult]:
            return [
                v1.ScoreResult(
                    statement=self._federation.score_statement(provider, request.view_request)
                )
                for request in message.requests
            ]

        return answer

    def own(self, provider: str) -> OwnAnswer:
        """Return an answer of 700 points to people who ask for their own score."""

        async def answer(message: v1.RequestOwnScoresRequest) -> v1.ScoreResult:
            statement = own_statement(self._federation, provider, message.request)
            return v1.ScoreResult(statement=statement)

        return answer

    def batches(self, provider: str) -> list[int]:
        """Return the sizes of the messages that a provider got."""
        return [len(message.requests) for name, message in self.sent if name == provider]


def rpc_error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """Return what a call raises that ended with ``code``."""
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, nothing, nothing)


async def stall_own(_message: v1.RequestOwnScoresRequest) -> v1.ScoreResult:
    """Answer a person never."""
    await asyncio.Event().wait()
    return v1.ScoreResult()


async def stall(_message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
    """Answer never."""
    await asyncio.Event().wait()
    return []


def memory_engine() -> Engine:
    """Return a fresh database in memory with the exchange's tables."""
    engine = exchange_engine("sqlite://")
    metadata.create_all(engine)
    return engine


@dataclass
class ExchangeDesk:
    """An exchange without ports, over ``FakeLinks``."""

    federation: Federation = field(default_factory=Federation)
    engine: Engine = field(default_factory=memory_engine)
    provider_seconds: float = 1.0
    shared: GroupCommit | None = (
        None  # the database thread of another, to be used instead of an own
    )
    make_tiles: Callable[[GroupCommit], TileStore] = DatabaseTiles
    witnesses: Witnesses = field(default_factory=lambda: Witnesses([], 0, 1.0))
    policy: WitnessPolicy = field(default_factory=WitnessPolicy)
    limits: LimitSettings = field(default_factory=LimitSettings)
    drift_settings: DriftSettings = field(default_factory=DriftSettings)
    subjects_settings: SubjectsSettings = field(default_factory=SubjectsSettings)
    listings_settings: ListingsSettings = field(default_factory=ListingsSettings)

    def __post_init__(self) -> None:
        fed = self.federation
        self.links = FakeLinks(fed)
        self.store = self.shared or GroupCommit(self.engine)
        self.clock = Clock(source=lambda: fed.at)
        self.tiles = self.make_tiles(self.store)
        self.sequencer = Sequencer(
            origin=fed.anchors.log.name,
            signer=signer("log"),
            store=self.store,
            tiles=self.tiles,
            witnesses=self.witnesses,
            clock=self.clock,
            holder="test",
        )
        self.book = LogBook(
            self.store, self.sequencer, self.tiles, self.policy, batch_seconds=0.001
        )
        self.book.start()
        self.dispatcher = Dispatcher(fed.directory, self.links, signer(EXCHANGE), self.clock.now)
        self.listings = open_listings(
            self.listings_settings, fed.directory, self.store, signer(EXCHANGE)
        )
        self.listings.book.load()
        self.gate = Gate(self.limits)
        self.drift = DriftWatch(self.drift_settings, fed.directory)
        self.accesses = Accesses(self.store, self.book, self.listings.profiles, self.gate)
        self.desk = ViewDesk(
            fed.directory,
            self.accesses,
            self.listings.lookout,
            self.book,
            self.dispatcher,
            signer(EXCHANGE),
            self.clock,
            self.provider_seconds,
            self.drift.stale,
        )
        self.own_views = OwnViewDesk(
            fed.directory,
            self.store,
            self.book,
            self.links,
            signer(EXCHANGE),
            self.clock,
            self.limits.own_views_per_day,
            self.provider_seconds,
        )

    def grant(self, person: Subject | None = None, **fields: Any) -> Granted:
        """Return a consent that is on record; ``fields`` are the consent's."""
        granted = self.federation.consent(person or self.federation.subject(), **fields)
        put_on_record(self.federation, self.store, granted)
        return granted

    async def answer(
        self, asks: Sequence[v1.RequestViewRequest], seconds_left: float = SECONDS_LEFT
    ) -> list[v1.RequestViewResponse | Refusal]:
        """Answer asks as the lender's."""
        await self.refresh_listings()
        lender = self.federation.member(LENDER)
        return await self.desk.answer(asks, lender, self.federation.at, seconds_left)

    async def refresh_listings(self) -> None:
        """Bring the memory of the listings up to date, and let it count as such on a busy machine too."""
        await self.listings.book.refresh()
        self.listings.book._current_at += 30

    def ask(
        self,
        granted: Granted,
        request: v1.Envelope | None = None,
        seconds_left: float = SECONDS_LEFT,
    ) -> v1.RequestViewResponse | Refusal:
        """Answer one ask."""
        (result,) = asyncio.run(
            self.answer([self.federation.ask(granted, request)], seconds_left=seconds_left)
        )
        return result

    def verify(
        self, granted: Granted, request: v1.Envelope, result: v1.RequestViewResponse | Refusal
    ) -> VerifiedView:
        """Verify a view offline; raise if it was refused or does not verify."""
        if isinstance(result, Refusal):
            raise result
        licences = {
            digest_of(member.licence_envelope): member.licence_envelope
            for member in self.federation.directory.members()
        }
        calibrations = {
            each.digest: each.envelope for each in self.federation.directory.calibrations()
        }
        ask = self.federation.ask(granted, request)
        bundle = assemble_bundle(ask, result, licences, calibrations)
        return verify_view_bundle(bundle, self.federation.anchors)

    def entries(self) -> list[Any]:
        """Return all access entries, oldest first."""
        return self.store.run(read_entries)

    def uses(self, granted: Granted) -> int:
        """Return how many uses of a consent were counted."""
        key = granted.consent.consent_id
        query = select(consent.c.uses).where(consent.c.consent_id == key)
        return int(self.store.run(lambda connection: connection.execute(query).scalar_one()))

    def close(self) -> None:
        """Stop the threads of the log and the database."""
        self.book.stop()
        if self.shared is None:
            self.store.close()
            self.engine.dispose()


def read_entries(connection: Any) -> list[Any]:
    """Return all access entries, oldest first."""
    order = (access_entry.c.recorded_at, access_entry.c.access_id)
    return list(connection.execute(select(access_entry).order_by(*order)))
