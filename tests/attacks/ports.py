"""Both servers on loopback with stub servicers for every service of the contract, and callers of every kind."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from concordat.clock import Clock
from concordat.rpc.admission import Admission
from concordat.rpc.aio_server import AioServer
from concordat.rpc.channels import ONE_ATTEMPT
from concordat.rpc.errors import RemoteError, from_rpc_error, name_of
from concordat.rpc.policy import Port
from concordat.rpc.sync_server import SyncServer
from concordat.rpc.tls import TlsIdentity, member_port, public_port
from tests.builders import EXCHANGE, Federation, Pki

PROTOS = Path(__file__).parents[2] / "protos"
MODULES = [
    module
    for path in sorted(PROTOS.rglob("*.proto"))
    if import_module(
        f"{(module := '.'.join(path.relative_to(PROTOS).with_suffix('').parts))}_pb2"
    ).DESCRIPTOR.services_by_name
]
"""Every module of the contract that has services: "concordat.v1.view_service"."""
PROBES = ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")
TIMEOUT = 5.0
ADMITTED = "admitted"


def contract_services() -> list[ServiceDescriptor]:
    """Every service of the contract."""
    found: list[ServiceDescriptor] = []
    for module in MODULES:
        file = import_module(f"{module}_pb2").DESCRIPTOR
        found += file.services_by_name.values()
    return found


def every_method() -> dict[str, MethodDescriptor]:
    """Every RPC that a server of ours may serve, by path: the contract's, health's and reflection's."""
    pool = descriptor_pool.Default()
    services = contract_services() + [pool.FindServiceByName(name) for name in PROBES]
    return {
        f"/{service.full_name}/{method.name}": method
        for service in services
        for method in service.methods
    }


# Servers ----------------------------------------------------------------------------------------


def stub_method(method: MethodDescriptor, *, asynchronous: bool) -> Callable[..., Any]:
    """A servicer's method that takes in what it is sent and answers with one empty message."""
    response = message_factory.GetMessageClass(method.output_type)

    async def unary(_self: object, _request: Message, _context: object) -> Message:
        return response()

    async def stream(_self: object, requests: Any, _context: object) -> AsyncIterator[Message]:
        if method.client_streaming:
            async for _ in requests:
                pass
        yield response()

    def plain_unary(_self: object, _request: Message, _context: object) -> Message:
        return response()

    def plain_stream(_self: object, requests: Any, _context: object) -> Iterator[Message]:
        if method.client_streaming:
            for _ in requests:
                pass
        yield response()

    if asynchronous:
        return stream if method.server_streaming else unary
    return plain_stream if method.server_streaming else plain_unary


def add_stubs(server: Any, *, asynchronous: bool, **replaced: Callable[..., Any]) -> None:
    """Register a stub of every service; ``replaced`` are methods to serve instead, by name."""
    for module in MODULES:
        generated = import_module(f"{module}_pb2_grpc")
        file = import_module(f"{module}_pb2").DESCRIPTOR
        for name, service in file.services_by_name.items():
            methods = {
                m.name: replaced.get(m.name, stub_method(m, asynchronous=asynchronous))
                for m in service.methods
            }
            servicer = type(f"Stub{name}", (), methods)()
            getattr(generated, f"add_{name}Servicer_to_server")(servicer, server)


