"""The registrar's service: proto to call and back."""

from collections.abc import Callable, Iterator

import grpc

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.admission import Call, current_call
from concordat.v1.registrar_service_pb2_grpc import RegistrarServiceServicer
from registrar.desk import RegistrarDesk
from registrar.rebindings import Rebindings


class RegistrarServicer(RegistrarServiceServicer):
    """RegistrarService; who may call what is the method policy's to say."""

    def __init__(
        self,
        desk: RegistrarDesk,
        require_current: Callable[[], None],
        rebindings: Rebindings,
        readmit: Callable[[Call, grpc.ServicerContext], object],
    ) -> None:
        """Answer from ``desk``, members only while ``require_current`` raises nothing.

        ``readmit`` raises where a long call would not be let in any more.
        """
        self._desk = desk
        self._require_current = require_current
        self._rebindings = rebindings
        self._readmit = readmit

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
        binding = self._desk.bind(request, current_call().at)
        earlier = self._desk.earlier(binding)
        if earlier:  # nobody follows first bindings
            self._rebindings.made()
        return v1.BindSubjectResponse(binding=binding, earlier=earlier)

    def WatchBindings(
        self, request: v1.WatchBindingsRequest, context: grpc.ServicerContext
    ) -> Iterator[v1.WatchBindingsResponse]:
        """Tell an exchange of each binding that takes over from another."""
        return self._news(current_call(), request.after, context)

    def _news(
        self, call: Call, after: int, context: grpc.ServicerContext
    ) -> Iterator[v1.WatchBindingsResponse]:
        """Yield news until nobody listens, or until who does would not be let in any more."""
        for news in self._rebindings.follow(after):
            try:
                self._readmit(call, context)
            except Refusal:
                return
            if not context.is_active():
                return
            yield news
