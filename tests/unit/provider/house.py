"""A provider as an operator sets it up, and the two peers that it talks to, on loopback."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import grpc
from typer.testing import CliRunner, Result

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import save_bundle
from concordat.rpc.tls import TlsIdentity, member_port
from concordat.v1.listing_service_pb2_grpc import add_FurnisherServiceServicer_to_server
from concordat.v1.member_service_pb2_grpc import (
    add_MemberServiceServicer_to_server,
)
from concordat.v1.registrar_service_pb2_grpc import (
    add_RegistrarServiceServicer_to_server,
)
from provider.main import app
from tests.builders import EXCHANGE, PROVIDERS, REGISTRAR, Federation, Pki, signer
from tests.fake_furnisher_service import FakeFurnisherService

SELF = PROVIDERS[0]


def ref_of(identity: bytes) -> bytes:
    return hashlib.sha256(b"registrar" + identity).digest()


class Peer:
    """Stands in for the exchange's directory and for the registrar: what a node asks of them."""

    def __init__(self) -> None:
        self.federation: Federation | None = None
        self.closing = threading.Event()
        self.batches: list[int] = []

    def _licences(self) -> list[v1.Envelope]:
        assert self.federation
        return [member.licence_envelope for member in self.federation.directory.members()]

    def ListMembers(self, request: Any, context: Any) -> v1.ListMembersResponse:  # noqa: N802
        return v1.ListMembersResponse(licences=self._licences())

    def WatchMembers(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        assert self.federation
        sent = -1
        while context.is_active() and not self.closing.is_set():
            statuses = self.federation.directory.status_envelopes()
            news = v1.WatchMembersResponse(sent_at=to_timestamp(datetime.now(UTC)))
            if len(statuses) != sent:
                sent = len(statuses)
                news.licences.extend(self._licences())
                news.statuses.extend(statuses)
            yield news
            self.closing.wait(0.05)

    def EvaluateIdentities(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.batches.append(len(request.inputs))
        return v1.EvaluateIdentitiesResponse(
            outputs=[b"" if i.startswith(b"bad") else ref_of(i) for i in request.inputs]
        )

    def __getattr__(self, name: str) -> Any:
        """Stand in for the methods that a node never calls."""
        return lambda *_: None


class House:
    """Files, federation and peers. ``close`` ends the peers.

    Its member is a provider; with ``roles``, ``member_id`` is enrolled as what they say, with no scores.
    """

    def __init__(
        self,
        folder: Path,
        member_id: str = SELF,
        roles: Sequence[v1.Role.ValueType] = (),
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.member_id = member_id
        self.pki = Pki()
        self.peer = Peer()
        self.federation: Federation
        self.furnishing = FakeFurnisherService()
        self.furnishing.member = lambda: self.federation.member(member_id)
        self.ports = dict.fromkeys((EXCHANGE, REGISTRAR), 0)
        self._bare = Federation(tls_ca_pem=self.pki.ca_pem)
        self._server = self._bound()
        self.federation = self.peer.federation = Federation(
            at=datetime.now(UTC),
            tls_ca_pem=self.pki.ca_pem,
            endpoints={
                "exchange_endpoint": f"127.0.0.1:{self.ports[EXCHANGE]}",
                "registrar_endpoint": f"127.0.0.1:{self.ports[REGISTRAR]}",
            },
        )
        self._server.start()
        if roles:
            self.federation.enrol(member_id, *roles)
            settings.setdefault("scores", {"source": "none"})
        save_bundle(self.federation.bundle, folder / "bundle.json")
        signer(member_id).save(folder / "signing.key", None)
        self.install(*self.pki.issue(member_id))
        self.licence = folder / "licence.env"
        member = self.federation.member(member_id)
        self.licence.write_bytes(member.licence_envelope.SerializeToString())
        self.config = folder / "provider.toml"
        self.configure(**settings)

    def _bound(self) -> grpc.Server:
        """Return a server of all peers on the ports that they have, or on free ones at first."""
        server = grpc.server(ThreadPoolExecutor(8))
        for name, port in self.ports.items():
            credentials = member_port(TlsIdentity(*self.pki.issue(name)), self._bare.anchors)
            self.ports[name] = server.add_secure_port(f"127.0.0.1:{port}", credentials)
        add_MemberServiceServicer_to_server(cast("Any", self.peer), server)
        add_RegistrarServiceServicer_to_server(cast("Any", self.peer), server)
        add_FurnisherServiceServicer_to_server(cast("Any", self.furnishing), server)
        return server

    def unplug(self) -> None:
        """Make the peers unreachable."""
        self.peer.closing.set()
        self._server.stop(0).wait()

    def plug_in(self) -> None:
        """Make them reachable again, where they were."""
        self.peer.closing.clear()
        self._server = self._bound()
        self._server.start()

    def install(self, certificate: bytes, key: bytes) -> None:
        (self.folder / "tls.crt").write_bytes(certificate)
        (self.folder / "tls.key").write_bytes(key)

    def configure(self, **settings: Any) -> None:
        lines = {
            "member_id": self.member_id,
            "trust_bundle": "bundle.json",
            "signing_key": "signing.key",
            "tls_certificate": "tls.crt",
            "tls_key": "tls.key",
            "member_listen": "127.0.0.1:0",
            "public_listen": "127.0.0.1:0",
            "database": "sqlite:///provider.db",
        }
        if settings.get("scores") == {"source": "none"}:
            del lines["member_listen"], lines["public_listen"]
        tables = {name: value for name, value in settings.items() if isinstance(value, Mapping)}
        plain = {name: value for name, value in settings.items() if name not in tables}
        text = "".join(f"{name} = {json.dumps(v)}\n" for name, v in (lines | plain).items())
        for name, table in tables.items():
            text += f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items())
        self.config.write_text(text)

    def run(self, command: str, *arguments: str | Path, stdin: str | None = None) -> Result:
        arguments = (command, *arguments, "--config", self.config)
        # Logs would go to the runner's standard error, and later tests' to it too, closed by then.
        with patch("provider.commands.shared.configure_logs"):
            return CliRunner().invoke(app, [*map(str, arguments)], input=stdin)

    def close(self) -> None:
        self.peer.closing.set()
        self._server.stop(0.2).wait()
