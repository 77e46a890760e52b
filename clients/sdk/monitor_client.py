"""A lender's duties and subscriptions, over the member port: the synchronous calls."""

from collections.abc import Iterable, Iterator
from typing import Any

import grpc

from clients.sdk import outcome_events, views
from clients.sdk.flow import DEFAULT_SECONDS, Port, exchange_peer
from clients.sdk.lender_listings import LenderListings
from clients.sdk.outcome_events import Decision, OutcomeReport
from concordat import v1
from concordat.rpc.errors import from_rpc_error

MOST_DUE = 10_000
WATCH = "/concordat.v1.LenderService/WatchChanges"


class LenderDuties(LenderListings):
    """Tells what came of accesses, and hears of changes."""

    def report_outcome_events(self, decisions: Iterable[Decision]) -> list[OutcomeReport]:
        """Sign decisions and hand them in; return what became of each, in order. Repeating is safe.

        Raises ``StatementMalformedError``, before anything is sent, and ``RemoteError``.
        """
        flow = outcome_events.report_outcome_events(self._identity, self.book, decisions)
        return self._transport.run(flow)

    def outcomes_due(self, most: int = MOST_DUE) -> list[v1.OutcomeDue]:
        """Return own accesses of 20 days ago and more whose outcome was not told, the oldest first."""
        return self._transport.run(outcome_events.outcomes_due(self.book, most))

    def watch_changes(self, cursor: int = 0) -> Iterator[v1.WatchChangesResponse]:
        """Yield what changed after a cursor, and from then on every change, until the stream is lost.

        One without changes is a heartbeat. Raises ``RemoteError``, with REASON_CURSOR_UNKNOWN where changes were
        missed; begin anew with 0 then. ``Monitor`` keeps the cursor.
        """
        channel = self._transport.channel(exchange_peer(self.anchors, Port.MEMBER))
        start: Any = channel.unary_stream(
            WATCH,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=v1.WatchChangesResponse.FromString,
        )
        call = start(v1.WatchChangesRequest(cursor=cursor))
        try:
            yield from call
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()

    def prepare_view(self, permission: views.Permission) -> v1.RequestViewRequest:
        """Return a signed request for one view, to be sent within a minute: the same bytes count one use."""
        (ask,) = views.prepare_asks(self._identity, [permission], self._now())
        return ask

    def send_view(
        self, ask: v1.RequestViewRequest, *, seconds: float = DEFAULT_SECONDS
    ) -> views.LenderView:
        """Send a prepared request, for the first time or again; return the view, verified in full.

        Raises ``RemoteError`` (refused, or not reachable) or ``AnswerNotVerified``.
        """
        return self._transport.run(views.send_view(self.book, ask, self._now, seconds))
