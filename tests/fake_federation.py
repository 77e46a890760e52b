"""An exchange, a registrar and providers' public ports in one process, for tests of clients.

Real gRPC with real certificates; behind it, whatever the test sets:

    with FakeFederation() as fake:
        client = LenderClient(fake.anchors, fake.identity(LENDER), fake.clock)
        fake.answers["alder-bank"] = Failed()
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Self

import grpc

from clients.sdk import MemberIdentity, Permission
from concordat import v1
from concordat.clock import Clock, to_timestamp
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item, to_status
from concordat.rpc.tls import TlsIdentity, member_port, public_port
from concordat.statements import digest_of, seal
from concordat.v1 import Reason
from concordat.v1.consent_service_pb2_grpc import add_ConsentServiceServicer_to_server
from concordat.v1.log_service_pb2_grpc import add_LogServiceServicer_to_server
from concordat.v1.member_service_pb2_grpc import add_MemberServiceServicer_to_server
from concordat.v1.provider_service_pb2_grpc import add_ConsentNoticeServiceServicer_to_server
from concordat.v1.registrar_service_pb2_grpc import add_RegistrarServiceServicer_to_server
from concordat.v1.view_service_pb2_grpc import add_ViewServiceServicer_to_server
from tests.builders import (
    AT,
    EXCHANGE,
    LENDER,
    PROVIDERS,
    REGISTRAR,
    Federation,
    Granted,
    Pki,
    signer,
)
from tests.history_builders import SmallLog, Told
from tests.view_builders import Answer, ViewBuilder


class FakeFederation:
    """Servers on free ports. Every message that came in is in ``seen``, by method name."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at
        self.pki = Pki()
        self.seen: dict[str, list[Any]] = {}
        self.refuse: dict[str, list[Refusal]] = {}  # by method: what the next calls get
        self.answers: dict[str, Answer] = {}
        self.bend: Callable[[v1.RequestViewResponse], object] = lambda answer: None
        self.consents: list[v1.ConsentRecord] = []
        self.bound: dict[bytes, v1.Envelope] = {}  # bindings of ada, by key, in order
        self.page = 100
        self.retell: Callable[[Told], Told] = lambda told: told  # a lie in a list of accesses
        self.acknowledge: Callable[[int], int] = lambda sequence: sequence
        self._servers: list[grpc.Server] = []

    def __enter__(self) -> Self:
        plain = Federation(self.at, tls_ca_pem=self.pki.ca_pem)
        exchange = self._serve(EXCHANGE, plain.anchors, public=False)
        exchange_public = self._serve(EXCHANGE, plain.anchors, public=True)
        registrar = self._serve(REGISTRAR, plain.anchors, public=False)
        registrar_public = self._serve(REGISTRAR, plain.anchors, public=True)
        self.federation = Federation(
            self.at,
            tls_ca_pem=self.pki.ca_pem,
            endpoints={
                "exchange_endpoint": exchange,
                "exchange_public_endpoint": exchange_public,
                "registrar_endpoint": registrar,
                "registrar_public_endpoint": registrar_public,
            },
        )
        for name in PROVIDERS:
            endpoint = self._serve(name, plain.anchors, public=True)
            role = v1.Role.ROLE_PROVIDER
            self.federation.enrol(name, role, public_endpoint=endpoint, version=2)
        self.log = SmallLog(self.federation)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.stop(None).wait()

    @property
    def anchors(self) -> Anchors:
        return self.federation.anchors

    @property
    def clock(self) -> Clock:
        return Clock(source=lambda: self.at)

    def identity(self, member_id: str) -> MemberIdentity:
        tls = TlsIdentity(*self.pki.issue(member_id))
        return MemberIdentity(member_id, signer(member_id), tls)

    def permission(self, **fields: Any) -> Permission:
        granted = self.granted(**fields)
        return Permission(granted.envelope, granted.person.binding)

    def granted(self, **fields: Any) -> Granted:
        return self.federation.consent(self.federation.subject("ada"), **fields)

    def stop(self, place: int) -> None:
        """Stop a server: 0 exchange, 1 its public port, 2 registrar, 3 its public port, providers."""
        self._servers[place].stop(None).wait()

    def add_services(self, server: grpc.Server, member_id: str) -> None:
        """Add services to a server before it starts; for federations that have more."""

    def _serve(self, member_id: str, anchors: Anchors, *, public: bool) -> str:
        server = grpc.server(ThreadPoolExecutor(8))
        servicer: Any = _Servicer(self, member_id)
        add_ViewServiceServicer_to_server(servicer, server)
        add_MemberServiceServicer_to_server(servicer, server)
        add_ConsentServiceServicer_to_server(servicer, server)
        add_ConsentNoticeServiceServicer_to_server(servicer, server)
        add_LogServiceServicer_to_server(servicer, server)
        add_RegistrarServiceServicer_to_server(servicer, server)
        self.add_services(server, member_id)
        tls = TlsIdentity(*self.pki.issue(member_id))
        credentials = public_port(tls) if public else member_port(tls, anchors)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        self._servers.append(server)
        return f"127.0.0.1:{port}"

    # What the servers answer --------------------------------------------------------------------

    def view_of(self, ask: v1.RequestViewRequest) -> v1.RequestViewResponse:
        answer = ViewBuilder(self.federation, dict(self.answers), ask=ask).answer()
        self.bend(answer)
        return answer

    def status_of(self, digest: bytes, sequence: int = 0) -> v1.Envelope:
        state = v1.ConsentState
        status = v1.ConsentStatus(
            federation=self.federation.name,
            subject_ref=self.federation.subject("ada").ref,
            consent_id=b"\x01" * 16,
            consent_digest=digest,
            state=state.CONSENT_STATE_REVOKED if sequence else state.CONSENT_STATE_ACTIVE,
            event_sequence=sequence,
            binding_version=1,
            issued_at=to_timestamp(self.at),
        )
        return seal(status, signer(EXCHANGE))


