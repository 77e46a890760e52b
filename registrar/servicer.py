"""The registrar's service: proto to call and back."""

from collections.abc import Callable

import grpc

from concordat import v1
from concordat.rpc.admission import current_call
from concordat.v1.registrar_service_pb2_grpc import RegistrarServiceServicer
from registrar.desk import RegistrarDesk


class RegistrarServicer(RegistrarServiceServicer):
    """RegistrarService; who may call what is the method policy's to say."""

    def __init__(self, desk: RegistrarDesk, require_current: Callable[[], None]) -> None:
        """Answer from ``desk``, members only while ``require_current`` raises nothing."""
        self._desk = desk
        self._require_current = require_current

    def EvaluateIdentities(
        self, request: v1.EvaluateIdentitiesRequest, context: grpc.ServicerContext
    ) -> v1.EvaluateIdentitiesResponse:
        """Turn identities into subject_refs."""
        del context
        self._require_current()
        call = current_call()
        outputs = self._desk.evaluate(call.member.member_id, request.suite, request.inputs, call.at)
        return v1.EvaluateIdentitiesResponse(outputs=outputs)

    def BindSubject(
        self, request: v1.BindSubjectRequest, context: grpc.ServicerContext
    ) -> v1.BindSubjectResponse:
        """Bind a key to a subject."""
        del context
        return v1.BindSubjectResponse(binding=self._desk.bind(request, current_call().at))
