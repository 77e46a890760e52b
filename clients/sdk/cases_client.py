"""A regulator's case look-ups over the member port, synchronous and asyncio."""

from clients.sdk.aio_client_base import AioClient
from clients.sdk.cases import look_up_case
from clients.sdk.client_base import Client
from clients.sdk.flow import DEFAULT_SECONDS
from clients.sdk.identity import MemberIdentity
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.v1 import CaseScope
from concordat.verify.case import CaseAnswered


class CaseClient(Client):
    """Looks one named subject up in a case that two officers have approved."""

    def __init__(
        self, anchors: Anchors, identity: MemberIdentity, clock: Clock | None = None
    ) -> None:
        """Ask as ``identity``."""
        super().__init__(anchors, identity, clock)
        self._identity = identity

    def look_up(
        self,
        case: v1.Envelope,
        scope: CaseScope.ValueType,
        after: bytes = b"",
        *,
        seconds: float = DEFAULT_SECONDS,
    ) -> CaseAnswered:
        """Return one page of one scope, verified in full; ``after`` is the cursor of the page before.

        Raises ``RemoteError`` (refused, or not reachable) or ``AnswerNotVerified``. It is logged, sealed, and told
        to the subject by the case's date.
        """
        flow = look_up_case(self._identity, self.book, case, scope, after, self._now, seconds)
        return self._transport.run(flow)


class AioCaseClient(AioClient):
    """As ``CaseClient``."""

    def __init__(
        self, anchors: Anchors, identity: MemberIdentity, clock: Clock | None = None
    ) -> None:
        """Ask as ``identity``."""
        super().__init__(anchors, identity, clock)
        self._identity = identity

    async def look_up(
        self,
        case: v1.Envelope,
        scope: CaseScope.ValueType,
        after: bytes = b"",
        *,
        seconds: float = DEFAULT_SECONDS,
    ) -> CaseAnswered:
        """Return one page of one scope, verified in full; ``after`` is the cursor of the page before."""
        flow = look_up_case(self._identity, self.book, case, scope, after, self._now, seconds)
        return await self._transport.run(flow)
