"""The listings in force as this process has them in memory, kept current from the database.

At the start all are read; then, several times a second, what changed since the last revision seen. Whoever
answers from here has what is shown confirmed by the database in the transaction that records the answer
(``exchange.listings.told``), so that what is struck out is gone from every process at once.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import select, tuple_

from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.v1 import Reason
from exchange.listings import reading
from exchange.listings.index import Builder, Entry, ListingIndex, Removal
from exchange.listings.showing import ENTRY_COLUMNS, entry_of_row, is_fresh
from exchange.listings.table import listing
from exchange.repeating import repeat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from concordat.store.group_commit import GroupCommit
    from exchange.listings.index import Change
    from exchange.listings.profile import Profiles
    from exchange.listings.reading import Key

    Rows = Sequence[Row[*tuple[Any, ...]]]

_log = structlog.get_logger("concordat.listings")

EVERY_SECONDS = 0.25
STALE_AFTER_SECONDS = 1.0  # nothing is answered from a memory that is older
_AT_ONCE = 2000
_PAGE = 20_000


class Feeds:
    """Numbers for the courts whose registers must be fresh, and which are."""

    def __init__(self) -> None:
        """Know none."""
        self._numbers: dict[str, int] = {}
        self.synced: Mapping[str, datetime] = {}

    def number(self, court: str) -> int:
        """Return the number of a court's feed; 0 where there is no court."""
        return self._numbers.setdefault(court, len(self._numbers) + 1) if court else 0

    def live(self, at: datetime) -> frozenset[int]:
        """Return the numbers of the feeds that are fresh."""
        return frozenset(
            number
            for court, number in self._numbers.items()
            if is_fresh(self.synced.get(court), at)
        )


class ListingBook:
    """What this process answers lenders from."""

    def __init__(self, store: GroupCommit, profiles: Profiles) -> None:
        """Read from ``store``; call ``load`` before anything else."""
        self._store = store
        self._profiles = profiles
        self._feeds = Feeds()
        self._index = ListingIndex()
        self._revision = 0
        self._current_at = 0.0  # monotonic
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Return how many listings there are."""
        return len(self._index)

    def load(self) -> None:
        """Read all listings in force; takes some seconds a million."""
        began = time.monotonic()
        builder, after = Builder(), (b"", b"")
        self._revision, self._feeds.synced = self._store.run(
            lambda connection: (reading.revision(connection), reading.syncs(connection))
        )
        while True:
            start = after
            page = self._store.run(lambda connection: _shown_page(connection, start))  # noqa: B023
            builder.add_many(self._entry(row) for row in page)
            if len(page) < _PAGE:
                break
            after = page[-1].subject_ref, page[-1].listing_id
        self._index = builder.finish()
        self._current_at = began  # what changed since is taken in by the first ``refresh``
        seconds = round(time.monotonic() - began, 1)
        _log.info("listings_loaded", listings=len(self), seconds=seconds)

    def _entry(self, row: Row[*tuple[Any, ...]]) -> Entry:
        return entry_of_row(row, self._profiles[row.profile], self._feeds.number(row.court))

    # Looking up -----------------------------------------------------------------------------------

    def require_current(self) -> None:
        """Raise ``Refusal`` (REASON_LISTINGS_STALE) where the memory is older than a second."""
        age = time.monotonic() - self._current_at
        if age > STALE_AFTER_SECONDS:
            raise Refusal(Reason.REASON_LISTINGS_STALE, f"{age:.1f} s old")

    def shown(self, refs: Sequence[bytes], at: datetime) -> dict[int, list[Entry]]:
        """Return, by place among ``refs``, the listings that a lender sees now; none where there are none."""
        now, live = to_micros(at), self._feeds.live(at)
        if len(refs) == 1:
            found = self._index.lookup(refs[0], now, live)
            return {0: found} if found else {}
        return self._index.lookup_packed(b"".join(refs), now, live)

    # Keeping current ------------------------------------------------------------------------------

    def nudge(self) -> None:
        """Look for changes at once: one was made here."""
        self._wake.set()

    async def follow(self) -> None:
        """Take changes in until cancelled; answers stop where that fails."""
        await repeat("book", EVERY_SECONDS, self.refresh, self._wake)

    async def refresh(self) -> None:
        """Take in what changed since the last time."""
        while True:
            since = self._revision
            began, synced, (changed, revision) = await self._store.arun(
                lambda connection: (
                    time.monotonic(),  # when it is read, which it may have waited for
                    reading.syncs(connection),
                    _changed_since(connection, since),  # noqa: B023
                )
            )
            self._feeds.synced = synced
            if changed:
                self._index.replace([self._change(row) for row in changed])
                self._revision = revision
            if len(changed) < _AT_ONCE:
                self._current_at = began
                return

    def _change(self, row: Row[*tuple[Any, ...]]) -> Change:
        return self._entry(row) if row.mark else Removal(row.subject_ref, row.listing_id)


def _shown_page(connection: Connection, after: Key) -> Rows:
    """Return the next listings that have a mark, in the order of their keys."""
    query = (
        select(*ENTRY_COLUMNS)
        .where(listing.c.mark > 0, tuple_(listing.c.subject_ref, listing.c.listing_id) > after)
        .order_by(listing.c.subject_ref, listing.c.listing_id)
        .limit(_PAGE)
    )
    return connection.execute(query).all()


def _changed_since(connection: Connection, revision: int) -> tuple[Rows, int]:
    """Return the next listings that changed after a revision, and up to which: about 2,000 listings.

    One revision may touch more listings than a page: it is never cut.
    """
    changed = select(*ENTRY_COLUMNS, listing.c.revision)
    query = (
        changed.where(listing.c.revision > revision).order_by(listing.c.revision).limit(_AT_ONCE)
    )
    rows = connection.execute(query).all()
    if not rows:
        return [], revision
    last = rows[-1].revision
    if len(rows) == _AT_ONCE:
        before = [row for row in rows if row.revision < last]
        whole = connection.execute(changed.where(listing.c.revision == last)).all()
        rows = [*before, *whole]
    return rows, last
