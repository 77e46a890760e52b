"""A lender's look at listings, over the member port: the asyncio calls."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from clients.sdk import listing_checks, retractions, screening, views
from clients.sdk.aio_client_base import AioClient
from clients.sdk.aio_stream import AioStream
from clients.sdk.flow import DEFAULT_SECONDS, Port, exchange_peer
from clients.sdk.identity import MemberIdentity
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.trust.envelope import Verified


class AioLenderListings(AioClient):
    """Checks, screens, and heeds what is recalled; every answer verified in full."""

    def __init__(
        self, anchors: Anchors, identity: MemberIdentity, clock: Clock | None = None
    ) -> None:
        """Ask as ``identity``."""
        super().__init__(anchors, identity, clock)
        self._identity = identity

    async def check_listings(
        self, permission: views.Permission, *, seconds: float = DEFAULT_SECONDS
    ) -> listing_checks.ListingCheck:
        """Return one subject's listings in force and flags, as its consent allows.

        Raises ``RemoteError`` (refused, or not reachable) or ``AnswerNotVerified``.
        """
        flow = listing_checks.check_listings(
            self._identity, self.book, permission, self._now, seconds
        )
        return await self._transport.run(flow)

    async def screen_listings(
        self,
        subjects: Iterable[screening.Screened],
        purpose: v1.Purpose.ValueType = v1.Purpose.PURPOSE_ACCOUNT_REVIEW,
        *,
        batch: int = screening.BATCH,
        in_flight: int = screening.IN_FLIGHT,
        seconds: float = screening.STREAM_SECONDS,
    ) -> AsyncGenerator[screening.ScreenedBatch, None]:
        """Yield what becomes of each message of up to ``batch`` subjects, in order.

        A subject who comes twice begins a new message. ``seconds`` is for the whole stream. Leave it
        early only under ``contextlib.aclosing``, as any asynchronous generator.
        """
        channel = self._transport.channel(exchange_peer(self.anchors, Port.MEMBER))
        federation = self.anchors.federation
        stream = AioStream(
            screening.batches(subjects, batch),
            lambda some: screening.prepare_screening(
                self._identity, federation, purpose, some, self._now()
            ),
            in_flight,
        )
        async with aclosing(
            stream.answers(channel, screening.METHOD, v1.ScreenListingsResponse, seconds)
        ) as answered:
            async for sent, answer in answered:
                yield await self._transport.run(
                    screening.finish_screening(sent, answer, self.book, self._now)
                )

    async def list_retractions(self) -> list[Verified[v1.Retraction]]:
        """Return what the exchange recalls and this lender has not acknowledged, oldest first; up to 200."""
        return await self._transport.run(
            retractions.list_retractions(self._identity, self.book, self._now)
        )

    async def acknowledge_retraction(self, retraction: Verified[v1.Retraction]) -> None:
        """Say that what was recalled is deleted or corrected in this house. Repeating is safe."""
        await self._transport.run(
            retractions.acknowledge_retraction(self._identity, self.book, retraction, self._now)
        )
