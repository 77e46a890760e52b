"""The provider's two services: protos in, calls out, answers back."""

from collections.abc import Callable

import grpc

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.v1 import Reason
from concordat.v1.provider_service_pb2_grpc import (
    ConsentNoticeServiceServicer,
    ProviderServiceServicer,
)
from provider.answering import Desk
from provider.notices import NoticeBoard


class ProviderServicer(ProviderServiceServicer):
    """Served on the member port; admission lets in none but ROLE_EXCHANGE."""

    def __init__(self, desk: Desk, exchange_id: str, require_current: Callable[[], None]) -> None:
        """Answer ``exchange_id`` alone, and only while ``require_current`` does not refuse."""
        self._desk = desk
        self._exchange_id = exchange_id
        self._require_current = require_current

    def RequestScores(
        self, request: v1.RequestScoresRequest, context: grpc.ServicerContext
    ) -> v1.RequestScoresResponse:
        """See the proto."""
        del context
        call = current_call()
        self._require_current()
        if call.member.member_id != self._exchange_id:
            raise Refusal(Reason.REASON_ROLE_NOT_ALLOWED, "not the exchange of the trust bundle")
        return v1.RequestScoresResponse(
            results=self._desk.answer(request.requests, call.member, call.at)
        )


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
