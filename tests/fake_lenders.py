"""An exchange that takes outcomes in and tells of changes, over real gRPC, for tests of clients."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import grpc

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item, to_status
from concordat.v1 import Reason
from concordat.v1.lender_service_pb2_grpc import add_LenderServiceServicer_to_server
from concordat.verify.outcome_events import is_unreviewed, open_outcome_event
from tests.builders import EXCHANGE, LENDER
from tests.fake_federation import FakeFederation


class Watched(FakeFederation):
    """With an exchange that knows the accesses in ``known``, and tells ``changes``."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.known: set[bytes] = set()
        self.reported: list[v1.OutcomeEvent] = []
        self.due: list[v1.OutcomeDue] = []
        self.changes: list[v1.LenderChange] = []
        self.refusal: Refusal | None = None

    def add_services(self, server: grpc.Server, member_id: str) -> None:
        if member_id == EXCHANGE:
            servicer: Any = _Lenders(self)
            add_LenderServiceServicer_to_server(servicer, server)

    def change(self, kind: v1.LenderChangeKind.ValueType, consent_id: bytes = bytes(16)) -> None:
        """Have something to tell."""
        self.changes.append(
            v1.LenderChange(
                cursor=len(self.changes) + 2,
                kind=kind,
                subject_ref=bytes(32),
                consent_id=consent_id,
                at=to_timestamp(self.at),
            )
        )


class _Lenders:
    def __init__(self, fake: Watched) -> None:
        self.fake = fake

    def ReportOutcomes(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        del context
        return v1.ReportOutcomesResponse(results=map(self._take, request.events))

    def _take(self, envelope: v1.Envelope) -> v1.OutcomeResult:
        fed = self.fake.federation
        event = open_outcome_event(
            envelope, fed.member(LENDER), fed.anchors, self.fake.clock.now()
        ).message
        if event.access_id not in self.fake.known:
            return v1.OutcomeResult(refusal=to_item(Refusal(Reason.REASON_ACCESS_UNKNOWN)))
        self.fake.reported.append(event)
        return v1.OutcomeResult(taken=v1.OutcomeTaken(unreviewed=is_unreviewed(event)))

    def ListOutcomesDue(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        del context
        place = int.from_bytes(request.after)
        more = place + 1 < len(self.fake.due)
        return v1.ListOutcomesDueResponse(
            due=self.fake.due[place : place + 1],
            next=(place + 1).to_bytes(1) if more else b"",
        )

    def WatchChanges(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the rpc's name
        if self.fake.refusal is not None:
            context.abort_with_status(to_status(self.fake.refusal, "test-request"))
        now, latest = to_timestamp(self.fake.at), len(self.fake.changes) + 1
        fresh = [each for each in self.fake.changes if each.cursor > request.cursor]
        if fresh:
            yield v1.WatchChangesResponse(changes=fresh, cursor=latest, sent_at=now)
        yield v1.WatchChangesResponse(cursor=latest, sent_at=now)
