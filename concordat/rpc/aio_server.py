"""The asyncio server: admission in front of every method, refusals rendered at the edge."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from concordat.refusal import Refusal
from concordat.rpc.admission import CURRENT_CALL, Admission, Call, require_valid
from concordat.rpc.channels import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES
from concordat.rpc.errors import to_status
from concordat.rpc.policy import Port
from concordat.telemetry.calls import Answering
from concordat.v1 import Reason

_log = structlog.get_logger("concordat.rpc")

if TYPE_CHECKING:
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVER_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", 4 * MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
]


class AdmissionInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method in admission, validation and error rendering."""

    def __init__(self, admission: Admission) -> None:
        """Admit by ``admission``."""
        self._admission = admission

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Return the method's handler, wrapped."""
        handler = await continuation(details)
        method = details.method
        if handler is None:
            return grpc.unary_unary_rpc_method_handler(self._unary(method, _not_served))
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(method, handler.unary_unary),
                handler.request_deserializer,
                handler.response_serializer,
            )
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return make(
            self._stream(method, handler.stream_stream or handler.unary_stream),
            handler.request_deserializer,
            handler.response_serializer,
        )

    def _admit(self, method: str, context: Context) -> Call:
        metadata = dict(context.invocation_metadata() or ())
        call = self._admission.admit(
            method, context.auth_context(), metadata, context.time_remaining()
        )
        CURRENT_CALL.set(call)
        structlog.contextvars.bind_contextvars(request_id=call.request_id)
        return call

    def _readmit(self, call: Call, context: Context) -> None:
        """Look at a long call again, so that whoever reads ``current_call`` sees it as it is now."""
        CURRENT_CALL.set(
            self._admission.readmit(call, context.auth_context(), context.time_remaining())
        )

    def _unary(self, method: str, behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def answer(request: Message, context: Context) -> Any:
            with self._answering(method, context) as answering:
                try:
                    self._admit(method, context)
                    if isinstance(request, Message):  # bytes, where nobody here serves the method
                        require_valid(request)
                    return await behaviour(request, context)
                except Exception as error:  # noqa: BLE001 - the edge: everything becomes a status
                    answering.failed(_known(error))
                    await _abort(method, error, context)

        return answer

    def _answering(self, method: str, context: Context, *, stream: bool = False) -> Answering:
        return Answering(
            method,
            lambda: dict(context.invocation_metadata() or ()),
            trusted=self._admission.port is Port.MEMBER,
            stream=stream,
        )

    def _stream(self, method: str, behaviour: Any) -> Callable[..., Any]:
        async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
            with self._answering(method, context, stream=True) as answering:
                try:
                    call = self._admit(method, context)
                    if isinstance(request, Message):
                        require_valid(request)
                    else:
                        request = self._checked(call, request, context)
                    responses = behaviour(request, context)
                    if inspect.isawaitable(responses):  # health's Watch writes by itself
                        await responses
                        return
                    async for response in responses:
                        self._readmit(call, context)
                        yield response
                except Exception as error:  # noqa: BLE001 - the edge: everything becomes a status
                    answering.failed(_known(error))
                    await _abort(method, error, context)

        return answer

    async def _checked(
        self, call: Call, requests: AsyncIterator[Message], context: Context
    ) -> AsyncIterator[Message]:
        """Admit and validate each message of a stream anew: a member may be suspended meanwhile."""
        async for request in requests:
            self._readmit(call, context)
            require_valid(request)
            yield request


def _known(error: Exception) -> Exception | None:
    """Return an error that ends a call here; None where whoever answered has ended it itself."""
    return None if isinstance(error, grpc.aio.AbortError) else error


async def _not_served(_request: Message, _context: Context) -> None:
    raise Refusal(Reason.REASON_METHOD_NOT_SERVED)


async def _abort(method: str, error: Exception, context: Context) -> None:
    """End the call with the status that belongs to ``error``, and log what the caller is not told."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, NotImplementedError):  # what generated servicers raise
        error = Refusal(Reason.REASON_METHOD_NOT_SERVED, f"{method} is not implemented")
    if not isinstance(error, Refusal):
        _log.error("call_failed", method=method, exc_info=error)
        error = Refusal(Reason.REASON_INTERNAL)
    else:
        _log.info(
            "call_refused", method=method, reason=Reason.Name(error.reason), detail=error.detail
        )
    call = CURRENT_CALL.get(None)
    status = to_status(error, call.request_id if call else "")
    await context.abort_with_status(status)


class AioServer:
    """One port of an asyncio process, with health and reflection."""

    def __init__(
        self, address: str, credentials: grpc.ServerCredentials, admission: Admission
    ) -> None:
        """Bind ``address`` ("host:port", port 0 for any free one)."""
        self.server = grpc.aio.server(
            interceptors=[AdmissionInterceptor(admission)], options=SERVER_OPTIONS
        )
        self.port = self.server.add_secure_port(address, credentials)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)

    async def start(self, *services: str) -> None:
        """Start serving; ``services`` are full names to show by reflection and report healthy."""
        reflection.enable_server_reflection(
            [*services, health.SERVICE_NAME, reflection.SERVICE_NAME], self.server
        )
        await self.server.start()
        for service in ("", *services):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace: float = 5.0) -> None:
        """Report not serving, then let calls finish for up to ``grace`` seconds."""
        await self._health.enter_graceful_shutdown()
        await self.server.stop(grace)
