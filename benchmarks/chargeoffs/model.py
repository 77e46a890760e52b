"""What must have become of a debt, from its row and from what was done: knows nothing of the exchange.

Each debt has a journal of acts, written down as they were answered. ``replay`` goes through one, with the
profile's limits and the times at which the exchange's timer ran, and says where the listing stands.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from benchmarks.chargeoffs.limits import Length, Limits

FRESH = timedelta(days=5)  # how long before its effect a listing must have been reconfirmed
ENDS = frozenset({"WITHDRAWN", "REPAIRED", "EXPIRED"})
_OPEN = frozenset({"CONTESTED", "UNDER_REVIEW", "APPEAL"})
_IN_FORCE = frozenset({"EFFECTIVE", "SETTLED"})


class What(Enum):
    """What somebody did about a listing."""

    FILED = auto()
    SERVED = auto()
    RECONFIRMED = auto()
    DISPUTED = auto()  # contested, where it is not in force
    APPEALED = auto()
    UPHELD = auto()
    RECTIFIED = auto()
    REJECTED = auto()
    UNVERIFIABLE = auto()
    SETTLED = auto()
    WITHDRAWN = auto()
    CORRECTED = auto()


_STRUCK_OUT = frozenset({What.UPHELD, What.UNVERIFIABLE, What.WITHDRAWN})
_CORRECTED = frozenset({What.RECTIFIED, What.CORRECTED})
_RETURNED = frozenset({What.RECTIFIED, What.REJECTED})


@dataclass(frozen=True, slots=True)
class Act:
    """One of them; ``minor`` is the amount that it leaves, in cents, where it changes that."""

    at: datetime
    what: What
    minor: int = 0


@dataclass(slots=True)
class Standing:
    """Where a listing stands."""

    limits: Limits
    since: datetime
    minor: int
    expires: datetime
    state: str = "NONE"  # not listed
    confirmed: datetime | None = None
    effective_from: datetime | None = None
    effective: datetime | None = None
    settled: datetime | None = None
    back_to: str = ""  # where a dispute returns it to
    decide_by: datetime | None = None
    version: int = 1
    recalls: list[datetime] = field(default_factory=list)  # when lenders who were told had to hear

    @property
    def in_force(self) -> bool:
        """Whether it is, undisputed."""
        return self.state in _IN_FORCE

    def shown(self, at: datetime) -> tuple[int, ...] | None:
        """Return what a lender is told: mark, band, and the days of default, effect, settlement, end."""
        if not self.in_force or self.effective is None or at >= self.expires:
            return None
        band = 1 + sum(self.minor >= limit for limit in self.limits.bands)
        settled = 0 if self.settled is None else _day(self.settled)
        mark = 1 if self.state == "EFFECTIVE" else 2
        return mark, band, _day(self.since), _day(self.effective), settled, _day(self.expires)

    # What time does -------------------------------------------------------------------------------

    def run_timer(self, ticks: Sequence[datetime], start: datetime, until: datetime) -> None:
        """Let the timer run at each of ``ticks`` from ``start``, when something was done, to ``until``.

        What it finds to do at ``start`` is done together with that, so that lenders hear of both at once.
        """
        place = start
        while self.state not in ENDS and (due := self._next(ticks, place)) is not None:
            place, state = due
            if place > until:
                return
            before = (self.state, self.version, self.settled)
            self._end_of_time(state, place)
            if place > start or start not in self.recalls:
                self._note_recall(before, place)

    def _next(self, ticks: Sequence[datetime], start: datetime) -> tuple[datetime, str] | None:
        """Return when the timer finds something to do next, and where that leads."""
        due: list[tuple[datetime, str]] = []
        for moment, state in self.limits_ahead():
            place = bisect_left(ticks, max(moment, start))
            if place == len(ticks):
                continue
            if state == "EFFECTIVE" and not self._fresh(ticks[place]):
                continue  # it waits until it is reconfirmed
            due.append((ticks[place], state))
        return min(due, key=lambda one: one[0], default=None)  # the first of those at once

    def limits_ahead(self) -> list[tuple[datetime, str]]:
        """Return when time does what to the listing, the more important first."""
        ahead = [(self.expires, "EXPIRED")]
        if self.decide_by is not None:
            ahead.append((self.decide_by, "WITHDRAWN"))
        if self.settled is not None:
            for rule in self.limits.repairs:
                due = rule.due(self.minor, self.since, self.settled)
                ahead += [] if due is None else [(due, rule.state)]
        if self.state == "NOTICED" and self.effective_from is not None:
            ahead.append((self.effective_from, "EFFECTIVE"))
        return ahead

    def _fresh(self, at: datetime) -> bool:
        return self.confirmed is not None and at - self.confirmed <= FRESH

    def _end_of_time(self, state: str, at: datetime) -> None:
        self.state, self.decide_by = state, None
        if state == "EFFECTIVE":
            self.effective = at

    # What people do -------------------------------------------------------------------------------

    def take(self, act: Act) -> None:
        """Take an act in."""
        before = (self.state, self.version, self.settled)
        match act.what:
            case What.FILED:
                self.state, self.confirmed = "DRAFT", act.at
            case What.SERVED:
                self.state, self.effective_from = "NOTICED", self.limits.notice.after(act.at)
            case What.RECONFIRMED:
                self.confirmed = act.at
            case What.DISPUTED:
                contested = self.state == "NOTICED"
                limit = self.limits.dispute
                self._dispute("CONTESTED" if contested else "UNDER_REVIEW", limit, act)
            case What.APPEALED:
                self._dispute("APPEAL", self.limits.appeal, act)
            case What.SETTLED:
                self._settle(act.at)
            case _:
                self._decide(act)
        self._note_recall(before, act.at)

    def _dispute(self, state: str, limit: Length, act: Act) -> None:
        self.back_to, self.state, self.decide_by = self.state, state, limit.after(act.at)

    def _decide(self, act: Act) -> None:
        """Take in a ruling, or what a source does of its own accord."""
        if act.what in _STRUCK_OUT:
            self.state, self.decide_by = "WITHDRAWN", None
            return
        if act.what in _CORRECTED:
            self.minor, self.version = act.minor, self.version + 1
        if act.what in _RETURNED:
            self._return(act.at)

    def _return(self, at: datetime) -> None:
        contested = self.state == "CONTESTED"
        self.state, self.decide_by = self.back_to, None
        if contested and self.effective_from is not None and at >= self.effective_from:
            self.state, self.effective = "EFFECTIVE", at

    def _settle(self, at: datetime) -> None:
        self.settled = at
        if self.limits.after_settlement is not None:
            self.expires = min(self.expires, self.limits.after_settlement.after(at))
        if self.state in _OPEN:
            self.back_to = "SETTLED"
        else:
            self.state = "SETTLED"

    def _note_recall(self, before: tuple[str, int, datetime | None], at: datetime) -> None:
        """Note that those who were told must hear: it was struck out, corrected or settled."""
        gone = self.state in ENDS - {"EXPIRED"} and self.state != before[0]
        if gone or self.version > before[1] or (self.settled is not None and before[2] is None):
            self.recalls.append(at)


def replay(
    limits: Limits,
    since: datetime,
    minor: int,
    acts: Sequence[Act],
    ticks: Sequence[datetime],
    until: datetime,
) -> Standing:
    """Return where a debt's listing stands at ``until``, one of ``ticks``, once the timer has run."""
    standing = Standing(limits, since, minor, limits.life.after(since))
    previous = acts[0].at if acts else until
    for act in acts:
        standing.run_timer(ticks, previous, act.at)
        standing.take(act)
        previous = act.at
    if acts:
        standing.run_timer(ticks, previous, until)
    return standing


def _day(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).days
