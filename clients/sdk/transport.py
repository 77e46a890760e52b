"""Running flows over synchronous gRPC channels."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from clients.sdk.flow import Answer, Call, Flow, Peer, Port
from concordat.federation.anchors import Anchors
from concordat.rpc.channels import open_channel
from concordat.rpc.errors import from_rpc_error
from concordat.rpc.tls import TlsIdentity, member_channel, public_channel

T = TypeVar("T")


def credentials_for(
    port: Port, anchors: Anchors, identity: TlsIdentity | None
) -> grpc.ChannelCredentials:
    """Return what to call a port with; raise ``ValueError`` for a member port without a certificate."""
    if port is Port.PUBLIC:
        return public_channel(anchors)
    if identity is None:
        raise ValueError("a member port is called with a member's certificate")
    return member_channel(identity, anchors)


class Transport:
    """Channels to whoever is called, opened when first needed; safe to share between threads."""

    def __init__(self, anchors: Anchors, identity: TlsIdentity | None = None) -> None:
        """Call as ``identity``, or as anyone."""
        self._anchors = anchors
        self._identity = identity
        self._channels: dict[Peer, grpc.Channel] = {}

    def run(self, flow: Flow[T]) -> T:
        """Make the calls of a flow and return its result; raises what the flow raises."""
        try:
            calls = next(flow)
            while True:
                calls = flow.send(self._make(calls))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # a flow's result

    def channel(self, peer: Peer) -> grpc.Channel:
        """Return the channel to a peer."""
        channel = self._channels.get(peer)
        if channel is None:
            credentials = credentials_for(peer.port, self._anchors, self._identity)
            channel = open_channel(peer.endpoint, credentials, peer.server_name)
            channel = self._channels.setdefault(peer, channel)
        return channel

    def _make(self, calls: Sequence[Call]) -> list[Answer]:
        """Make calls at once and wait for all."""
        return [_result(future) for future in [self._start(call) for call in calls]]

    def _start(self, call: Call) -> Any:
        method = self.channel(call.peer).unary_unary(
            call.method,
            request_serializer=type(call.request).SerializeToString,
            response_deserializer=call.answer.FromString,
        )
        return method.future(call.request, timeout=call.seconds)

    def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _result(future: Any) -> Answer:
    try:
        return future.result()  # type: ignore[no-any-return]  # what the call names
    except grpc.RpcError as error:
        return from_rpc_error(error)
