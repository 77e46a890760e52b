"""A lender's duties and subscriptions, over the member port: the asyncio calls."""

from collections.abc import AsyncGenerator, Iterable
from typing import Any

import grpc.aio

from clients.sdk import outcome_events
from clients.sdk.aio_lender_listings import AioLenderListings
from clients.sdk.flow import Port, exchange_peer
from clients.sdk.monitor_client import MOST_DUE, WATCH
from clients.sdk.outcome_events import Decision, OutcomeReport
from concordat import v1
from concordat.rpc.errors import from_rpc_error


class AioLenderDuties(AioLenderListings):
    """Tells what came of accesses, and hears of changes."""

    async def report_outcome_events(self, decisions: Iterable[Decision]) -> list[OutcomeReport]:
        """Sign decisions and hand them in; return what became of each, in order. Repeating is safe.

        Raises ``StatementMalformedError``, before anything is sent, and ``RemoteError``.
        """
        flow = outcome_events.report_outcome_events(self._identity, self.book, decisions)
        return await self._transport.run(flow)

    async def outcomes_due(self, most: int = MOST_DUE) -> list[v1.OutcomeDue]:
        """Return own accesses of 20 days ago and more whose outcome was not told, the oldest first."""
        return await self._transport.run(outcome_events.outcomes_due(self.book, most))

    async def watch_changes(self, cursor: int = 0) -> AsyncGenerator[v1.WatchChangesResponse, None]:
        """Yield what changed after a cursor, and from then on every change, until the stream is lost.

        As ``LenderClient.watch_changes``. Leave it early only under ``contextlib.aclosing``.
        """
        channel = self._transport.channel(exchange_peer(self.anchors, Port.MEMBER))
        start: Any = channel.unary_stream(
            WATCH,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=v1.WatchChangesResponse.FromString,
        )
        call = start(v1.WatchChangesRequest(cursor=cursor))
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()
