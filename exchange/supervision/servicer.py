"""SupervisionService: translates; lenders tell counts, the regulator reads aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.rpc.admission import current_call
from concordat.v1 import SupervisionKind
from concordat.v1.supervision_service_pb2_grpc import SupervisionServiceServicer
from exchange.drift.desk import DriftDesk
from exchange.log import records
from exchange.log import table as log
from exchange.supervision.statistics.periods import Period

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.federation.anchors import Anchors
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from exchange.drift.watch import DriftWatch
    from exchange.supervision.statistics.office import StatisticsOffice


class SupervisionServicer(SupervisionServiceServicer):
    """Answers lenders and the regulator on the member port."""

    def __init__(
        self, anchors: Anchors, store: GroupCommit, watch: DriftWatch, office: StatisticsOffice
    ) -> None:
        """Keep counts in ``store``, judge them as ``watch`` does, tell the statistics that ``office`` makes."""
        self._drift = DriftDesk(anchors, store, watch)
        self._store = store
        self._office = office

    async def ReportOutcomeCounts(
        self, request: v1.ReportOutcomeCountsRequest, context: Context
    ) -> v1.ReportOutcomeCountsResponse:
        """Take in the caller's own counts."""
        del context
        replaced = await self._drift.take(request.counts, current_call())
        return v1.ReportOutcomeCountsResponse(replaced=replaced)

    async def ReadDrift(
        self, request: v1.ReadDriftRequest, context: Context
    ) -> v1.ReadDriftResponse:
        """Show drift, once the reading is on record."""
        del context
        return await self._drift.read(request.provider, current_call())

    async def ReadStatistics(
        self, request: v1.ReadStatisticsRequest, context: Context
    ) -> v1.ReadStatisticsResponse:
        """Show the tables of a day or month, once the reading is on record."""
        del context
        call = current_call()
        period = Period.month(request.month) if request.month else Period.day(request.day)
        regulator, at = call.member.member_id, call.at
        tables = await self._store.arun(
            lambda connection: self._read(connection, regulator, period, at)
        )
        return v1.ReadStatisticsResponse(read_at=to_timestamp(at), tables=tables)

    def _read(
        self, connection: Connection, regulator: str, period: Period, at: datetime
    ) -> list[v1.Statistics]:
        tables = self._office.read(connection, period, at)
        kind = SupervisionKind.SUPERVISION_KIND_STATISTICS
        log.enqueue(connection, [records.supervision(regulator, kind, "", at)])
        return tables
