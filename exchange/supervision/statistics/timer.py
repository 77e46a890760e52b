"""Statistics are made soon after midnight (UTC), so that nothing which is erased later changes them."""

from functools import partial

from concordat.clock import Clock
from concordat.store.group_commit import GroupCommit
from exchange.repeating import repeat
from exchange.supervision.statistics.office import StatisticsOffice

EVERY_SECONDS = 60.0


async def keep_statistics(store: GroupCommit, clock: Clock, office: StatisticsOffice) -> None:
    """Make what is over every minute, until cancelled."""

    async def keep_up() -> None:
        at = clock.now()
        await store.arun(partial(office.keep_up, at=at))
        office.kept_up(at)

    await repeat("statistics", EVERY_SECONDS, keep_up)
