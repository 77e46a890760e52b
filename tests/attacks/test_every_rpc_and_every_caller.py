"""Every RPC of the contract, called by everybody: exactly who the method policy lets in gets in.

Generated from the descriptors, so that a new RPC is tried as soon as it is in a proto. Each caller opens
a real connection to each of our two servers, on the port of members and on the public one.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from concordat.clock import Clock, to_timestamp
from concordat.rpc.policy import POLICY, Port
from concordat.v1 import Role, Standing
from tests.attacks.ports import (
    ADMITTED,
    SERVERS,
    AioPort,
    Neighbourhood,
    SyncPort,
    every_method,
    outcome,
)
from tests.builders import DAY, NAME, Federation, Pki

METHODS = every_method()
ROLES = {
    Role.Name(role).removeprefix("ROLE_").lower(): role
    for role in Role.values()
    if role != Role.ROLE_UNSPECIFIED
}

# What keeps a caller out of the port of members, whatever method it calls.
# Of the health protocol, but not of the servicers of grpcio-health-checking.
NOT_WRITTEN = {"/grpc.health.v1.Health/List"}
TRANSPORT = "UNAVAILABLE"  # TLS fails, so that there is no answer at all
NO_CONNECTION = ("no certificate", "wrong authority", "expired certificate")
NO_CALLER = {
    "certificate that names nobody": "CALLER_UNKNOWN",
    "certificate that names two members": "CALLER_UNKNOWN",
    "certificate of another federation": "CALLER_UNKNOWN",
    "certificate that names no member's path": "CALLER_UNKNOWN",
    "unlicensed": "MEMBER_UNLICENSED",
    "suspended": "MEMBER_SUSPENDED",
    "revoked": "LICENCE_NOT_IN_FORCE",
    "licence expired": "LICENCE_NOT_IN_FORCE",
    "licence of next week": "LICENCE_NOT_IN_FORCE",
}
CALLERS = [*NO_CONNECTION, *NO_CALLER, *ROLES]


def all_roles() -> list[Role.ValueType]:
    """As many roles as one licence may hold: whoever is kept out with these is not for want of one."""
    return [
        Role.ROLE_EXCHANGE,
        Role.ROLE_LENDER,
        Role.ROLE_PROVIDER,
        Role.ROLE_FURNISHER,
        Role.ROLE_COURT,
        Role.ROLE_REGISTRAR,
    ]


def slug(caller: str) -> str:
    return "the-" + caller.replace(" ", "-")


def enrol_everyone(federation: Federation) -> None:
    now = federation.at
    for name, role in ROLES.items():
        federation.enrol(slug(name), role)
    soon, past = to_timestamp(now + 7 * DAY), to_timestamp(now - timedelta(seconds=1))
    federation.enrol(slug("suspended"), *all_roles())
    federation.suspend(slug("suspended"))
    federation.enrol(slug("revoked"), *all_roles())
    revoked = federation.status(slug("revoked"), Standing.STANDING_REVOKED)
    federation.directory.add_status(revoked, now)
    federation.enrol(slug("licence of next week"), *all_roles(), not_before=soon)
    federation.enrol(slug("licence expired"), *all_roles(), not_after=past)


def certificate(pki: Pki, caller: str) -> tuple[bytes, bytes] | None:
    """What a caller shows. The stolen names are those of members that would get in."""
    lender, regulator = (f"spiffe://{NAME}/member/{slug(name)}" for name in ("lender", "regulator"))
    names: dict[str, Iterable[str]] = {
        "certificate that names nobody": iter(()),
        "certificate that names two members": [lender, regulator],
        "certificate of another federation": ["spiffe://other.concordat/member/the-lender"],
        "certificate that names no member's path": [f"spiffe://{NAME}/the-lender"],
    }
    if caller == "no certificate":
        return None
    if caller == "wrong authority":
        return Pki().issue(slug("lender"))
    if caller == "expired certificate":
        return pki.issue(slug("lender"), not_after=datetime.now(UTC) - timedelta(minutes=1))
    return pki.issue(slug(caller), uris=names.get(caller))


def expected(path: str, port: Port, caller: str) -> str:
    """What the method policy says."""
    if port is Port.MEMBER and caller in NO_CONNECTION:
        return TRANSPORT
    row = POLICY[path]
    if port not in row.ports or path in NOT_WRITTEN:
        return "METHOD_NOT_SERVED"
    if port is Port.PUBLIC or not row.licensed:
        return ADMITTED
    if caller in NO_CALLER:
        return NO_CALLER[caller]
    return ADMITTED if not row.roles or ROLES[caller] in row.roles else "ROLE_NOT_ALLOWED"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture(scope="module", params=SERVERS)
def here(request: pytest.FixtureRequest, pki: Pki) -> Neighbourhood:
    federation = Federation(at=datetime.now(UTC), tls_ca_pem=pki.ca_pem)
    enrol_everyone(federation)
    return Neighbourhood(federation, pki, Clock(), SERVERS[request.param])


@pytest.fixture(scope="module")
def ports(here: Neighbourhood) -> Iterator[dict[Port, AioPort | SyncPort]]:
    with ExitStack() as stack:
        served = {port: here.serve(port) for port in Port}
        for server in served.values():
            stack.callback(server.__exit__)
        yield served


def test_the_descriptors_hold_the_services_that_this_file_tries() -> None:
    # A walk that finds nothing would pass everything below.
    assert len(METHODS) >= 36
    assert set(METHODS) == set(POLICY)


@pytest.mark.parametrize("port", Port, ids=lambda port: port.value)
@pytest.mark.parametrize("caller", CALLERS)
def test_each_rpc_admits_exactly_whom_the_policy_names(
    here: Neighbourhood, ports: dict[Port, AioPort | SyncPort], caller: str, port: Port
) -> None:
    with here.channel(ports[port], certificate(here.pki, caller)) as channel:
        found = {path: outcome(channel, path, method) for path, method in METHODS.items()}
    assert found == {path: expected(path, port, caller) for path in METHODS}


@pytest.mark.parametrize("path", METHODS)
def test_a_call_without_a_deadline_is_refused(
    here: Neighbourhood, ports: dict[Port, AioPort | SyncPort], path: str
) -> None:
    for port in POLICY[path].ports:
        role = min(POLICY[path].roles, default=Role.ROLE_LENDER)
        name = slug(Role.Name(role).removeprefix("ROLE_").lower())
        with here.channel(ports[port], here.pki.issue(name)) as channel:
            found = outcome(channel, path, METHODS[path], timeout=None)
        admitted = "METHOD_NOT_SERVED" if path in NOT_WRITTEN else ADMITTED
        assert found == ("DEADLINE_MISSING" if POLICY[path].deadline else admitted)


@pytest.mark.parametrize(
    "path",
    [
        "/concordat.v1.ViewService/Nothing",
        "/concordat.v1.Nothing/RequestView",
        "/concordat.v1.ViewService/RequestView/",
        "/concordat.v1.ViewService/requestview",
        "/",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ],
)
def test_a_method_that_nobody_wrote_is_refused(
    here: Neighbourhood, ports: dict[Port, AioPort | SyncPort], path: str
) -> None:
    method = METHODS["/concordat.v1.ViewService/RequestView"]
    for port in Port:
        with here.channel(ports[port], here.pki.issue(slug("lender"))) as channel:
            assert outcome(channel, path, method) == "METHOD_NOT_SERVED"


def _echo(request: bytes, _context: object) -> bytes:
    return request


async def _aio_echo(request: bytes, _context: object) -> bytes:
    return request


def test_a_method_without_a_row_in_the_policy_is_refused_although_it_is_served(
    here: Neighbourhood,
) -> None:
    method = METHODS["/concordat.v1.MemberService/ListMembers"]
    for port in Port:
        listening = here.listen(port)
        echo: Any = _aio_echo if listening.asynchronous else _echo
        handlers: dict[str, Any] = {"Leak": grpc.unary_unary_rpc_method_handler(echo)}
        generic = grpc.method_handlers_generic_handler("concordat.v1.Forgotten", handlers)
        listening.server.add_generic_rpc_handlers((generic,))
        with (
            listening.start() as server,
            here.channel(server, here.pki.issue(slug("regulator"))) as channel,
        ):
            found = outcome(channel, "/concordat.v1.Forgotten/Leak", method)
            assert found == "METHOD_NOT_SERVED"


def test_a_method_of_the_contract_that_this_process_does_not_serve_is_refused(
    here: Neighbourhood,
) -> None:
    # A provider's node serves no views, whoever asks for one.
    path = "/concordat.v1.ViewService/RequestView"
    with (
        here.listen().start() as server,
        here.channel(server, here.pki.issue(slug("lender"))) as channel,
    ):
        assert outcome(channel, path, METHODS[path]) == "METHOD_NOT_SERVED"
        stream = "/concordat.v1.MemberService/WatchMembers"
        assert outcome(channel, stream, METHODS[stream]) == "METHOD_NOT_SERVED"
