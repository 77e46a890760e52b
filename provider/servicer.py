"""The provider's two services: protos in, calls out, answers back."""

from collections.abc import Callable

import grpc

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.admission import Call, current_call
from concordat.telemetry import traces
from concordat.v1 import Reason
from concordat.v1.provider_service_pb2_grpc import (
    ConsentNoticeServiceServicer,
    ProviderServiceServicer,
)
from provider.answering import Desk
from provider.notices import NoticeBoard
from provider.own_answering import OwnDesk


class ProviderServicer(ProviderServiceServicer):
    """Served on the member port; admission lets in none but ROLE_EXCHANGE."""

    def __init__(
        self,
        desk: Desk,
        own_desk: OwnDesk,
        exchange_id: str,
        require_current: Callable[[], None],
    ) -> None:
        """Answer ``exchange_id`` alone, and only while ``require_current`` does not refuse."""
        self._desk = desk
        self._own_desk = own_desk
        self._exchange_id = exchange_id
        self._require_current = require_current

    def RequestScores(
        self, request: v1.RequestScoresRequest, context: grpc.ServicerContext
    ) -> v1.RequestScoresResponse:
        """See the proto."""
        call = self._of_the_exchange()
        metadata = dict(context.invocation_metadata() or ()) if traces.tracing() else {}
        with traces.answering_each(metadata, "answer", len(request.requests)) as spans:
            results = self._desk.answer(request.requests, call.member, call.at)
            for span, result in zip(spans, results, strict=False):
                if result.HasField("refusal"):
                    traces.failed(span, Refusal(result.refusal.reason))
        return v1.RequestScoresResponse(results=results)

    def RequestOwnScores(
        self, request: v1.RequestOwnScoresRequest, context: grpc.ServicerContext
    ) -> v1.RequestOwnScoresResponse:
        """See the proto."""
        del context
        call = self._of_the_exchange()
        with traces.span("answer") as span:
            result = self._own_desk.answer(request, call.at)
            if result.HasField("refusal"):
                traces.failed(span, Refusal(result.refusal.reason))
        return v1.RequestOwnScoresResponse(result=result)

    def _of_the_exchange(self) -> Call:
        """Return the call; raise ``Refusal`` unless it is the exchange's, and the directory is current."""
        call = current_call()
        self._require_current()
        if call.member.member_id != self._exchange_id:
            raise Refusal(Reason.REASON_ROLE_NOT_ALLOWED, "not the exchange of the trust bundle")
        return call


class ConsentNoticeServicer(ConsentNoticeServiceServicer):
    """Served on the public port: whoever holds the subject's signed event may bring it."""

    def __init__(self, board: NoticeBoard) -> None:
        """Take notices in to ``board``."""
        self._board = board

    def NotifyConsentEvent(
        self, request: v1.NotifyConsentEventRequest, context: grpc.ServicerContext
    ) -> v1.NotifyConsentEventResponse:
        """See the proto."""
        del context
        sequence = self._board.take(request, current_call().at)
        return v1.NotifyConsentEventResponse(event_sequence=sequence)
