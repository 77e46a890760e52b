"""What the exchange does on a timer: expiry, and the mark below which its clock never falls."""

from datetime import datetime

import structlog
from sqlalchemy import Connection, insert, select, update

from concordat.clock import Clock, from_micros, to_micros
from concordat.store.group_commit import GroupCommit
from concordat.v1 import DriftCause, DriftLevel
from exchange.consents import table as consents
from exchange.drift.watch import DriftWatch
from exchange.lenders import duties, monitoring
from exchange.limits.gate import Gate
from exchange.log.erasure import KEEP_DAYS, erase_expired
from exchange.repeating import repeat
from exchange.schema import clock_mark
from exchange.subjects import own_look_table, report_table
from exchange.subjects.erasure_rules import KEEP_LOOKS
from exchange.supervision import bounds
from exchange.supervision.cases.look_up import forget_look_ups
from exchange.views import table as views

_log = structlog.get_logger("concordat.housekeeping")
EVERY_SECONDS = 5.0
EVERY_MINUTE = 60.0


def latest_time(connection: Connection) -> datetime:
    """Return the latest time on record: what ``Clock`` starts from."""
    marked = connection.execute(select(clock_mark.c.at)).scalar_one_or_none() or 0
    return from_micros(max(marked, views.latest_time(connection)))


def tidy(connection: Connection, now: datetime, keep_days: int = KEEP_DAYS) -> None:
    """Expire consents whose time is over, erase what is older than ``keep_days``, and mark the time."""
    consents.expire(connection, to_micros(now))
    consents.forget_erased(connection, to_micros(now))
    own_look_table.forget(connection, now - KEEP_LOOKS)
    forget_look_ups(connection, now)
    bounds.forget(connection, now)
    report_table.forget(connection, now - KEEP_LOOKS)
    erase_expired(connection, now, keep_days)
    duties.forget(connection, now, keep_days)
    monitoring.run_due(connection, now)
    monitoring.forget(connection, now)
    at = to_micros(now)
    marked = connection.execute(select(clock_mark.c.at)).scalar_one_or_none()
    if marked is None:
        connection.execute(insert(clock_mark).values(id=1, at=at))
    elif marked < at:
        connection.execute(update(clock_mark).values(at=at))


async def watch_lenders(store: GroupCommit, clock: Clock, gate: Gate) -> None:
    """Look every minute at what each lender does, and limit it accordingly, until cancelled."""

    async def look() -> None:
        for each in await store.arun(lambda connection: gate.evaluate(connection, clock.now())):
            _log.warning(
                "lender_limited",
                lender=each.lender,
                level=each.after.level.name,
                signals=sorted(signal.value for signal in each.after.signals),
            )

    await repeat("lenders", EVERY_MINUTE, look)


async def watch_drift(store: GroupCommit, clock: Clock, watch: DriftWatch) -> None:
    """Look every minute at how far providers have moved since the calibration, until cancelled."""

    async def look() -> None:
        for each in await store.arun(lambda connection: watch.evaluate(connection, clock.now())):
            finding = each.found.finding
            _log.warning(
                "provider_drifted",
                provider=each.found.provider,
                calibration=each.found.version,
                level=DriftLevel.Name(finding.level),
                causes=[DriftCause.Name(cause) for cause in finding.causes],
            )

    await repeat("drift", EVERY_MINUTE, look)


async def keep_house(store: GroupCommit, clock: Clock, keep_days: int) -> None:
    """Tidy every few seconds until cancelled."""

    async def tidy_up() -> None:
        await store.arun(lambda connection: tidy(connection, clock.now(), keep_days))

    await repeat("tidy", EVERY_SECONDS, tidy_up)
