"""Which calls a channel repeats when the peer is unavailable, for every RPC of the contract."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest

from concordat.rpc.channels import open_aio_channel, open_channel
from concordat.rpc.tls import TlsIdentity, public_channel, public_port
from tests.attacks.ports import contract_services
from tests.builders import EXCHANGE, Federation, Pki

# A provider that answered may have counted a use; a code works once; a stream may have been answered in
# part; who watches members or bindings begins anew by itself.
ONCE = {
    "/concordat.v1.ProviderService/RequestScores",
    "/concordat.v1.ProviderService/RequestOwnScores",
    "/concordat.v1.ViewService/RequestViews",
    "/concordat.v1.ListingService/ScreenListings",
    "/concordat.v1.LenderService/WatchChanges",
    "/concordat.v1.RegistrarService/BindSubject",
    "/concordat.v1.RegistrarService/WatchBindings",
    "/concordat.v1.MemberService/WatchMembers",
}
REPEATED = {
    "/concordat.v1.ViewService/RequestView",
    "/concordat.v1.ConsentService/GrantConsent",
    "/concordat.v1.ConsentService/SubmitConsentEvent",
    "/concordat.v1.ConsentService/ListConsents",
    "/concordat.v1.ConsentNoticeService/NotifyConsentEvent",
    "/concordat.v1.LogService/ListAccesses",
    "/concordat.v1.FurnisherService/FileListings",
    "/concordat.v1.FurnisherService/SubmitListingEvents",
    "/concordat.v1.FurnisherService/SubmitMirrorSync",
    "/concordat.v1.FurnisherService/ListDuties",
    "/concordat.v1.ListingService/CheckListings",
    "/concordat.v1.ListingService/ListRetractions",
    "/concordat.v1.ListingService/AcknowledgeRetraction",
    "/concordat.v1.LenderService/ReportOutcomes",
    "/concordat.v1.LenderService/ListOutcomesDue",
    "/concordat.v1.ReviewService/ListReviews",
    "/concordat.v1.ReviewService/GetReview",
    "/concordat.v1.ReviewService/SubmitRuling",
    "/concordat.v1.ReviewService/SubmitReviewEvent",
    "/concordat.v1.SubjectService/ListOwnListings",
    "/concordat.v1.SubjectService/ReadInbox",
    "/concordat.v1.SubjectService/SubmitDispute",
    "/concordat.v1.SubjectService/SubmitSubjectEvent",
    "/concordat.v1.SubjectService/ChangeFlag",
    "/concordat.v1.SubjectService/ChangeContact",
    "/concordat.v1.SubjectService/RequestOwnView",
    "/concordat.v1.SubjectService/RequestReport",
    "/concordat.v1.SubjectService/RequestErasure",
    "/concordat.v1.SupervisionService/ReportOutcomeCounts",
    "/concordat.v1.SupervisionService/ReadDrift",
    "/concordat.v1.SupervisionService/ReadStatistics",
    "/concordat.v1.OrderService/SubmitOrder",
    "/concordat.v1.OrderService/ReadOrders",
    "/concordat.v1.OrderService/ReadOversight",
    "/concordat.v1.CaseService/LookUpCase",
    "/concordat.v1.MemberService/ListMembers",
    "/concordat.v1.MemberService/SubmitLicence",
    "/concordat.v1.MemberService/SubmitLicenceStatus",
    "/concordat.v1.MemberService/SubmitCalibration",
    "/concordat.v1.RegistrarService/EvaluateIdentities",
}
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for service in contract_services()
    for method in service.methods
}
MOST = 4


class Failing(grpc.GenericRpcHandler):
    """Answers every call with one code, and counts them."""

    def __init__(self) -> None:
        self.code = grpc.StatusCode.UNAVAILABLE
        self.attempts: Counter[str] = Counter()

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        path = details.method

        def fail(_requests: Any, context: grpc.ServicerContext) -> Any:
            self.attempts[path] += 1
            context.abort(self.code, "")

        return grpc.stream_stream_rpc_method_handler(fail)


@dataclass
class Peer:
    """A server that fails, and how to reach it."""

    handler: Failing
    endpoint: str
    credentials: grpc.ChannelCredentials
    name: str


@pytest.fixture
def peer() -> Iterator[Peer]:
    pki, handler = Pki(), Failing()
    anchors = Federation(tls_ca_pem=pki.ca_pem).anchors
    server = grpc.server(ThreadPoolExecutor(16), handlers=[handler])
    port = server.add_secure_port("127.0.0.1:0", public_port(TlsIdentity(*pki.issue(EXCHANGE))))
    server.start()
    name = anchors.server_name(EXCHANGE)
    yield Peer(handler, f"127.0.0.1:{port}", public_channel(anchors), name)
    server.stop(None).wait()


def call_all(peer: Peer) -> Counter[str]:
    """Call every RPC, at once, and return how often each arrived."""

    def call(path: str) -> None:
        method: Any = channel.stream_stream(path)
        with pytest.raises(grpc.RpcError):
            list(method(iter([b""]), timeout=20))

    with (
        open_channel(peer.endpoint, peer.credentials, peer.name) as channel,
        ThreadPoolExecutor(len(METHODS)) as pool,
    ):
        list(pool.map(call, METHODS))
    return peer.handler.attempts


def test_every_rpc_is_known_to_be_repeated_or_not() -> None:
    assert set(METHODS) == ONCE | REPEATED


def test_only_what_is_safe_to_repeat_is_repeated(peer: Peer) -> None:
    wanted = dict.fromkeys(ONCE, 1) | dict.fromkeys(REPEATED, MOST)
    assert dict(call_all(peer)) == wanted


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "INTERNAL", "DEADLINE_EXCEEDED"])
def test_nothing_is_repeated_on_another_failure(peer: Peer, code: str) -> None:
    peer.handler.code = grpc.StatusCode[code]
    assert dict(call_all(peer)) == dict.fromkeys(METHODS, 1)


@pytest.mark.parametrize("retries", [True, False])
def test_a_channel_without_retries_repeats_nothing(peer: Peer, retries: bool) -> None:
    async def call() -> None:
        channel = open_aio_channel(peer.endpoint, peer.credentials, peer.name, retries=retries)
        method: Any = channel.unary_unary(path)
        async with channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await method(b"", timeout=20)

    path = "/concordat.v1.ViewService/RequestView"
    asyncio.run(call())
    assert peer.handler.attempts[path] == (MOST if retries else 1)
