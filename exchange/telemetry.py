"""What the exchange reads for each scrape of its metrics; what its services do they count themselves."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from concordat.clock import to_micros
from concordat.telemetry import metrics
from concordat.telemetry.labels import state_name
from concordat.telemetry.licences import read_licences
from concordat.v1 import ListingState
from exchange.listings.table import listing, listing_told
from exchange.log.table import log_queue
from exchange.supervision.statistics.listings import shown_wrongly

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.clock import Clock
    from concordat.store.group_commit import GroupCommit
    from exchange.log.book import LogBook
    from exchange.services import Parts

COUNT_EVERY = timedelta(minutes=5)
"""Between two counts of all listings: it reads the whole of an index, on the thread that commits."""

_queue = select(func.count()).select_from(log_queue)
_by_state = select(listing.c.state, func.count()).group_by(listing.c.state)


class Readings:
    """Reads an exchange that serves, in the scraper's thread."""

    def __init__(self, parts: Parts) -> None:
        """Read ``parts``."""
        self._parts = parts
        self._counts = ListingCounts(parts.store, parts.clock)

    def __call__(self) -> None:
        """Set every gauge, those in memory first; raises ``Refusal`` where the database is away."""
        read_licences(self._parts.directory, self._parts.clock.now())
        read_log(self._parts.book, self._parts.clock.now())
        metrics.LISTINGS_SHOWN.set(len(self._parts.listings.book))
        metrics.LOG_QUEUE.set(self._parts.store.run(_waiting))
        self._counts.read()


def read_log(book: LogBook, at: datetime) -> None:
    """Set the gauges of the log."""
    since = book.unwitnessed_since
    unwitnessed = timedelta(0) if since is None else max(at - since, timedelta(0))
    metrics.LOG_ENTRIES.set(book.entries)
    metrics.LOG_AGE.set(book.checkpoint_age)
    metrics.LOG_FAILED.set(book.failure is not None)
    metrics.LOG_LEADS.set(book.leads)
    metrics.LOG_QUORUM.set(book.quorum)
    metrics.LOG_UNWITNESSED.set(unwitnessed.total_seconds())


class ListingCounts:
    """Counts listings, seldom."""

    def __init__(self, store: GroupCommit, clock: Clock) -> None:
        """Count those of ``store``."""
        self._store = store
        self._clock = clock
        self._next = 0.0

    def read(self) -> None:
        """Count, if it is time."""
        if time.monotonic() < self._next:
            return
        now = self._clock.now()
        counts, wrong = self._store.run(lambda c: (_states(c), _wrong(c, now)))
        for state in ListingState.values():
            if state:
                metrics.LISTINGS.set(counts.get(state, 0), state_name(state))
        metrics.EXPIRED_VISIBLE.set(wrong)
        self._next = time.monotonic() + COUNT_EVERY.total_seconds()


def _waiting(connection: Connection) -> int:
    return int(connection.execute(_queue).scalar_one())


def _states(connection: Connection) -> dict[int, int]:
    return {int(state): int(count) for state, count in connection.execute(_by_state)}


def _wrong(connection: Connection, now: datetime) -> int:
    """Return how many listings were shown wrongly since the last count, and in as long a time before."""
    lately = listing_told.c.told_at >= to_micros(now - 2 * COUNT_EVERY)
    return int(connection.execute(shown_wrongly(lately)).one().bad or 0)
