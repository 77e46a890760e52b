"""A registrar as an operator sets it up: a folder, a settings file, a process, an exchange to follow."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from clients.pki import Endpoints, LicenceSpec, Pki
from clients.sandbox.layout import free_ports
from concordat import v1
from concordat.clock import to_timestamp
from concordat.rpc.channels import open_channel
from concordat.rpc.tls import TlsIdentity, member_channel, member_port, public_channel
from concordat.v1.member_service_pb2_grpc import (
    MemberServiceServicer,
    add_MemberServiceServicer_to_server,
)
from concordat.v1.registrar_service_pb2_grpc import RegistrarServiceStub

ROOT = Path(__file__).parents[3]


class ExchangeStandIn(MemberServiceServicer):
    """Streams what it is told of; nothing else of an exchange."""

    def __init__(self) -> None:
        self.news: list[v1.WatchMembersResponse] = []
        self.closing = threading.Event()

    def WatchMembers(  # noqa: N802 - named as the rpc
        self, request: v1.WatchMembersRequest, context: grpc.ServicerContext
    ) -> Iterator[v1.WatchMembersResponse]:
        sent = 0
        while context.is_active() and not self.closing.is_set():
            fresh = self.news[sent:]
            sent += len(fresh)
            yield from fresh
            yield v1.WatchMembersResponse(sent_at=to_timestamp(datetime.now(UTC)))
            self.closing.wait(0.1)

    def tell(self, *, licences: Any = (), statuses: Any = ()) -> None:
        self.news.append(
            v1.WatchMembersResponse(
                licences=licences, statuses=statuses, sent_at=to_timestamp(datetime.now(UTC))
            )
        )


@dataclass
class Process:
    """A running `python -m registrar.main serve`."""

    popen: "subprocess.Popen[str]"
    member_port: int = 0
    public_port: int = 0
    log: list[str] = field(default_factory=list)

    def stop(self) -> int:
        self.popen.terminate()
        code = self.popen.wait(15)
        self._reader.join()
        return code

    def read(self) -> None:
        """Wait for the line that says it serves; go on reading beside."""
        ready: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

        def pump() -> None:
            assert self.popen.stderr is not None
            with self.popen.stderr as lines:
                for line in lines:
                    self.log.append(line)
                    if '"event": "serving"' in line:
                        ready.put(json.loads(line))
            ready.put(None)

        self._reader = threading.Thread(target=pump, daemon=True)
        self._reader.start()
        line = ready.get(timeout=30)
        assert line is not None, "".join(self.log)
        self.member_port, self.public_port = line["member_port"], line["public_port"]


class House:
    """A folder with a federation and a registrar's settings in it."""

    def __init__(self, folder: Path, **identity: Any) -> None:
        self.exchange = ExchangeStandIn()  # type: ignore[abstract] # it stands in for a part
        self._server = grpc.server(ThreadPoolExecutor(4))
        add_MemberServiceServicer_to_server(self.exchange, self._server)
        # The address must be known before there is a certificate. A gRPC server that probed for it would
        # go on listening until it is collected, and would be handed some of the connections (SO_REUSEPORT).
        address = free_ports(1)[0].member_address
        self.pki = Pki.create(
            folder / "pki",
            federation="test.concordat",
            endpoints=Endpoints(exchange=address),
        )
        credentials = member_port(self.pki.identity("exchange"), self.pki.anchors)
        self._server.add_secure_port(address, credentials)
        self._server.start()
        self.folder = folder
        self.config = folder / "registrar.toml"
        self.config.write_text(settings_text(**identity), "utf-8")
        self.database = folder / "registrar.db"

    def close(self) -> None:
        self.exchange.closing.set()
        self._server.stop(1).wait()

    def enrol(self, member_id: str, role: v1.Role.ValueType, **terms: Any) -> None:
        """License a member and let the registrar hear of it."""
        self.pki.add_member(member_id)
        spec = LicenceSpec(member_id=member_id, roles=[role], **terms)
        self.exchange.tell(licences=[self.pki.issue_licence(spec)])

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "registrar.main", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )

    def serve(self) -> Process:
        popen = subprocess.Popen(
            [sys.executable, "-m", "registrar.main", "serve", "--config", str(self.config)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        process = Process(popen)
        process.read()
        return process

    def member_stub(
        self, process: Process, member_id: str, identity: TlsIdentity | None = None
    ) -> tuple[grpc.Channel, RegistrarServiceStub]:
        credentials = member_channel(identity or self.pki.identity(member_id), self.pki.anchors)
        return self._stub(process.member_port, credentials)

    def public_stub(self, process: Process) -> tuple[grpc.Channel, RegistrarServiceStub]:
        return self._stub(process.public_port, public_channel(self.pki.anchors))

    def _stub(
        self, port: int, credentials: grpc.ChannelCredentials
    ) -> tuple[grpc.Channel, RegistrarServiceStub]:
        name = self.pki.anchors.server_name("registrar")
        channel = open_channel(f"127.0.0.1:{port}", credentials, name)
        return channel, RegistrarServiceStub(channel)


def settings_text(**identity: Any) -> str:
    """Return a settings file; ``identity`` goes into its table."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in identity.items()]
    return "\n".join(
        [
            'member_id = "registrar"',
            'trust_bundle = "pki/trust-bundle.json"',
            'signing_key = "pki/members/registrar/signing.key"',
            'tls_certificate = "pki/members/registrar/tls.crt"',
            'tls_key = "pki/members/registrar/tls.key"',
            'member_listen = "127.0.0.1:0"',
            'public_listen = "127.0.0.1:0"',
            'database = "sqlite:///registrar.db"',
            "[identity]",
            'derivation_key = "derivation.key"',
            *lines,
        ]
    )


def eventually(holds: Any, seconds: float = 40.0) -> None:
    """Wait until ``holds()`` is true; fail after ``seconds``."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it did not come to hold in time"
        time.sleep(0.05)
