"""CaseService: translates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat.rpc.admission import current_call
from concordat.rpc.deadline import MAX_SECONDS
from concordat.v1.case_service_pb2_grpc import CaseServiceServicer

if TYPE_CHECKING:
    from concordat import v1
    from concordat.rpc.aio_server import Context
    from exchange.supervision.cases.look_up import CaseDesk


class CaseServicer(CaseServiceServicer):
    """Answers the regulator on the member port."""

    def __init__(self, desk: CaseDesk) -> None:
        """Answer from ``desk``."""
        self._desk = desk

    async def LookUpCase(
        self, request: v1.LookUpCaseRequest, context: Context
    ) -> v1.LookUpCaseResponse:
        """Look one named subject up."""
        del context
        call = current_call()
        left = MAX_SECONDS if call.seconds_left is None else min(call.seconds_left, MAX_SECONDS)
        return await self._desk.answer(request, call.member, call.at, left)
