"""The asyncio clients: as ``client``, with the same names behind ``Aio``."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing

from clients.sdk import (
    accesses,
    drift,
    events,
    members,
    orders,
    outcomes,
    own_views,
    reviews,
    statistics,
    streaming,
    views,
    wallet,
)
from clients.sdk.aio_client_base import AioClient
from clients.sdk.aio_stream import AioStream
from clients.sdk.aio_wallet_listings import AioWalletListings
from clients.sdk.aio_wallet_rights import AioWalletRights
from clients.sdk.cases_client import AioCaseClient
from clients.sdk.flow import DEFAULT_SECONDS, Port, exchange_peer
from clients.sdk.monitor_aio import AioLenderDuties
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.trust.keys import Signer
from concordat.verify.history import Kept
from concordat.verify.own_view import VerifiedOwnView


class AioLenderClient(AioLenderDuties):
    """Asks for views and verifies them."""

    async def request_view(
        self, permission: views.Permission, *, seconds: float = DEFAULT_SECONDS
    ) -> views.LenderView:
        """Return one view, verified in full.

        Raises ``RemoteError`` (refused, or not reachable) or ``AnswerNotVerified``.
        """
        flow = views.request_view(self._identity, self.book, permission, self._now, seconds)
        return await self._transport.run(flow)

    async def request_views(
        self,
        permissions: Iterable[views.Permission],
        *,
        batch: int = streaming.BATCH,
        in_flight: int = streaming.IN_FLIGHT,
        seconds: float = streaming.STREAM_SECONDS,
    ) -> AsyncIterator[streaming.StreamedView]:
        """Yield what becomes of each permission, in order, each view verified in full.

        At most ``in_flight`` messages of ``batch`` requests are out at once; ``permissions`` is
        read no further ahead than that. ``seconds`` is for the whole stream. Leave it early only
        under ``contextlib.aclosing``, as any asynchronous generator.
        """
        channel = self._transport.channel(exchange_peer(self.anchors, Port.MEMBER))
        stream = AioStream(
            streaming.batches(permissions, batch),
            lambda some: streaming.prepare_message(self._identity, some, self._now()),
            in_flight,
        )
        async with aclosing(
            stream.answers(channel, streaming.METHOD, v1.RequestViewsResponse, seconds)
        ) as answered:
            async for sent, answer in answered:
                for view in await self._transport.run(
                    streaming.finish_message(sent, answer, self.book, self._now)
                ):
                    yield view

    async def report_outcomes(self, counts: v1.OutcomeCounts) -> bool:
        """Sign and hand in counts of outcomes; return whether they replace earlier ones. Repeating is safe."""
        return await self._transport.run(
            outcomes.report_outcomes(self._identity, self.book, counts)
        )


class AioWalletClient(AioWalletListings, AioWalletRights):
    """Acts for a subject, over the public ports."""

    def __init__(self, anchors: Anchors, clock: Clock | None = None) -> None:
        """Act in the federation of ``anchors``."""
        super().__init__(anchors, None, clock)

    async def bind(self, signer: Signer, identity_number: str, enrolment_code: str) -> v1.Envelope:
        """Have the registrar bind a key to a person; return the verified binding."""
        flow = wallet.bind(self.anchors, signer, identity_number, enrolment_code, self._now())
        return await self._transport.run(flow)

    async def grant(self, key: wallet.WalletKey, consent: v1.Envelope) -> v1.ConsentStatus:
        """Put a signed consent on record at the exchange."""
        return await self._transport.run(wallet.grant(key, self.book, consent, self._now))

    async def tell(
        self,
        key: wallet.WalletKey,
        event: v1.Envelope,
        consent: v1.Envelope,
        known: Mapping[str, Member] | None = None,
    ) -> events.EventReport:
        """Send an event to the exchange and to each provider of the consent; say who holds it."""
        return await self._transport.run(
            events.tell(key, self.book, event, consent, known or {}, self._now)
        )

    async def list_consents(self, key: wallet.WalletKey) -> list[wallet.HeldConsent]:
        """Return the subject's consents as the exchange holds them."""
        return await self._transport.run(wallet.list_consents(key, self.book, self._now))

    async def own_view(
        self,
        key: wallet.WalletKey,
        providers: Sequence[str] = (),
        *,
        seconds: float = DEFAULT_SECONDS,
    ) -> VerifiedOwnView:
        """Return the subject's own score, verified in full; of all licensed providers if none are named.

        The look is logged and counts in the exchange's daily limit; it moves no score.
        """
        flow = own_views.request_own_view(key, self.book, providers, self._now, seconds)
        return await self._transport.run(flow)

    async def list_accesses(
        self,
        key: wallet.WalletKey,
        kept: Kept | None = None,
        receipts: Iterable[v1.LogReceipt] = (),
    ) -> accesses.AccessList:
        """Return every entry of the log about the subject; raise ``HistoryBrokenError`` if one is missing."""
        flow = accesses.list_accesses(key, self.book, kept or Kept(), receipts, self._now)
        return await self._transport.run(flow)


