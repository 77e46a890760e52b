"""What a sandbox's exchange might have seen on days that are over: made up from a seed, with times. Pure.

Every act is the value that the exchange itself counts, so that no table is made by another rule than a real one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.v1 import Purpose, Reason

DAY = timedelta(days=1)
_T = TypeVar("_T")
DETAILED = 35
"""Days of which every request is made up; those before have counts of listings, look-ups and signals alone."""

_RHYTHM = (1.0, 1.06, 1.02, 0.97, 1.1, 0.64, 0.52)  # of the days of a week, from Monday
_REQUESTS = (  # on a usual day, by purpose: the first lender's, the second's
    (Purpose.PURPOSE_CREDIT_APPLICATION, 130, 85),
    (Purpose.PURPOSE_ACCOUNT_REVIEW, 60, 0),
    (Purpose.PURPOSE_DEPOSIT_WAIVER, 36, 0),
    (Purpose.PURPOSE_GUARANTOR_CHECK, 18, 0),
)
_REFUSED, _UNANSWERED = 0.17, 0.004
_REASONS = {
    Reason.REASON_CONSENT_EXPIRED: 9,
    Reason.REASON_CONSENT_REVOKED: 8,
    Reason.REASON_CONSENT_TOO_FREQUENT: 7,
    Reason.REASON_SUBJECT_FROZEN: 2,
    Reason.REASON_CONSENT_WRONG_RECIPIENT: 1,
}
_USUAL = {
    Kind.PROVIDER_OUTCOME_KIND_SCORED: 4361,
    Kind.PROVIDER_OUTCOME_KIND_NO_RECORD: 560,
    Kind.PROVIDER_OUTCOME_KIND_FROZEN: 35,
    Kind.PROVIDER_OUTCOME_KIND_REFUSED: 40,
    Kind.PROVIDER_OUTCOME_KIND_TIMED_OUT: 4,
}
_FAILING = {
    Kind.PROVIDER_OUTCOME_KIND_SCORED: 610,
    Kind.PROVIDER_OUTCOME_KIND_NO_RECORD: 80,
    Kind.PROVIDER_OUTCOME_KIND_TIMED_OUT: 240,
    Kind.PROVIDER_OUTCOME_KIND_UNREACHABLE: 70,
}
_ANSWERS = frozenset(_USUAL) - {Kind.PROVIDER_OUTCOME_KIND_TIMED_OUT}


@dataclass(frozen=True, slots=True)
class Cast:
    """Member ids of who takes part; the second lender asks for credit applications alone."""

    providers: Sequence[str]  # furnishers too
    lenders: tuple[str, str]
    regulator: str


@dataclass(frozen=True, slots=True)
class Request:
    """A lender's request, and what came of it: refused, a view, or neither."""

    at: datetime
    lender: str
    purpose: Purpose.ValueType
    refusal: Reason.ValueType
    view: v1.View | None
    waited: Mapping[str, timedelta]  # by provider that answered
    granted: datetime  # when its consent was


