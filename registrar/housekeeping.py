"""The mark below which the registrar's clock never falls."""

import threading
from datetime import datetime

import structlog
from sqlalchemy import Connection, func, insert, select, update

from concordat.clock import Clock, from_micros, to_micros
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from registrar.schema import binding, clock_mark

_log = structlog.get_logger("concordat.registrar")
EVERY_SECONDS = 5.0


def latest_time(connection: Connection) -> datetime:
    """Return the latest time on record: what ``Clock`` starts from."""
    marked = connection.execute(select(clock_mark.c.at)).scalar_one_or_none() or 0
    bound = connection.execute(select(func.max(binding.c.bound_at))).scalar_one() or 0
    return from_micros(max(marked, bound))


def mark_time(connection: Connection, now: datetime) -> None:
    """Put ``now`` on record, unless a later time is."""
    at = to_micros(now)
    known = connection.execute(select(clock_mark.c.at)).scalar_one_or_none()
    if known is None:
        connection.execute(insert(clock_mark).values(id=1, at=at))
    elif known < at:
        connection.execute(update(clock_mark).values(at=at))


def keep_time(store: GroupCommit, clock: Clock, stop: threading.Event) -> None:
    """Mark the time every few seconds until told to stop."""
    while not stop.is_set():
        try:
            store.run(lambda connection: mark_time(connection, clock.now()))
        except Refusal as refusal:  # the database may be away; try again
            _log.warning("housekeeping_failed", detail=refusal.detail)
        stop.wait(EVERY_SECONDS)
