"""Who was let in once is not let in for ever, and one connection's misbehaviour is no other's."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from concordat import v1
from concordat.clock import Clock, to_timestamp
from concordat.rpc.admission import current_call
from concordat.rpc.channels import MAX_MESSAGE_BYTES
from concordat.rpc.errors import from_rpc_error, name_of
from concordat.rpc.policy import Port
from concordat.v1 import Role, Standing
from tests.attacks.ports import (
    ADMITTED,
    SERVERS,
    AioPort,
    Neighbourhood,
    every_method,
    failure_of,
    outcome,
    start_call,
)
from tests.builders import LENDER, REGULATOR, Federation, Pki

METHODS = every_method()
VIEW = "/concordat.v1.ViewService/RequestView"
VIEWS = "/concordat.v1.ViewService/RequestViews"
WATCH = "/concordat.v1.MemberService/WatchMembers"
LIST = "/concordat.v1.MemberService/ListMembers"


class HandClock:
    """A wall clock that a test moves."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def hand() -> HandClock:
    return HandClock()


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


def neighbourhood(pki: Pki, hand: HandClock, server: str) -> Neighbourhood:
    federation = Federation(at=datetime.now(UTC), tls_ca_pem=pki.ca_pem)
    return Neighbourhood(federation, pki, Clock(source=hand), SERVERS[server])


@pytest.fixture(params=SERVERS)
def here(request: pytest.FixtureRequest, pki: Pki, hand: HandClock) -> Neighbourhood:
    return neighbourhood(pki, hand, request.param)


@pytest.fixture
def aio(pki: Pki, hand: HandClock) -> Neighbourhood:
    return neighbourhood(pki, hand, "asyncio")


def test_whoever_is_suspended_is_refused_on_the_next_call_of_an_open_connection(
    here: Neighbourhood,
) -> None:
    federation = here.federation
    with here.serve() as server, here.channel(server, here.pki.issue(LENDER)) as channel:
        assert outcome(channel, VIEW, METHODS[VIEW]) == ADMITTED
        federation.suspend(LENDER, sequence=1)
        assert outcome(channel, VIEW, METHODS[VIEW]) == "MEMBER_SUSPENDED"
        active = federation.status(LENDER, Standing.STANDING_ACTIVE, sequence=2)
        federation.directory.add_status(active, federation.at)
        assert outcome(channel, VIEW, METHODS[VIEW]) == ADMITTED
        revoked = federation.status(LENDER, Standing.STANDING_REVOKED, sequence=3)
        federation.directory.add_status(revoked, federation.at)
        assert outcome(channel, VIEW, METHODS[VIEW]) == "LICENCE_NOT_IN_FORCE"


def test_a_licence_that_runs_out_closes_an_open_connection(
    here: Neighbourhood, hand: HandClock
) -> None:
    end = to_timestamp(here.federation.at + timedelta(hours=1))
    here.federation.enrol("short", Role.ROLE_LENDER, not_after=end)
    with here.serve() as server, here.channel(server, here.pki.issue("short")) as channel:
        assert outcome(channel, VIEW, METHODS[VIEW]) == ADMITTED
        hand.ahead = timedelta(hours=2)
        assert outcome(channel, VIEW, METHODS[VIEW]) == "LICENCE_NOT_IN_FORCE"
        hand.ahead = timedelta()  # a clock that is set back brings nothing back to life
        assert outcome(channel, VIEW, METHODS[VIEW]) == "LICENCE_NOT_IN_FORCE"


def test_a_certificate_that_runs_out_closes_an_open_connection(
    here: Neighbourhood, hand: HandClock
) -> None:
    short = here.pki.issue(LENDER, not_after=datetime.now(UTC) + timedelta(hours=1))
    with here.serve() as server, here.channel(server, short) as channel:
        assert outcome(channel, VIEW, METHODS[VIEW]) == ADMITTED
        hand.ahead = timedelta(hours=2)
        assert outcome(channel, VIEW, METHODS[VIEW]) == "CALLER_UNKNOWN"


