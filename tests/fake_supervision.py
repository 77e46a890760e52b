"""An exchange that takes lenders' counts in and tells of drift, over real gRPC, for tests of clients."""

from datetime import UTC, datetime
from typing import Any

import grpc

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.errors import to_status
from concordat.v1.supervision_service_pb2_grpc import add_SupervisionServiceServicer_to_server
from concordat.verify.outcome_counts import open_outcome_counts
from tests.builders import EXCHANGE, LENDER, PROVIDERS
from tests.fake_federation import FakeFederation


class Supervised(FakeFederation):
    """With an exchange that takes counts in and tells of drift."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.reported: list[v1.OutcomeCounts] = []
        self.drift = v1.ReadDriftResponse()
        self.refusal: Refusal | None = None
        self.statistics: dict[str, list[v1.Statistics]] = {}  # by period
        self.read: list[str] = []

    def add_services(self, server: grpc.Server, member_id: str) -> None:
        if member_id == EXCHANGE:
            servicer: Any = _Supervision(self)
            add_SupervisionServiceServicer_to_server(servicer, server)


class _Supervision:
    def __init__(self, fake: Supervised) -> None:
        self.fake = fake

    def ReportOutcomeCounts(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        fed = self.fake.federation
        if self.fake.refusal is not None:
            context.abort_with_status(to_status(self.fake.refusal, "test-request"))
        counts = open_outcome_counts(
            request.counts, fed.member(LENDER), fed.anchors, datetime.now(UTC)
        )
        self.fake.reported.append(counts.message)
        return v1.ReportOutcomeCountsResponse(replaced=len(self.fake.reported) > len(PROVIDERS))

    def ReadStatistics(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        if self.fake.refusal is not None:
            context.abort_with_status(to_status(self.fake.refusal, "test-request"))
        period = request.month or request.day
        self.fake.read.append(period)
        return v1.ReadStatisticsResponse(
            read_at=to_timestamp(datetime.now(UTC)), tables=self.fake.statistics.get(period, [])
        )

    def ReadDrift(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        del context
        answer = v1.ReadDriftResponse()
        answer.CopyFrom(self.fake.drift)
        if request.provider:
            del answer.providers[:]
            answer.providers.extend(
                each for each in self.fake.drift.providers if each.provider == request.provider
            )
        return answer
