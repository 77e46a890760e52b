"""SupervisionService: translates; lenders tell counts, the regulator reads aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.rpc.admission import current_call
from concordat.v1 import SupervisionKind
from concordat.v1.supervision_service_pb2_grpc import SupervisionServiceServicer
from concordat.verify.outcome_counts import open_outcome_counts
from exchange.drift.outcomes import take_outcomes
from exchange.drift.report import drift_of
from exchange.log import records
from exchange.log import table as log

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.federation.anchors import Anchors
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from exchange.drift.watch import DriftWatch, Found


class SupervisionServicer(SupervisionServiceServicer):
    """Answers lenders and the regulator on the member port."""

    def __init__(self, anchors: Anchors, store: GroupCommit, watch: DriftWatch) -> None:
        """Keep counts in ``store``, and judge them as ``watch`` does."""
        self._anchors = anchors
        self._store = store
        self._watch = watch

    async def ReportOutcomeCounts(
        self, request: v1.ReportOutcomeCountsRequest, context: Context
    ) -> v1.ReportOutcomeCountsResponse:
        """Take in the caller's own counts."""
        del context
        call = current_call()
        counts = open_outcome_counts(request.counts, call.member, self._anchors, call.at)
        replaced = await self._store.arun(
            lambda connection: take_outcomes(
                connection, self._watch, counts, request.counts, call.at
            )
        )
        return v1.ReportOutcomeCountsResponse(replaced=replaced)

    async def ReadDrift(
        self, request: v1.ReadDriftRequest, context: Context
    ) -> v1.ReadDriftResponse:
        """Show drift, once the reading is on record."""
        del context
        call = current_call()
        regulator, provider, at = call.member.member_id, request.provider, call.at
        found = await self._store.arun(
            lambda connection: self._read(connection, regulator, provider, at)
        )
        settings = self._watch.settings
        return v1.ReadDriftResponse(
            read_at=to_timestamp(at),
            providers=[drift_of(each, settings) for each in found],
            smallest_cell=settings.smallest_cell,
            least_subjects=settings.least_subjects,
        )

    def _read(
        self, connection: Connection, regulator: str, provider: str, at: datetime
    ) -> list[Found]:
        kind = SupervisionKind.SUPERVISION_KIND_DRIFT
        log.enqueue(connection, [records.supervision(regulator, kind, provider, at)])
        found = self._watch.find(connection, at)
        return [each for each in found if provider in ("", each.provider)]
