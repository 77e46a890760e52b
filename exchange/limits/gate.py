"""The gate that every ask of a lender passes, and what is noted of what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from concordat.clock import to_micros
from concordat.ids import new_id
from concordat.refusal import Refusal
from exchange.lenders.duties import missing_lately
from exchange.limits import limit_table, use_table
from exchange.limits.admission import decide
from exchange.limits.questions import Pair, Question, Questions
from exchange.limits.rules import (
    Level,
    Standing,
    Tally,
    Usage,
    next_standing,
    signals_of,
    usage_of,
)
from exchange.limits.settings import LimitSettings
from exchange.supervision.statistics import acts, counting
from exchange.views import table as entries

STALE_AFTER = timedelta(seconds=1)

Ask = tuple[str, datetime | None]
"""A lender, and when the exchange was granted the consent it uses; None for one that is not on record."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A lender whose level has changed, or what is seen of it."""

    lender: str
    before: Standing
    after: Standing


class Gate:
    """Lets asks in within the limits of each lender; one of these a process.

    All of it runs within the caller's transaction, so that what is counted is what was let in. A standing is
    at most a second old. Quotas are held by what is committed: several processes together may exceed one by
    what they let in at the same moment, but not that of a throttled lender, whose asks they let in one after
    the other.
    """

    def __init__(self, limits: LimitSettings) -> None:
        """Hold lenders to ``limits``."""
        self.limits = limits
        self._process = new_id().hex()
        self._standings: dict[str, Standing] = {}
        self._read_at: datetime | None = None

    def admit(
        self, connection: Connection, lender: str, at: datetime, asks: Sequence[datetime | None]
    ) -> list[Refusal | None]:
        """Return for each ask of a lender why it is not let in, or None; count them all.

        An ask is when the exchange was granted its consent; None for a consent that is not on record here.
        """
        standing = self._standing(connection, lender, at)
        throttled = standing.level is Level.THROTTLED
        if throttled:
            limit_table.hold(connection, lender)
        let_in = use_table.let_in(connection, lender, at, hour=throttled)
        results = decide(asks, standing, let_in, at, self.limits)
        taken = results.count(None)
        # What is tried with no consent counts as tried, also where limits refuse it before that is found.
        unknown = sum(
            granted is None and refusal is not None
            for granted, refusal in zip(asks, results, strict=True)
        )
        tally = Tally(asked=taken, refused=len(asks) - taken, refused_consent=unknown)
        use_table.add(connection, self._process, lender, at, tally)
        return results

    def admit_each(
        self, connection: Connection, at: datetime, asks: Sequence[Ask]
    ) -> list[Refusal | None]:
        """As ``admit``, for a group of asks of any lenders; the answers are in the order of the asks."""
        places: dict[str, list[int]] = {}
        for place, (lender, _) in enumerate(asks):
            places.setdefault(lender, []).append(place)
        results: list[Refusal | None] = [None] * len(asks)
        for lender in sorted(places):  # so that two processes never wait for each other
            mine = places[lender]
            decided = self.admit(connection, lender, at, [asks[place][1] for place in mine])
            for place, refusal in zip(mine, decided, strict=True):
                results[place] = refusal
        return results

    def questions(self, connection: Connection, pairs: Iterable[Pair], at: datetime) -> Questions:
        """Return what lenders were told of these subjects lately.

        To be asked while the subjects are held; ``at`` is the earliest time of the asks.
        """
        since = to_micros(at - timedelta(days=self.limits.threshold_days))
        rows = entries.questions_since(connection, pairs, since)
        return Questions(
            self.limits,
            (
                ((row.subject_ref, row.lender), Question(row.asked_of, row.threshold), row.latest)
                for row in rows
            ),
        )

    def note(self, connection: Connection, lender: str, at: datetime, tally: Tally) -> None:
        """Count what became of asks: ``answered``, ``no_match``, ``refused_consent``, ``repeated``.

        An attempt that was refused before it came to the gate is ``refused`` too. Leave ``asked`` at 0.
        """
        if tally != Tally():
            use_table.add(connection, self._process, lender, at, tally)

    def repeated(
        self, connection: Connection, lender: str, refs: Sequence[bytes], at: datetime
    ) -> int:
        """Return of how many of these subjects the lender uses more consents than is usual; to be noted.

        To be asked once the accesses are entered, of those that were let in.
        """
        most = self.limits.consents_of_one_subject
        return use_table.repeated(connection, lender, refs, at, most) if refs else 0

    def evaluate(self, connection: Connection, at: datetime) -> list[Moved]:
        """Look at what each lender did, and limit it accordingly; return who is seen or limited otherwise.

        To be run every minute; processes that do so at once come to the same.
        """
        use_table.forget(connection, at)
        known = limit_table.standings(connection, hold=True)
        days, weeks = use_table.last_day(connection, at), use_table.last_week(connection, at)
        moved: list[Moved] = []
        owed = missing_lately(connection, at)
        for lender in sorted(known.keys() | days.keys() | owed.keys()):
            before = known.get(lender, Standing(Level.NORMAL, at))
            usage = Usage()
            if lender in days:
                week = weeks[lender]
                usage = usage_of(days[lender], week.attempts, week.first, at, self.limits)
            due, missing = owed.get(lender, (0, 0))
            signals = signals_of(replace(usage, due=due, missing=missing), self.limits)
            after = next_standing(before, signals, at)
            if after != before:
                limit_table.put(connection, lender, after)
            if (after.level, after.signals.keys()) != (before.level, before.signals.keys()):
                moved.append(Moved(lender, before, after))
        counting.count(connection, [(at, acts.of_lender(each)) for each in moved])
        return moved

    def _standing(self, connection: Connection, lender: str, at: datetime) -> Standing:
        if not self.limits.act_on_signals:
            return Standing(Level.NORMAL, at)
        if self._read_at is None or at >= self._read_at + STALE_AFTER:
            self._standings, self._read_at = limit_table.standings(connection), at
        return self._standings.get(lender) or Standing(Level.NORMAL, at)