def test_a_role_that_is_taken_away_counts_from_the_next_call(here: Neighbourhood) -> None:
    with here.serve() as server, here.channel(server, here.pki.issue(LENDER)) as channel:
        assert outcome(channel, VIEW, METHODS[VIEW]) == ADMITTED
        here.federation.enrol(LENDER, Role.ROLE_WITNESS, version=2)
        assert outcome(channel, VIEW, METHODS[VIEW]) == "ROLE_NOT_ALLOWED"


class Watching:
    """A stream that goes on for ever, and counts how often it went on."""

    def __init__(self) -> None:
        self.rounds = 0

    def method(self) -> Callable[..., Any]:
        async def watch(_self: object, _request: Any, _context: Any) -> AsyncIterator[Any]:
            while True:
                self.rounds += 1
                yield v1.WatchMembersResponse()
                await asyncio.sleep(0.01)

        return watch


def ended(call: Any) -> str:
    """Follow a stream to its end and return why it ended."""
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        return name_of(from_rpc_error(error).reason)
    return "no reason"


@pytest.mark.parametrize("why", ["suspended", "licence", "certificate"])
def test_an_open_stream_ends_with_the_first_message_after_its_callers_exclusion(
    aio: Neighbourhood, hand: HandClock, why: str
) -> None:
    hour = datetime.now(UTC) + timedelta(hours=1)
    aio.federation.enrol("watcher", Role.ROLE_WITNESS, not_after=to_timestamp(hour))
    certificate = aio.pki.issue("watcher", not_after=hour if why == "certificate" else None)
    if why == "certificate":
        aio.federation.enrol("watcher", Role.ROLE_WITNESS, version=2)
    watching = Watching()
    with (
        aio.serve(WatchMembers=watching.method()) as server,
        aio.channel(server, certificate) as channel,
    ):
        call = start_call(channel, WATCH, METHODS[WATCH], timeout=None)
        for _ in range(3):
            next(call)
        if why == "suspended":
            aio.federation.suspend("watcher")
        else:
            hand.ahead = timedelta(hours=2)
        rounds = watching.rounds
        assert (
            ended(call)
            == {
                "suspended": "MEMBER_SUSPENDED",
                "licence": "LICENCE_NOT_IN_FORCE",
                "certificate": "CALLER_UNKNOWN",
            }[why]
        )
        assert watching.rounds <= rounds + 1, "and that one was refused; there is one each second"


async def _count(_self: object, requests: Any, _context: Any) -> AsyncIterator[Any]:
    async for _ in requests:
        assert current_call().member.member_id == LENDER
        yield v1.RequestViewsResponse()


def views(gate: threading.Event, *, then: v1.RequestViewsRequest) -> Iterator[Any]:
    yield lawful()
    gate.wait(5)
    yield then


def lawful() -> v1.RequestViewsRequest:
    federation = Federation()
    granted = federation.consent(federation.subject())
    return v1.RequestViewsRequest(asks=[federation.ask(granted)])


def stream_of_views(channel: grpc.Channel, requests: Iterator[Any]) -> Any:
    encode, decode = v1.RequestViewsRequest.SerializeToString, v1.RequestViewsResponse.FromString
    stream = channel.stream_stream(VIEWS, request_serializer=encode, response_deserializer=decode)
    return stream(requests, timeout=5)


def test_each_message_of_a_stream_is_admitted_anew(aio: Neighbourhood) -> None:
    gate = threading.Event()
    with (
        aio.serve(RequestViews=_count) as server,
        aio.channel(server, aio.pki.issue(LENDER)) as channel,
    ):
        call = stream_of_views(channel, views(gate, then=lawful()))
        next(call)
        aio.federation.suspend(LENDER)
        gate.set()
        assert ended(call) == "MEMBER_SUSPENDED"


def test_each_message_of_a_stream_is_held_to_its_bounds(aio: Neighbourhood) -> None:
    gate = threading.Event()
    broken = lawful()
    broken.asks[0].request.signatures[0].sig = bytes(63)
    with (
        aio.serve(RequestViews=_count) as server,
        aio.channel(server, aio.pki.issue(LENDER)) as channel,
    ):
        call = stream_of_views(channel, views(gate, then=broken))
        next(call)
        gate.set()
        assert ended(call) == "MESSAGE_INVALID"


