"""What lenders tell of outcomes, and what the regulator reads of drift: each in one transaction with its entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import SupervisionKind
from concordat.verify.outcome_counts import open_outcome_counts
from exchange.drift.outcomes import take_outcomes
from exchange.drift.report import drift_of
from exchange.log import records
from exchange.log import table as log

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.federation.anchors import Anchors
    from concordat.rpc.admission import Call
    from concordat.store.group_commit import GroupCommit
    from exchange.drift.watch import DriftWatch, Found


class DriftDesk:
    """Takes counts in, and tells of drift."""

    def __init__(self, anchors: Anchors, store: GroupCommit, watch: DriftWatch) -> None:
        """Keep counts in ``store``, and judge them as ``watch`` does."""
        self._anchors = anchors
        self._store = store
        self._watch = watch

    async def take(self, counts: v1.Envelope, call: Call) -> bool:
        """Take in the caller's own counts; return whether they replace earlier ones. Raises ``Refusal``."""
        opened = open_outcome_counts(counts, call.member, self._anchors, call.at)
        return await self._store.arun(
            lambda connection: take_outcomes(connection, self._watch, opened, counts, call.at)
        )

    async def read(self, provider: str, call: Call) -> v1.ReadDriftResponse:
        """Show drift of one provider, or with "" of all, once the reading is on record."""
        regulator, at = call.member.member_id, call.at
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