class _Servicer:
    """All services at once; each method notes what came in and answers from the fake's settings."""

    def __init__(self, fake: FakeFederation, member_id: str) -> None:
        self.fake = fake
        self.member_id = member_id

    def __getattr__(self, name: str) -> Any:
        """Serve nothing of what no test here needs."""
        if not name[0].isupper():
            raise AttributeError(name)

        def absent(_request: Any, context: grpc.ServicerContext) -> Any:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, name)

        return absent

    def _note(self, method: str, request: Any, context: grpc.ServicerContext) -> None:
        self.fake.seen.setdefault(method, []).append(request)
        waiting = self.fake.refuse.get(method)
        if waiting:
            context.abort_with_status(to_status(waiting.pop(0), "test-request"))

    def RequestView(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("RequestView", request, context)
        return self.fake.view_of(request)

    def RequestViews(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:  # noqa: N802
        for message in requests:
            self._note("RequestViews", message, context)
            yield v1.RequestViewsResponse(results=[self._result(ask) for ask in message.asks])

    def _result(self, ask: v1.RequestViewRequest) -> v1.ViewResult:
        if self.fake.refuse.get("ask"):
            return v1.ViewResult(refusal=to_item(self.fake.refuse["ask"].pop(0)))
        return v1.ViewResult(view=self.fake.view_of(ask))

    def ListMembers(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("ListMembers", request, context)
        directory = self.fake.federation.directory
        return v1.ListMembersResponse(
            licences=[m.licence_envelope for m in directory.members()],
            statuses=directory.status_envelopes(),
            calibrations=[each.envelope for each in directory.calibrations()],
        )

    def WatchMembers(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise NotImplementedError

    def SubmitLicence(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("SubmitLicence", request, context)
        return v1.SubmitLicenceResponse()

    def SubmitLicenceStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("SubmitLicenceStatus", request, context)
        return v1.SubmitLicenceStatusResponse()

    def SubmitCalibration(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("SubmitCalibration", request, context)
        return v1.SubmitCalibrationResponse()

    def GrantConsent(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("GrantConsent", request, context)
        return v1.GrantConsentResponse(status=self.fake.status_of(digest_of(request.consent)))

    def SubmitConsentEvent(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("SubmitConsentEvent", request, context)
        event = v1.ConsentEvent.FromString(request.event.payload)
        status = self.fake.status_of(event.consent_digest, event.sequence)
        return v1.SubmitConsentEventResponse(status=status)

    def ListConsents(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("ListConsents", request, context)
        start = 0
        for place, record in enumerate(self.fake.consents):
            if v1.Consent.FromString(record.consent.payload).consent_id == request.after:
                start = place + 1
        page = self.fake.consents[start : start + self.fake.page]
        more = start + self.fake.page < len(self.fake.consents)
        return v1.ListConsentsResponse(consents=page, more=more)

    def ListAccesses(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("ListAccesses", request, context)
        answer = self.fake.log.answer(request, self.fake.page)
        return self.fake.retell(Told(request.request, answer)).answer

    def NotifyConsentEvent(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("NotifyConsentEvent", request, context)
        self._note(self.member_id, request, context)
        sequence = v1.ConsentEvent.FromString(request.event.payload).sequence
        return v1.NotifyConsentEventResponse(event_sequence=self.fake.acknowledge(sequence))

    def EvaluateIdentities(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("EvaluateIdentities", request, context)
        outputs = [b"" if i == b"bad" else i.ljust(32, b"\0")[:32] for i in request.inputs]
        return v1.EvaluateIdentitiesResponse(outputs=outputs)

    def BindSubject(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note("BindSubject", request, context)
        fake = self.fake
        if request.public_key not in fake.bound:
            version = len(fake.bound) + 1
            person = fake.federation.subject("ada", public_key=request.public_key, version=version)
            fake.bound[request.public_key] = person.binding
        binding = fake.bound[request.public_key]
        earlier = list(fake.bound.values())[: list(fake.bound).index(request.public_key)]
        return v1.BindSubjectResponse(binding=binding, earlier=earlier[::-1])


def unavailable() -> Refusal:
    """Return the refusal of a peer that is not ready."""
    return Refusal(Reason.REASON_UNAVAILABLE)


__all__ = ["LENDER", "FakeFederation", "unavailable"]