def test_an_oversized_message_is_refused_and_the_connection_lives_on(here: Neighbourhood) -> None:
    big = v1.SubmitLicenceRequest(licence=v1.Envelope(payload=bytes(MAX_MESSAGE_BYTES + 1)))
    path = "/concordat.v1.MemberService/SubmitLicence"
    with here.serve() as server, here.channel(server, here.pki.issue(REGULATOR)) as channel:
        call: Any = channel.unary_unary(
            path, request_serializer=v1.SubmitLicenceRequest.SerializeToString
        )
        with pytest.raises(grpc.RpcError) as refused:
            call(big, timeout=5)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert outcome(channel, path, METHODS[path]) == ADMITTED


def test_oversized_metadata_harms_no_other_connection(here: Neighbourhood) -> None:
    with (
        here.serve(Port.PUBLIC) as server,
        here.channel(server, None) as rude,
        here.channel(server, None) as polite,
    ):
        assert outcome(polite, LIST, METHODS[LIST]) == ADMITTED
        for _ in range(5):
            failure = failure_of(rude, LIST, METHODS[LIST], metadata=[("x-much", "m" * 20_000)])
            assert failure is not None
            assert failure.code in {
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                grpc.StatusCode.UNAVAILABLE,
            }
            assert outcome(polite, LIST, METHODS[LIST]) == ADMITTED
        assert outcome(rude, LIST, METHODS[LIST]) == ADMITTED


def test_bytes_that_are_no_message_harm_nobody(here: Neighbourhood) -> None:
    with here.serve() as server, here.channel(server, here.pki.issue(LENDER)) as channel:
        call: Any = channel.unary_unary(VIEW)
        with pytest.raises(grpc.RpcError):
            call(b"\xff" * 100, timeout=5)
        assert outcome(channel, VIEW, METHODS[VIEW]) == ADMITTED


def until_each_began_or_was_refused(streams: list[Any]) -> None:
    """Wait for the server to take every stream; one that waits for a thread is given up."""
    with ThreadPoolExecutor(len(streams)) as readers:
        _, stuck = wait([readers.submit(next, stream) for stream in streams], timeout=5)
        if stuck:
            for stream in streams:
                stream.cancel()
        assert not stuck, f"{len(stuck)} streams wait for a thread"


def test_streams_left_open_by_anyone_take_no_thread_from_the_callers(here: Neighbourhood) -> None:
    # Health and reflection are open to all and need no deadline.
    watch = "/grpc.health.v1.Health/Watch"
    with here.serve(Port.PUBLIC) as server, here.channel(server, None) as channel:
        left_open = [start_call(channel, watch, METHODS[watch], timeout=None) for _ in range(8)]
        try:
            until_each_began_or_was_refused(left_open)
            assert outcome(channel, LIST, METHODS[LIST], timeout=3) == ADMITTED
        finally:
            for call in left_open:
                call.cancel()


def test_a_refusal_carries_the_request_id_that_the_log_has(here: Neighbourhood) -> None:
    with here.serve() as server, here.channel(server, here.pki.issue(LENDER)) as channel:
        path = "/concordat.v1.ViewService/RequestView"
        given = failure_of(channel, path, METHODS[path], metadata=[("x-request-id", "abc-12345")])
        assert given is not None
        assert given.request_id == "abc-12345"
        for bad in ("short", "x" * 65, "has spaces in it", 'quote"quote'):
            made = failure_of(channel, path, METHODS[path], metadata=[("x-request-id", bad)])
            assert made is not None
            assert made.request_id != bad
            assert len(made.request_id) == 32


def test_a_fault_of_ours_tells_the_caller_nothing(here: Neighbourhood) -> None:
    def broken(_self: object, _request: Any, _context: Any) -> Any:
        raise ValueError("subject 4711 owes much")

    async def aio_broken(_self: object, _request: Any, _context: Any) -> Any:
        raise ValueError("subject 4711 owes much")

    fault = aio_broken if here.server is AioPort else broken
    with here.serve(ListMembers=fault) as server:
        with here.channel(server, here.pki.issue(LENDER)) as channel:
            failure = failure_of(channel, LIST, METHODS[LIST])
        assert failure is not None
        assert name_of(failure.reason) == "INTERNAL"
        assert "4711" not in str(failure)
        assert failure.request_id
