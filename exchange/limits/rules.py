"""What a lender's use looks like, and how far it is limited for that: pure, with the time passed in.

Signals are those of rights.md, "What a regulator sees". All but one look back a day. Missing outcomes look at
accesses whose 30 days ran out within the last 30: that signal ends when the lender tells what it owes, which it
can at any level.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, IntEnum

from exchange.limits.settings import LimitSettings

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
STEP = DAY  # what a level lasts, at least, without signals
ONE_SUBJECT_WITHIN = timedelta(days=30)
_PERCENT = 100
_HOURS_A_DAY, _HOURS_A_WEEK = 24, 168


class Level(IntEnum):
    """How far a lender is limited; a higher level never lets in more."""

    NORMAL = 0
    STEPPED_UP = 1
    THROTTLED = 2
    STOPPED = 3


class Signal(Enum):
    """Something in a lender's use that looks like fishing."""

    NO_MATCH = "no_match"
    OTHERS_CONSENTS = "others_consents"
    ONE_SUBJECT = "one_subject"
    OUT_OF_HOURS = "out_of_hours"
    MISSING_OUTCOMES = "missing_outcomes"


Signals = frozenset[Signal]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of what one lender asked in some time."""

    asked: int = 0  # let in by its limits, whatever became of it
    refused: int = 0  # not let in, or refused on its face
    answered: int = 0
    no_match: int = 0  # of those answered: no provider knows the subject
    refused_consent: int = 0  # of all attempts: the consent is unknown, forged or another lender's
    repeated: int = 0  # of those let in: one more consent of a subject than a lender usually needs

    @property
    def attempts(self) -> int:
        """All that it tried."""
        return self.asked + self.refused


@dataclass(frozen=True, slots=True)
class Usage:
    """What a lender asked lately. Hours are clock hours, the current one included."""

    day: Tally = field(default_factory=Tally)  # of the last 24 hours
    night_hour: int = 0  # attempts in the busiest hour of those that was out of hours
    week: int = 0  # attempts in the last 168 hours
    week_hours: int = _HOURS_A_WEEK  # how many of them there are since its first; 24 to 168
    due: int = 0  # accesses whose outcome was due within the last 30 days
    missing: int = 0  # of those: none was told


def usage_of(
    day: Iterable[tuple[datetime, Tally]],
    week: int,
    first: datetime,
    at: datetime,
    limits: LimitSettings,
) -> Usage:
    """Return a lender's usage from its hours.

    ``day`` are the starts and counts of its last 24 hours, ``week`` its attempts in the last 168, ``first``
    the start of the earliest of those. An hour is out of hours where its start is.
    """
    hours = list(day)
    nights = [tally.attempts for start, tally in hours if _is_night(start, limits)]
    since_first = int((at - first) / HOUR) + 1
    return Usage(
        _sum(tally for _, tally in hours),
        max(nights, default=0),
        week,
        min(max(since_first, _HOURS_A_DAY), _HOURS_A_WEEK),
    )


def _is_night(start: datetime, limits: LimitSettings) -> bool:
    hour, since, until = start.astimezone(limits.zone).hour, limits.night_from, limits.night_until
    return since <= hour < until if since <= until else hour >= since or hour < until


def _sum(tallies: Iterable[Tally]) -> Tally:
    each = list(tallies)
    return Tally(
        sum(t.asked for t in each),
        sum(t.refused for t in each),
        sum(t.answered for t in each),
        sum(t.no_match for t in each),
        sum(t.refused_consent for t in each),
        sum(t.repeated for t in each),
    )


def signals_of(usage: Usage, limits: LimitSettings) -> Signals:
    """Return what looks like fishing in a lender's usage."""
    day, enough = usage.day, limits.least_asks
    mean = usage.week / usage.week_hours
    found = {
        Signal.NO_MATCH: day.answered >= enough
        and day.no_match * _PERCENT > limits.no_match_percent * day.answered,
        Signal.OTHERS_CONSENTS: day.attempts >= enough
        and day.refused_consent * _PERCENT > limits.others_consents_percent * day.attempts,
        Signal.ONE_SUBJECT: day.repeated > 0,
        Signal.OUT_OF_HOURS: usage.night_hour >= limits.night_asks
        and usage.night_hour > limits.night_factor * mean,
        Signal.MISSING_OUTCOMES: usage.due >= limits.least_outcomes
        and usage.missing * _PERCENT > limits.missing_outcomes_percent * usage.due,
    }
    return frozenset(signal for signal, seen in found.items() if seen)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one lender is limited now, and why."""

    level: Level
    since: datetime
    until: datetime | None = None  # the earliest step down, where there are no signals
    signals: Mapping[Signal, datetime] = field(default_factory=dict)  # seen without a break since


_BY_COUNT = (Level.NORMAL, Level.STEPPED_UP, Level.THROTTLED, Level.STOPPED)


def next_standing(standing: Standing, signals: Signals, at: datetime) -> Standing:
    """Return how far a lender is limited from now on.

    One signal steps up, two throttle, three stop, and so does one that lasts for a day while the lender is
    throttled: as signals look back a day and no further, it shows in what little is still let in. That of missing
    outcomes looks back further, and stops nobody by lasting. Each level ends a day after the last signal and leads
    to the one below. Being stopped lasts a day, and longer only while there are signals.
    """
    seen = {signal: standing.signals.get(signal, at) for signal in signals}
    level = _BY_COUNT[min(len(signals), len(_BY_COUNT) - 1)]
    if standing.level is Level.THROTTLED and _lasting(seen, standing.since, at):
        level = Level.STOPPED
    if level > standing.level:
        return Standing(level, at, at + STEP, seen)
    if standing.until is None:
        return standing
    if signals:
        until = max(standing.until, at) if standing.level is Level.STOPPED else at + STEP
        return Standing(standing.level, standing.since, until, seen)
    if at < standing.until:
        return Standing(standing.level, standing.since, standing.until)
    below = Level(standing.level - 1)
    lower = Standing(below, standing.until, standing.until + STEP if below else None)
    return next_standing(lower, signals, at)  # more than one step where nobody looked for days


def _lasting(seen: Mapping[Signal, datetime], since: datetime, at: datetime) -> bool:
    return any(
        at - max(first, since) >= STEP
        for signal, first in seen.items()
        if signal is not Signal.MISSING_OUTCOMES
    )
