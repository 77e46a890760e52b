"""A provider that dies mid-answer, over real connections: it is asked once, it alone is missing, and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from concordat import v1
from concordat.federation.directory import Member
from concordat.rpc.tls import TlsIdentity, member_port
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.v1 import Role
from concordat.v1.provider_service_pb2_grpc import add_ProviderServiceServicer_to_server
from exchange.views.provider_link import ProviderLinks, _Link
from tests.builders import EXCHANGE, PROVIDERS, Federation, Pki
from tests.exchange_builders import ExchangeDesk, FakeLinks

DYING = PROVIDERS[1]
LONG = 30.0  # seconds: nobody here is slow


class Line:
    """A line between the exchange and a provider that breaks when it is told to."""

    def __init__(self) -> None:
        self.to = 0  # the provider's port
        self.left: int | None = None  # bytes that still reach the exchange; None: all

    async def accept(self, ours: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        theirs, there = await asyncio.open_connection("127.0.0.1", self.to)
        asking = asyncio.create_task(self._pass_on(ours, there))
        try:
            while self.left != 0 and (chunk := await theirs.read(65_536)):
                if self.left is not None:
                    chunk = chunk[: self.left]
                    self.left -= len(chunk)
                back.write(chunk)
                await back.drain()
        finally:
            asking.cancel()
            for end in (there, back):
                end.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65_536):
            sink.write(chunk)
            await sink.drain()


class DyingProvider:
    """A provider whose line breaks as it answers, ``reaching`` bytes into what it sends."""

    def __init__(self, federation: Federation, line: Line) -> None:
        self._honest = FakeLinks(federation).honest(DYING)
        self._line = line
        self.reaching: int | None = None
        self.heard: list[v1.RequestScoresRequest] = []

    async def RequestScores(  # noqa: N802 - the rpc's name
        self, message: v1.RequestScoresRequest, _context: object
    ) -> v1.RequestScoresResponse:
        self.heard.append(message)
        self._line.left = self.reaching
        return v1.RequestScoresResponse(results=await self._honest(message))

    async def RequestOwnScores(  # noqa: N802 - the rpc's name
        self, _message: v1.RequestOwnScoresRequest, _context: object
    ) -> v1.RequestOwnScoresResponse:
        raise NotImplementedError


class Links(FakeLinks):
    """Links that reach one provider over the network."""

    def __init__(self, federation: Federation, real: ProviderLinks) -> None:
        super().__init__(federation)
        self._real = real

    async def _link(self, provider: Member) -> _Link:
        if provider.member_id == DYING:
            return await self._real._link(provider)
        return await super()._link(provider)


@asynccontextmanager
async def dying_provider() -> AsyncIterator[tuple[ExchangeDesk, DyingProvider]]:
    pki, line = Pki(), Line()
    listening = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    endpoint = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    federation = Federation(tls_ca_pem=pki.ca_pem)
    federation.enrol(DYING, Role.ROLE_PROVIDER, version=2, endpoint=endpoint)
    provider = DyingProvider(federation, line)
    server = grpc.aio.server()
    servicer: Any = provider
    add_ProviderServiceServicer_to_server(servicer, server)
    credentials = member_port(TlsIdentity(*pki.issue(DYING)), federation.anchors)
    line.to = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    real = ProviderLinks(TlsIdentity(*pki.issue(EXCHANGE)), federation.anchors)
    desk = ExchangeDesk(federation, provider_seconds=LONG)
    desk.dispatcher._links = Links(federation, real)
    try:
        yield desk, provider
    finally:
        await desk.dispatcher.close()
        await real.close()
        await server.stop(None)
        listening.close()
        desk.close()


async def view_of(desk: ExchangeDesk) -> v1.View:
    """Return the view of a fresh request, verified offline."""
    granted = desk.grant()
    request = desk.federation.view_request(granted)
    (result,) = await desk.answer([desk.federation.ask(granted, request)], LONG)
    return desk.verify(granted, request, result).view


@pytest.mark.parametrize("reaching", [0, 1, 100], ids="{} bytes into its answer".format)
def test_a_provider_that_dies_mid_answer_is_asked_once_and_missing_and_back(reaching: int) -> None:
    async def work() -> None:
        async with dying_provider() as (desk, provider):
            assert (await view_of(desk)).WhichOneof("outcome") == "complete"
            provider.reaching = reaching
            view = await view_of(desk)
            assert len(provider.heard) == 2
            assert view.WhichOneof("outcome") == "partial"
            assert [one.kind for one in view.providers] == [
                Kind.PROVIDER_OUTCOME_KIND_SCORED,
                Kind.PROVIDER_OUTCOME_KIND_UNREACHABLE,
                Kind.PROVIDER_OUTCOME_KIND_SCORED,
            ]
            provider.reaching = provider._line.left = None
            for _ in range(200):  # a lost connection is made again within a second
                if (await view_of(desk)).WhichOneof("outcome") == "complete":
                    return
                await asyncio.sleep(0.05)
            pytest.fail("the provider is not asked again")

    asyncio.run(work())