class AioMemberClient(AioClient):
    """Lists the members; as a regulator, submits what the roots signed. As anyone with no identity."""

    async def submit_licence(self, licence: v1.Envelope) -> None:
        """Add or renew a licence. Repeating is safe."""
        await self._transport.run(members.submit_licence(self.anchors, licence))

    async def submit_status(self, status: v1.Envelope) -> None:
        """Suspend, reinstate or revoke a member. Repeating is safe."""
        await self._transport.run(members.submit_status(self.anchors, status))

    async def submit_calibration(self, calibration: v1.Envelope) -> None:
        """Hand in a calibration that exchange and roots signed. Repeating is safe."""
        await self._transport.run(members.submit_calibration(self.anchors, calibration))


class AioRegulatorClient(AioCaseClient):
    """What a regulator reads: aggregates, about no person; and one named person in a case. Each is logged."""

    async def read_drift(self, provider: str = "") -> v1.ReadDriftResponse:
        """Return how far scores and outcomes have moved since the calibration, of one provider or of all."""
        return await self._transport.run(drift.read_drift(self.book, provider))

    async def read_statistics(self, *, day: str = "", month: str = "") -> v1.ReadStatisticsResponse:
        """See ``RegulatorClient.read_statistics``."""
        flow = statistics.read_statistics(self.book, day=day, month=month)
        return await self._transport.run(flow)

    async def submit_order(self, order: orders.SignedOrder) -> v1.OrderStanding:
        """Hand an order to put a listing right in. Repeating the same bytes is safe."""
        return await self._transport.run(orders.submit_order(self.anchors, order))

    async def read_orders(self, order_ids: Sequence[bytes]) -> list[v1.OrderStanding]:
        """Return how the caller's own orders stand; ids of others', and unknown ones, are left out."""
        return await self._transport.run(orders.read_orders(self.anchors, order_ids))

    async def read_oversight(self) -> v1.ReadOversightResponse:
        """Return disputes and orders by furnisher, as of the last midnight."""
        return await self._transport.run(orders.read_oversight(self.anchors))


class AioOperatorClient(AioClient):
    """What a provider's, furnisher's or court's operator asks of the registrar."""

    async def evaluate(self, identities: Sequence[str]) -> list[bytes | None]:
        """Return the subject_ref of each identity number; None where one is no number."""
        return await self._transport.run(members.evaluate(self.anchors, list(identities)))


class AioReviewerClient(AioClient):
    """Shows a reviewer, an appeal body or the regulator its disputes, and hands in what it decides."""

    async def list_reviews(self) -> list[v1.ReviewSummary]:
        """Return the open disputes that the caller decides, the nearest deadline first."""
        return await self._transport.run(reviews.list_reviews(self.book))

    async def get_review(self, dispute_id: bytes) -> reviews.Review:
        """Return one dispute, with what its sources filed and the evidence sealed to the caller."""
        return await self._transport.run(reviews.get_review(self.book, dispute_id, self._now))

    async def submit_ruling(self, ruling: v1.Envelope) -> v1.ListingStanding:
        """Hand in a ruling. Repeating the same bytes is safe."""
        return await self._transport.run(reviews.submit_ruling(self.book, ruling))

    async def submit_event(self, event: v1.Envelope) -> v1.ListingStanding:
        """Open a review, take more time, or strike a listing out. Repeating the same bytes is safe."""
        return await self._transport.run(reviews.submit_event(self.book, event))
