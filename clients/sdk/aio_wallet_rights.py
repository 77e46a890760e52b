"""A subject's report and erasure, over the public port: the asyncio calls."""

from clients.sdk.aio_client_base import AioClient
from clients.sdk.subject_report import request_erasure, request_report, send_erasure
from clients.sdk.wallet import WalletKey, request_binding
from concordat import v1
from concordat.trust.keys import Signer
from concordat.verify.own_view import VerifiedOwnView
from concordat.verify.subject_report import VerifiedReport


class AioWalletRights(AioClient):
    """Asks the exchange for all that it has about a subject, and to erase what can go."""

    async def report(
        self, key: WalletKey, own_view: VerifiedOwnView | None = None
    ) -> VerifiedReport:
        """Return the subject's whole report, verified; the score is part of it where it is handed in."""
        return await self._transport.run(request_report(key, self.book, own_view, self._now))

    async def erase(self, key: WalletKey, *, preview: bool = False) -> v1.ErasureOutcome:
        """Have everything erased that can go, or only told what would; return the exchange's signed word."""
        return await self._transport.run(
            request_erasure(key, self.book, self._now, preview=preview)
        )

    async def erase_by(self, key: WalletKey, request: v1.Envelope) -> v1.ErasureOutcome:
        """Send a request for erasure that was signed before; the same bytes again erase nothing more."""
        return await self._transport.run(send_erasure(key, self.book, request, self._now))

    async def request_binding(
        self, signer: Signer, identity_number: str, enrolment_code: str
    ) -> v1.BindSubjectResponse:
        """Have the registrar bind a key to a person; return the verified binding, and those before it."""
        flow = request_binding(self.anchors, signer, identity_number, enrolment_code, self._now())
        return await self._transport.run(flow)
