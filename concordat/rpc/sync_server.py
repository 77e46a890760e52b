"""The synchronous server of a provider's node and of the registrar: a few threads, the same admission."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from concordat.refusal import Refusal
from concordat.rpc.admission import CURRENT_CALL, Admission, require_valid
from concordat.rpc.aio_server import SERVER_OPTIONS
from concordat.rpc.errors import to_status
from concordat.rpc.policy import Port
from concordat.telemetry.calls import Answering
from concordat.v1 import Reason

_log = structlog.get_logger("concordat.rpc")
_FOREVER_SECONDS = 1e9


class SyncAdmissionInterceptor(grpc.ServerInterceptor):
    """Wraps every unary method in admission, validation and error rendering."""

    def __init__(self, admission: Admission, streams: int = 2) -> None:
        """Admit by ``admission``, and no more than ``streams`` streams at a time: each holds a thread."""
        self._admission = admission
        self._streams = Semaphore(streams)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Return the method's handler, wrapped; streams (health's and reflection's only) are admitted alike."""
        handler = continuation(details)
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
            self._unary(
                method,
                self._bounded(handler.stream_stream or handler.unary_stream),
                stream=True,
            ),
            handler.request_deserializer,
            handler.response_serializer,
        )

    def _bounded(self, behaviour: Any) -> Callable[..., Any]:
        """Refuse a stream that would leave too few threads to those who call (REASON_UNAVAILABLE)."""

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            if not self._streams.acquire(blocking=False):
                raise Refusal(Reason.REASON_UNAVAILABLE, "too many streams are open")
            if not context.add_callback(self._streams.release):
                self._streams.release()  # the call is over already
            return behaviour(request, context)

        return answer

    def _unary(self, method: str, behaviour: Any, *, stream: bool = False) -> Callable[..., Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            with Answering(
                method,
                lambda: dict(context.invocation_metadata() or ()),
                trusted=self._admission.port is Port.MEMBER,
                stream=stream,
            ) as answering:
                return self._answer(method, behaviour, request, context, answering)

        return answer

    def _answer(
        self,
        method: str,
        behaviour: Any,
        request: Any,
        context: grpc.ServicerContext,
        answering: Answering,
    ) -> Any:
        """Admit a call and answer it; whatever goes wrong becomes a status."""
        request_id = ""
        try:
            call = self._admission.admit(
                method,
                context.auth_context(),
                dict(context.invocation_metadata() or ()),
                _seconds_left(context),
            )
            request_id = call.request_id
            CURRENT_CALL.set(call)
            structlog.contextvars.bind_contextvars(request_id=request_id)
            if isinstance(request, Message):
                require_valid(request)
            return behaviour(request, context)
        except Refusal as refusal:
            answering.failed(refusal)
            return _refuse(method, refusal, request_id, context)
        except NotImplementedError as error:  # what generated servicers raise
            answering.failed(error)
            absent = Refusal(Reason.REASON_METHOD_NOT_SERVED, f"{method} is not implemented")
            return _refuse(method, absent, request_id, context)
        except Exception as error:
            if not context.is_active():
                answering.failed(None)
                raise
            answering.failed(error)
            _log.exception("call_failed", method=method)
            return context.abort_with_status(to_status(Refusal(Reason.REASON_INTERNAL), request_id))


def _seconds_left(context: grpc.ServicerContext) -> float | None:
    """Return the time left, or None without a deadline, where gRPC gives the longest time it knows."""
    left = context.time_remaining()
    return left if left < _FOREVER_SECONDS else None


def _refuse(method: str, refusal: Refusal, request_id: str, context: grpc.ServicerContext) -> Any:
    """End the call with the status of ``refusal``, and log what the caller is not told."""
    reason = Reason.Name(refusal.reason)
    _log.info("call_refused", method=method, reason=reason, detail=refusal.detail)
    return context.abort_with_status(to_status(refusal, request_id))


def _not_served(_request: Message, _context: grpc.ServicerContext) -> None:
    raise Refusal(Reason.REASON_METHOD_NOT_SERVED)


class SyncServer:
    """One port of a synchronous process, with health and reflection."""

    def __init__(
        self,
        address: str,
        credentials: grpc.ServerCredentials,
        admission: Admission,
        threads: int = 4,
    ) -> None:
        """Bind ``address`` ("host:port", port 0 for any free one)."""
        self.server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="rpc"),
            interceptors=[SyncAdmissionInterceptor(admission, max(1, threads // 2))],
            options=SERVER_OPTIONS,
        )
        self.port = self.server.add_secure_port(address, credentials)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)

    def start(self, *services: str) -> None:
        """Start serving; ``services`` are full names to show by reflection and report healthy."""
        reflection.enable_server_reflection(
            [*services, health.SERVICE_NAME, reflection.SERVICE_NAME], self.server
        )
        self.server.start()
        for service in ("", *services):
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace: float = 5.0) -> None:
        """Report not serving, then let calls finish for up to ``grace`` seconds."""
        self._health.enter_graceful_shutdown()
        self.server.stop(grace).wait()
