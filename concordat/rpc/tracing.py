"""Calls that go out as spans, their trace in the metadata (W3C ``traceparent``). Nothing while none is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from concordat.telemetry import traces
from concordat.telemetry.labels import method_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    Continuation = Callable[[Any, Any], Any]


class _Details(grpc.ClientCallDetails):
    """A call's details with more metadata; gRPC has no way to change its own."""

    def __init__(self, details: Any, more: Sequence[tuple[str, str]]) -> None:
        self.method = details.method
        self.timeout = details.timeout
        self.metadata = (*(details.metadata or ()), *more)
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


class _Traced(grpc.UnaryUnaryClientInterceptor):
    """Makes a span of each call of a synchronous channel; it ends when the answer is there."""

    def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        """Call within a span."""
        name = method_name(client_call_details.method)
        made = traces.begin(name, traces.current(), method=name)
        call = continuation(_Details(client_call_details, traces.carried_by(made)), request)
        if made is not None:
            call.add_done_callback(lambda done: _ended(made, done))
        return call


class _TracedAio(grpc.aio.UnaryUnaryClientInterceptor):
    """The same for an asyncio channel."""

    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        """Call within a span."""
        name = method_name(client_call_details.method)
        made = traces.begin(name, traces.current(), method=name)
        for key, value in traces.carried_by(made):
            metadata = client_call_details.metadata or grpc.aio.Metadata()
            metadata.add(key, value)
            client_call_details = client_call_details._replace(metadata=metadata)
        call = await continuation(client_call_details, request)
        if made is not None:
            call.add_done_callback(lambda done: _ended(made, done))
        return call


def _ended(made: Any, call: Any) -> None:
    """End the span of a call; asyncio's calls tell their code only to who waits."""
    if call.cancelled():
        traces.tell(made, reason="CANCELLED")
    made.end()


def traced(channel: grpc.Channel) -> grpc.Channel:
    """Return a channel whose calls are traced, or the same one where nothing is."""
    return grpc.intercept_channel(channel, _Traced()) if traces.tracing() else channel


def traced_aio() -> list[grpc.aio.ClientInterceptor] | None:
    """Return what traces the calls of an asyncio channel; None where nothing is traced."""
    return [_TracedAio()] if traces.tracing() else None
