"""Whether each member can be reached: TLS handshake, whose certificate answers and until when, gRPC health."""

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc

from clients.doctor import rules
from clients.doctor.finding import Finding, Status, fail, ok, warn
from clients.doctor.probe_trust import RENEW_CERTIFICATE, Known
from clients.sdk.health import serves
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.rpc.errors import from_rpc_error
from concordat.rpc.tls import TlsIdentity, member_channel, public_channel

SECONDS = 5.0
REACH = "see that it runs, that its address is the licence's, and that no firewall is between"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One port of a member: for members (mTLS) or for subjects (server TLS)."""

    member_id: str
    address: str
    for_members: bool

    @property
    def check(self) -> str:
        """What its check is called."""
        return f"{self.member_id}, port for {'members' if self.for_members else 'subjects'}"


def endpoints(anchors: Anchors, members: Iterable[Known]) -> list[Endpoint]:
    """Return the exchange's and the registrar's ports, then those of all members that are not suspended."""
    bundle = anchors.bundle
    found = [
        Endpoint(bundle.exchange_id, bundle.exchange_endpoint, for_members=True),
        Endpoint(bundle.exchange_id, bundle.exchange_public_endpoint, for_members=False),
        Endpoint(bundle.registrar_id, bundle.registrar_endpoint, for_members=True),
        Endpoint(bundle.registrar_id, bundle.registrar_public_endpoint, for_members=False),
    ]
    for member, standing in members:
        if standing == v1.Standing.STANDING_ACTIVE:
            licence = member.licence
            found += [
                Endpoint(member.member_id, licence.endpoint, for_members=True),
                Endpoint(member.member_id, licence.public_endpoint, for_members=False),
            ]
    return [each for each in dict.fromkeys(found) if each.address]


def probe(
    endpoint: Endpoint,
    anchors: Anchors,
    folder: Path | None,
    now: datetime,
) -> list[Finding]:
    """Judge one port; ``folder`` holds the own certificate. Raises ``TlsFileError`` where that can't be read."""
    try:
        ends = _handshake(endpoint, anchors, folder)
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        advice = "see that the address is this member's, and that its certificate is in date"
        return [fail(endpoint.check, f"{endpoint.address}: TLS fails: {why}", advice)]
    except (OSError, ValueError) as error:  # the latter for an address without a port
        return [fail(endpoint.check, f"{endpoint.address}: {error}", REACH)]
    dates = rules.expiry(endpoint.check, ends, now, RENEW_CERTIFICATE)
    if dates.status != Status.OK:
        found = f"{endpoint.address}: its certificate: {dates.found}"
        return [warn(endpoint.check, found, f"its operator: {dates.advice}")]
    if endpoint.for_members and folder is None:
        return [ok(endpoint.check, f"{endpoint.address}: TLS; certificate {dates.found}")]
    return [_health(endpoint, anchors, folder, dates.found)]


def _handshake(endpoint: Endpoint, anchors: Anchors, folder: Path | None) -> datetime:
    """Shake hands, demanding this member's certificate; return until when that is valid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=anchors.bundle.tls_ca_pem)
    context.set_alpn_protocols(["h2"])
    if endpoint.for_members and folder is not None:
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    host, _, port = endpoint.address.rpartition(":")
    with (
        socket.create_connection((host.strip("[]"), int(port)), SECONDS) as plain,
        context.wrap_socket(
            plain, server_hostname=anchors.server_name(endpoint.member_id)
        ) as secure,
    ):
        until = (secure.getpeercert() or {}).get("notAfter", "")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(until)), UTC)


def _health(endpoint: Endpoint, anchors: Anchors, folder: Path | None, dates: str) -> Finding:
    """Ask whether it serves, as gRPC's health protocol has it."""
    credentials = public_channel(anchors)
    if endpoint.for_members and folder is not None:
        credentials = member_channel(
            TlsIdentity.load(folder / "tls.crt", folder / "tls.key"), anchors
        )
    name = anchors.server_name(endpoint.member_id)
    try:
        serving = serves(endpoint.address, credentials, name, SECONDS)
    except grpc.RpcError as error:
        found = f"{endpoint.address}: TLS is well, and gRPC answers {from_rpc_error(error)}"
        return fail(endpoint.check, found, "see its log; a certificate of your own may be old")
    if not serving:
        return fail(endpoint.check, f"{endpoint.address}: it does not serve", "see its log")
    return ok(endpoint.check, f"{endpoint.address}: serves; certificate {dates}")