def starts(now: datetime) -> list[datetime]:
    """Return the days that are over, from the first of the month before last on."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = today.replace(day=1)
    for _ in range(2):
        first = (first - DAY).replace(day=1)
    return [first + nth * DAY for nth in range((today - first).days)]


def bad_day(days: Sequence[datetime]) -> datetime:
    """Return the day on which one provider fails: the last Wednesday that lies some days back."""
    return max(day for day in days[:-4] if day.weekday() == 2)  # noqa: PLR2004 - counted from Monday


def rhythm(day: datetime, chance: random.Random) -> float:
    """Return how busy a day is, 1 for a usual one."""
    return _RHYTHM[day.weekday()] * chance.uniform(0.92, 1.08)


def often(mean: float, chance: random.Random) -> int:
    """Return a whole number about as large as ``mean``, which it is on average."""
    whole = int(mean)
    return whole + (chance.random() < mean - whole)


def moment(day: datetime, chance: random.Random) -> datetime:
    """Return a time of a day at which people work, as a rule."""
    hours = min(max(chance.gauss(13, 3), 0.1), 23.8)
    return day + timedelta(hours=hours)


def requests(
    day: datetime, cast: Cast, chance: random.Random, *, bad: bool = False
) -> Iterator[Request]:
    """Yield the requests of a day; on a ``bad`` one the last provider fails often, and is slow."""
    busy = rhythm(day, chance)
    for purpose, *usual in _REQUESTS:
        for lender, many in zip(cast.lenders, usual, strict=True):
            for _ in range(often(many * busy, chance)):
                yield _request(moment(day, chance), lender, purpose, cast, chance, bad=bad)


def _request(  # all that a request is
    at: datetime,
    lender: str,
    purpose: Purpose.ValueType,
    cast: Cast,
    chance: random.Random,
    *,
    bad: bool,
) -> Request:
    granted = at - timedelta(seconds=min(chance.expovariate(1 / 2400) + 2, 3 * 86_400))
    fate = chance.random()
    if fate < _REFUSED + _UNANSWERED:
        reason = _one_of(_REASONS, chance) if fate < _REFUSED else Reason.REASON_UNSPECIFIED
        return Request(at, lender, purpose, reason, None, {}, granted)
    kinds = {
        each: _one_of(_FAILING if bad and each == cast.providers[-1] else _USUAL, chance)
        for each in cast.providers
    }
    waited = {
        each: _latency(nth, chance, slow=bad and each == cast.providers[-1])
        for nth, each in enumerate(cast.providers)
        if kinds[each] in _ANSWERS
    }
    longest = max(waited.values(), default=timedelta(0))
    if len(waited) < len(cast.providers):
        longest = max(longest, timedelta(seconds=1.9))  # as long as one that fails is waited for
    out = at + longest + timedelta(milliseconds=chance.gauss(28, 5))
    view = v1.View(
        lender=lender,
        issued_at=to_timestamp(out),
        receipt=v1.Receipt(recorded_at=to_timestamp(at)),
        providers=[v1.ProviderOutcome(provider=each, kind=kind) for each, kind in kinds.items()],
    )
    return Request(at, lender, purpose, Reason.REASON_UNSPECIFIED, view, waited, granted)


def _latency(place: int, chance: random.Random, *, slow: bool) -> timedelta:
    """Return how long a provider took: each has its own pace, and now and then one takes long."""
    usual = chance.lognormvariate(0, 0.45) * (14 + 11 * (place % 4))
    rare = 6.0 if chance.random() < 0.012 else 1.0  # noqa: PLR2004 - about once in a hundred
    return timedelta(milliseconds=usual * rare * (18 if slow else 1))


def _one_of(weights: Mapping[_T, int], chance: random.Random) -> _T:
    return chance.choices(list(weights), list(weights.values()))[0]


def consent_events(
    day: datetime, chance: random.Random
) -> Iterator[tuple[datetime, v1.ConsentEvent]]:
    """Yield the pauses and revocations of a day, each with when it was in force."""
    for _ in range(often(36 * rhythm(day, chance), chance)):
        at = moment(day, chance)
        took = timedelta(milliseconds=70 * chance.lognormvariate(0, 0.7))
        yield at, v1.ConsentEvent(decided_at=to_timestamp(at - took))


def look_ups(
    day: datetime, cast: Cast, chance: random.Random
) -> Iterator[tuple[datetime, v1.CaseLookUp]]:
    """Yield the regulator's own look-ups of a day: about one a working day, seldom one that is refused."""
    for _ in range(often(1.1 * rhythm(day, chance), chance)):
        at, refused = moment(day, chance), chance.random() < 0.08  # noqa: PLR2004 - one in twelve
        yield (
            at,
            v1.CaseLookUp(
                regulator=cast.regulator,
                subject_ref=chance.randbytes(32),
                legal_article=chance.choice(("Banking Act Art. 12(3)", "Order 631 art. 41")),
                notice_at=to_timestamp(at + chance.randint(2, 30) * DAY),
                refusal=Reason.REASON_CASE_NOT_APPROVED if refused else Reason.REASON_UNSPECIFIED,
            ),
        )
