"""Statistics are made soon after midnight (UTC), so that nothing which is erased later changes them."""

import asyncio
from functools import partial

import structlog

from concordat.clock import Clock
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.metrics import TASK_FAILURES
from exchange.supervision.statistics.office import StatisticsOffice

_log = structlog.get_logger("concordat.statistics")
EVERY_SECONDS = 60.0


async def keep_statistics(store: GroupCommit, clock: Clock, office: StatisticsOffice) -> None:
    """Make what is over every minute, until cancelled."""
    while True:
        at = clock.now()
        try:
            await store.arun(partial(office.keep_up, at=at))
            office.kept_up(at)
        except Exception as error:  # noqa: BLE001 - the database may be away; try again
            TASK_FAILURES.add("statistics")
            _log.warning("statistics_not_made", error=type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)
