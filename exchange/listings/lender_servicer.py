"""ListingService: translates between gRPC and the desks that answer lenders."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.rpc.deadline import MAX_SECONDS
from concordat.rpc.errors import to_item
from concordat.v1.listing_service_pb2_grpc import ListingServiceServicer
from concordat.verify.listing_statements import open_acknowledgement
from exchange.listings import recall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from concordat.federation.anchors import Anchors
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from exchange.listings.check_listings import CheckDesk
    from exchange.listings.screen_listings import ScreenDesk

    _Pending = asyncio.Queue[asyncio.Future[v1.ScreenListingsResponse] | None]

STREAM_WINDOW = 4  # messages of one stream worked on at once


class ListingServicer(ListingServiceServicer):
    """Answers lenders on the member port."""

    def __init__(
        self, anchors: Anchors, store: GroupCommit, checks: CheckDesk, screens: ScreenDesk
    ) -> None:
        """Answer through the two desks; keep acknowledgements in ``store``."""
        self._anchors = anchors
        self._store = store
        self._checks = checks
        self._screens = screens

    async def CheckListings(
        self, request: v1.CheckListingsRequest, context: Context
    ) -> v1.CheckListingsResponse:
        """Answer for one subject."""
        del context
        call = current_call()
        left = MAX_SECONDS if call.seconds_left is None else min(call.seconds_left, MAX_SECONDS)
        return await self._checks.answer(request.ask, call.member, call.at, left)

    async def ScreenListings(
        self, request_iterator: AsyncIterator[v1.ScreenListingsRequest], context: Context
    ) -> AsyncIterator[v1.ScreenListingsResponse]:
        """Answer a stream of many, message by message."""
        del context
        pending: _Pending = asyncio.Queue(maxsize=STREAM_WINDOW - 1)
        reader = asyncio.create_task(self._read(request_iterator, pending))
        try:
            while (answer := await pending.get()) is not None:
                yield await answer
        finally:
            reader.cancel()

    async def _read(
        self, requests: AsyncIterator[v1.ScreenListingsRequest], pending: _Pending
    ) -> None:
        """Start work on each message as it comes; what ends the stream early is raised after the answers."""
        try:
            async for message in requests:
                await pending.put(asyncio.ensure_future(self._screen(message)))
        except Exception as error:  # noqa: BLE001 - handed on, to be raised where it is answered
            failed: asyncio.Future[v1.ScreenListingsResponse] = asyncio.Future()
            failed.set_exception(error)
            await pending.put(failed)
        await pending.put(None)

    async def _screen(self, message: v1.ScreenListingsRequest) -> v1.ScreenListingsResponse:
        try:
            answer = await self._screens.answer(message.request, current_call().member)
        except Refusal as refusal:
            return v1.ScreenListingsResponse(refusal=to_item(refusal))
        return v1.ScreenListingsResponse(answer=answer)

    async def ListRetractions(
        self, request: v1.ListRetractionsRequest, context: Context
    ) -> v1.ListRetractionsResponse:
        """Show what the caller has to acknowledge."""
        del context
        lender = current_call().member.member_id
        found = await self._store.arun(
            lambda connection: recall.open_retractions(connection, lender, request.most)
        )
        return v1.ListRetractionsResponse(retractions=found)

    async def AcknowledgeRetraction(
        self, request: v1.AcknowledgeRetractionRequest, context: Context
    ) -> v1.AcknowledgeRetractionResponse:
        """Keep the caller's acknowledgement."""
        del context
        call = current_call()
        envelope = request.acknowledgement
        said = open_acknowledgement(envelope, call.member, self._anchors, call.at)
        await self._store.arun(
            lambda connection: recall.acknowledge(connection, said, envelope, call.at)
        )
        return v1.AcknowledgeRetractionResponse()
