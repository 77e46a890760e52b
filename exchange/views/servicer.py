"""ViewService: translates between gRPC and the view desk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.rpc.deadline import MAX_SECONDS
from concordat.rpc.errors import to_item
from concordat.telemetry import streams, traces
from concordat.v1.view_service_pb2_grpc import ViewServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from opentelemetry.trace import Link, Span

    from concordat.rpc.aio_server import Context
    from exchange.views.request_view import ViewDesk

    _Pending = asyncio.Queue[asyncio.Future[v1.RequestViewsResponse] | None]

# Messages of one stream worked on at once.
STREAM_WINDOW = 4


class ViewServicer(ViewServiceServicer):
    """Answers lenders on the member port."""

    def __init__(self, desk: ViewDesk) -> None:
        """Answer through ``desk``."""
        self._desk = desk

    async def RequestView(
        self, request: v1.RequestViewRequest, context: Context
    ) -> v1.RequestViewResponse:
        """Answer one request."""
        del context
        (result,) = await self._answer([request])
        if isinstance(result, Refusal):
            raise result
        return result

    async def RequestViews(
        self, request_iterator: AsyncIterator[v1.RequestViewsRequest], context: Context
    ) -> AsyncIterator[v1.RequestViewsResponse]:
        """Answer a stream of many, message by message."""
        caller = streams.links_to_caller(lambda: dict(context.invocation_metadata() or ()))
        pending: _Pending = asyncio.Queue(maxsize=STREAM_WINDOW - 1)
        reader = asyncio.create_task(self._read(request_iterator, pending, caller))
        try:
            while (answer := await pending.get()) is not None:
                yield await answer
        finally:
            reader.cancel()

    async def _read(
        self,
        requests: AsyncIterator[v1.RequestViewsRequest],
        pending: _Pending,
        caller: Sequence[Link],
    ) -> None:
        """Start work on each message as it comes; the queue's bound holds the stream back.

        What ends the stream early (a message that breaks its bounds, a suspended lender) is raised after
        the answers to all that came before it.
        """
        try:
            async for message in requests:
                await pending.put(asyncio.ensure_future(self._answer_message(message, caller)))
        except Exception as error:  # noqa: BLE001 - handed on, to be raised where it is answered
            failed: asyncio.Future[v1.RequestViewsResponse] = asyncio.Future()
            failed.set_exception(error)
            await pending.put(failed)
        await pending.put(None)

    async def _answer_message(
        self, message: v1.RequestViewsRequest, caller: Sequence[Link]
    ) -> v1.RequestViewsResponse:
        asks = list(message.asks)
        with streams.answering_views("ViewService/RequestViews", len(asks), caller) as spans:
            results = await self._answer(asks, spans)
            for span, result in zip(spans or (), results, strict=False):
                if isinstance(result, Refusal):
                    traces.failed(span, result)
        return v1.RequestViewsResponse(
            results=[
                v1.ViewResult(refusal=to_item(result))
                if isinstance(result, Refusal)
                else v1.ViewResult(view=result)
                for result in results
            ]
        )

    async def _answer(
        self, asks: list[v1.RequestViewRequest], spans: Sequence[Span] | None = None
    ) -> list[v1.RequestViewResponse | Refusal]:
        call = current_call()
        left = MAX_SECONDS if call.seconds_left is None else call.seconds_left
        return await self._desk.answer(asks, call.member, call.at, min(left, MAX_SECONDS), spans)
