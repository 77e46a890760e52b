"""The two services, driven as gRPC drives them."""

from datetime import datetime
from typing import Any

import grpc
import grpc_testing
import pytest

from concordat import v1
from concordat.federation.directory import Member
from concordat.refusal import Refusal
from concordat.rpc.admission import CURRENT_CALL, Call
from concordat.v1 import provider_service_pb2
from provider.own_answering import OwnDesk
from provider.servicer import ConsentNoticeServicer, ProviderServicer
from tests.builders import EXCHANGE, LENDER, PROVIDERS, Federation, Granted, Subject
from tests.unit.provider.conftest import Bench, reasons

PAUSE = v1.ConsentEventKind.CONSENT_EVENT_KIND_PAUSE
REVOKE = v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE
SERVICES = provider_service_pb2.DESCRIPTOR.services_by_name


class Admitted:
    """A servicer whose calls arrive as ``caller``'s, admitted at ``at``."""

    def __init__(self, servicer: Any, caller: Member | None, at: datetime) -> None:
        self._servicer, self._caller, self._at = servicer, caller, at

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._servicer, name)

        def behaviour(request: Any, context: Any) -> Any:
            CURRENT_CALL.set(Call(name, "request-id", self._at, self._caller, 5.0))
            try:
                return method(request, context)
            except Refusal as refusal:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, str(refusal))

        return behaviour


def call(servicer: Any, service: str, method: str, request: Any) -> tuple[Any, str]:
    """Return the response, and the details of the status."""
    descriptor = SERVICES[service]
    server = grpc_testing.server_from_dictionary(
        {descriptor: servicer}, grpc_testing.strict_real_time()
    )
    rpc = server.invoke_unary_unary(descriptor.methods_by_name[method], (), request, 5)
    response, _, _, details = rpc.termination()
    return response, details


def ask(
    bench: Bench, *requests: v1.ScoreRequest, caller: str = EXCHANGE, stale: bool = False
) -> tuple[Any, str]:
    federation = bench.federation

    def require_current() -> None:
        if stale:
            raise Refusal(v1.Reason.REASON_DIRECTORY_STALE)

    own = OwnDesk(bench.desk.stating, bench.store)
    servicer = ProviderServicer(bench.desk, own, EXCHANGE, require_current)
    admitted = Admitted(servicer, federation.member(caller), federation.at)
    request = v1.RequestScoresRequest(requests=requests)
    return call(admitted, "ProviderService", "RequestScores", request)


def notify(bench: Bench, notice: v1.NotifyConsentEventRequest) -> tuple[Any, str]:
    servicer = Admitted(ConsentNoticeServicer(bench.board), None, bench.federation.at)
    return call(servicer, "ConsentNoticeService", "NotifyConsentEvent", notice)


def notice(
    federation: Federation,
    granted: Granted,
    kind: v1.ConsentEventKind.ValueType = REVOKE,
    sequence: int = 1,
    /,
    person: Subject | None = None,
    **fields: Any,
) -> v1.NotifyConsentEventRequest:
    signed_by = Granted(person or granted.person, granted.consent, granted.envelope)
    return v1.NotifyConsentEventRequest(
        event=federation.consent_event(signed_by, kind, sequence, **fields),
        consent=granted.envelope,
        binding=signed_by.person.binding,
    )


def test_a_batch_is_answered_in_its_order(bench: Bench) -> None:
    federation = bench.federation
    good = federation.score_request(federation.consent(federation.subject()))
    bad = federation.score_request(
        federation.consent(federation.subject("bob"), providers=[PROVIDERS[2]])
    )
    response, _ = ask(bench, bad, good, bad)
    assert reasons(response.results) == ["PROVIDER_NOT_NAMED", "", "PROVIDER_NOT_NAMED"]
    assert "name this provider" in response.results[0].refusal.message


def test_another_exchange_than_the_trust_bundles_is_refused(bench: Bench) -> None:
    bench.federation.enrol("rival-exchange", v1.Role.ROLE_EXCHANGE)
    request = bench.federation.score_request(bench.federation.consent(bench.federation.subject()))
    response, details = ask(bench, request, caller="rival-exchange")
    assert response is None
    assert "ROLE_NOT_ALLOWED" in details


def test_nothing_is_answered_while_the_directory_is_stale(bench: Bench) -> None:
    request = bench.federation.score_request(bench.federation.consent(bench.federation.subject()))
    response, details = ask(bench, request, stale=True)
    assert response is None
    assert "DIRECTORY_STALE" in details


def test_a_subject_tells_the_provider_itself_and_may_repeat_it(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.consent(federation.subject())
    for _ in range(2):
        response, _ = notify(bench, notice(federation, granted))
        assert response.event_sequence == 1
    response, _ = ask(bench, federation.score_request(granted))
    assert reasons(response.results) == ["CONSENT_REVOKED"]


def test_a_revocation_of_one_consent_leaves_the_others(bench: Bench) -> None:
    federation = bench.federation
    person = federation.subject()
    one, other = federation.consent(person), federation.consent(person)
    notify(bench, notice(federation, one))
    response, _ = ask(bench, federation.score_request(one), federation.score_request(other))
    assert reasons(response.results) == ["CONSENT_REVOKED", ""]


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        pytest.param({"consent_digest": bytes(32)}, "CONSENT_MISMATCH", id="another-digest"),
        pytest.param({"consent_id": bytes(16)}, "CONSENT_MISMATCH", id="another-id"),
        pytest.param({"subject_ref": bytes(32)}, "BINDING_INVALID", id="another-subject"),
        pytest.param({"federation": "else"}, "WRONG_FEDERATION", id="another-federation"),
    ],
)
def test_an_event_about_something_else_is_refused(
    bench: Bench, bend: dict[str, Any], reason: str
) -> None:
    federation = bench.federation
    granted = federation.consent(federation.subject())
    response, details = notify(bench, notice(federation, granted, **bend))
    assert response is None
    assert reason in details
    response, _ = ask(bench, federation.score_request(granted))
    assert reasons(response.results) == [""]


def test_nobody_but_the_subject_revokes(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.consent(federation.subject())
    mallory = federation.subject("mallory")
    forged = notice(federation, granted, person=mallory)
    assert "SIGNATURE_INVALID" in notify(bench, forged)[1]
    forged.binding.CopyFrom(granted.person.binding)
    assert "SIGNATURE_INVALID" in notify(bench, forged)[1]


def test_an_event_signed_with_a_superseded_key_is_refused(bench: Bench) -> None:
    federation = bench.federation
    newer = federation.consent(federation.subject(version=3))
    notify(bench, notice(federation, newer, PAUSE))
    older = federation.consent(federation.subject(version=2))
    assert "BINDING_INVALID" in notify(bench, notice(federation, older))[1]


def test_an_event_of_a_consent_that_names_others_is_refused(bench: Bench) -> None:
    federation = bench.federation
    granted = federation.consent(federation.subject(), providers=[PROVIDERS[2]])
    assert "PROVIDER_NOT_NAMED" in notify(bench, notice(federation, granted))[1]


def test_a_caller_that_is_no_exchange_is_refused_by_name_too(bench: Bench) -> None:
    request = bench.federation.score_request(bench.federation.consent(bench.federation.subject()))
    assert "ROLE_NOT_ALLOWED" in ask(bench, request, caller=LENDER)[1]