class AioPort:
    """An ``AioServer`` on an event loop in a thread of its own."""

    asynchronous = True

    def __init__(self, credentials: grpc.ServerCredentials, admission: Admission) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._served = self._do(self._make(credentials, admission))
        self.server, self.port = self._served.server, self._served.port

    async def _make(self, credentials: grpc.ServerCredentials, admission: Admission) -> AioServer:
        return AioServer("127.0.0.1:0", credentials, admission)

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def start(self) -> Self:
        self._do(self._served.start())
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._served.stop(0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SyncPort:
    """A ``SyncServer``."""

    asynchronous = False

    def __init__(self, credentials: grpc.ServerCredentials, admission: Admission) -> None:
        self._served = SyncServer("127.0.0.1:0", credentials, admission)
        self.server, self.port = self._served.server, self._served.port

    def start(self) -> Self:
        self._served.start()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._served.stop(0)


SERVERS: dict[str, type[AioPort] | type[SyncPort]] = {"asyncio": AioPort, "synchronous": SyncPort}


# Callers ----------------------------------------------------------------------------------------


@dataclass
class Neighbourhood:
    """A federation with a certificate authority; every port in it is the exchange's."""

    federation: Federation
    pki: Pki
    clock: Clock
    server: type[AioPort] | type[SyncPort]

    def credentials(self, port: Port) -> grpc.ServerCredentials:
        identity = TlsIdentity(*self.pki.issue(EXCHANGE))
        if port is Port.PUBLIC:
            return public_port(identity)
        return member_port(identity, self.federation.anchors)

    def listen(self, port: Port = Port.MEMBER) -> AioPort | SyncPort:
        """Bind a port; add servicers, then ``start``."""
        admission = Admission(self.federation.directory, self.clock, port)
        return self.server(self.credentials(port), admission)

    def serve(self, port: Port = Port.MEMBER, **replaced: Callable[..., Any]) -> AioPort | SyncPort:
        """Serve a stub of every service."""
        listening = self.listen(port)
        add_stubs(listening.server, asynchronous=listening.asynchronous, **replaced)
        return listening.start()

    def channel(
        self, to: AioPort | SyncPort, certificate: tuple[bytes, bytes] | None
    ) -> grpc.Channel:
        """Open a new connection that shows ``certificate``."""
        pem, key = certificate or (None, None)
        root = self.federation.anchors.bundle.tls_ca_pem.encode()
        name = self.federation.anchors.server_name(EXCHANGE)
        options = [
            *ONE_ATTEMPT,
            ("grpc.ssl_target_name_override", name),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", -1),  # the last of a name counts: send what we like
        ]
        return grpc.secure_channel(
            f"127.0.0.1:{to.port}", grpc.ssl_channel_credentials(root, key, pem), options=options
        )


def start_call(
    channel: grpc.Channel,
    path: str,
    method: MethodDescriptor,
    request: Message | None = None,
    **how: Any,
) -> Any:
    """Call any method with one message (empty, if none is given); return a unary's answer or an iterator."""
    request = request or message_factory.GetMessageClass(method.input_type)()
    coding: dict[str, Any] = {
        "request_serializer": type(request).SerializeToString,
        "response_deserializer": message_factory.GetMessageClass(method.output_type).FromString,
    }
    how = {"timeout": TIMEOUT} | how
    if method.client_streaming:
        return channel.stream_stream(path, **coding)(iter([request]), **how)
    if method.server_streaming:
        return channel.unary_stream(path, **coding)(request, **how)
    return channel.unary_unary(path, **coding)(request, **how)


def failure_of(channel: grpc.Channel, path: str, *args: Any, **how: Any) -> RemoteError | None:
    """Make a call and take its first answer; return how it failed, if it did."""
    try:
        call = start_call(channel, path, *args, **how)
        if not isinstance(call, Message):
            next(iter(call))
            call.cancel()
    except grpc.RpcError as error:
        return from_rpc_error(error)
    except StopIteration:
        return None
    return None


def outcome(channel: grpc.Channel, path: str, *args: Any, **how: Any) -> str:
    """``admitted`` where a servicer was reached, else the typed reason, or the transport's code."""
    failure = failure_of(channel, path, *args, **how)
    if failure is None:
        return ADMITTED
    if not failure.reason:
        return failure.code.name
    # An empty message that breaks its bounds is refused after admission and before the servicer.
    reason = name_of(failure.reason)
    return ADMITTED if reason == "MESSAGE_INVALID" else reason
