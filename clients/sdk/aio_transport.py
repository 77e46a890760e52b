"""Running flows over asyncio gRPC channels."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar

import grpc.aio

from clients.sdk.flow import Answer, Call, Flow, Peer
from clients.sdk.transport import credentials_for
from concordat.federation.anchors import Anchors
from concordat.rpc.channels import open_aio_channel
from concordat.rpc.errors import from_rpc_error
from concordat.rpc.tls import TlsIdentity

T = TypeVar("T")


class AioTransport:
    """Channels to whoever is called, opened when first needed; for one event loop."""

    def __init__(self, anchors: Anchors, identity: TlsIdentity | None = None) -> None:
        """Call as ``identity``, or as anyone."""
        self._anchors = anchors
        self._identity = identity
        self._channels: dict[Peer, grpc.aio.Channel] = {}

    async def run(self, flow: Flow[T]) -> T:
        """Make the calls of a flow and return its result; raises what the flow raises."""
        try:
            calls = next(flow)
            while True:
                calls = flow.send(await self._make(calls))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # a flow's result

    def channel(self, peer: Peer) -> grpc.aio.Channel:
        """Return the channel to a peer."""
        if peer not in self._channels:
            credentials = credentials_for(peer.port, self._anchors, self._identity)
            self._channels[peer] = open_aio_channel(peer.endpoint, credentials, peer.server_name)
        return self._channels[peer]

    async def _make(self, calls: Sequence[Call]) -> list[Answer]:
        """Make calls at once and wait for all."""
        return list(await asyncio.gather(*map(self._one, calls)))

    async def _one(self, call: Call) -> Answer:
        method = self.channel(call.peer).unary_unary(
            call.method,
            request_serializer=type(call.request).SerializeToString,
            response_deserializer=call.answer.FromString,
        )
        try:
            return await method(call.request, timeout=call.seconds)
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)

    async def close(self) -> None:
        """Close every channel."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))
        self._channels.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
