"""Which asks are let in, and when those that are not may come again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concordat.refusal import Refusal
from concordat.rpc.errors import CATALOG
from concordat.v1 import Reason
from exchange.limits.admission import LetIn, decide, is_others_consent, start_of
from exchange.limits.rules import Level, Standing
from exchange.limits.settings import LimitSettings
from tests.builders import AT, DAY

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
NOW = AT + 30 * MINUTE + 15 * SECOND  # half past twelve and a bit
NOON = AT
THIS_MINUTE = NOON + 30 * MINUTE
LIMITS = LimitSettings(per_minute=10, per_day=50, throttled_per_hour=5)


def at_level(level: Level) -> Standing:
    return Standing(level, NOW - 2 * HOUR, NOW + 3 * HOUR if level else None)


def reasons(results: Sequence[Refusal | None]) -> list[str]:
    return [Reason.Name(r.reason).removeprefix("REASON_") if r else "" for r in results]


def refusals(
    asks: Sequence[datetime | None], level: Level = Level.NORMAL, let_in: LetIn | None = None
) -> list[Refusal | None]:
    return decide(asks, at_level(level), let_in or LetIn(), NOW, LIMITS)


def last(results: Sequence[Refusal | None]) -> Refusal:
    refusal = results[-1]
    assert refusal is not None
    return refusal


def test_a_lender_in_good_standing_is_let_in_whatever_the_age_of_its_consents() -> None:
    assert refusals([None, NOW, NOW - 300 * DAY]) == [None, None, None]


def test_a_minutes_quota_says_when_the_next_minute_begins() -> None:
    results = refusals([NOW] * 4, let_in=LetIn(minute=[(THIS_MINUTE, 8)], day=[(NOON, 8)]))
    assert reasons(results) == ["", "", "QUOTA_EXCEEDED", "QUOTA_EXCEEDED"]
    assert last(results).retry_after == 45 * SECOND


def test_a_days_quota_says_when_its_oldest_hour_leaves_it() -> None:
    day = [(NOON - 23 * HOUR, 1), (NOON - 5 * HOUR, 47)]
    results = refusals([NOW] * 3, let_in=LetIn(day=day))
    assert reasons(results) == ["", "", "QUOTA_EXCEEDED"]
    assert last(results).retry_after == NOON + HOUR - NOW


def test_a_quota_that_others_overshot_says_when_there_is_really_room() -> None:
    day = [(NOON - 23 * HOUR, 1), (NOON - 5 * HOUR, 60)]
    results = refusals([NOW], let_in=LetIn(day=day))
    assert last(results).retry_after == NOON + 19 * HOUR - NOW


@pytest.mark.parametrize("level", [Level.STEPPED_UP, Level.THROTTLED])
def test_a_lender_that_is_stepped_up_uses_consents_of_the_past_ten_minutes_alone(
    level: Level,
) -> None:
    asks = [NOW, NOW - 10 * MINUTE, NOW - 10 * MINUTE - timedelta(microseconds=1), None]
    results = refusals(asks, level)
    assert reasons(results) == ["", "", "LENDER_STEPPED_UP", "LENDER_STEPPED_UP"]
    assert last(results).retry_after is None  # waiting would not help


def test_a_throttled_lender_is_let_in_so_often_an_hour_and_told_when_again() -> None:
    hour = [(THIS_MINUTE - 59 * MINUTE, 1), (THIS_MINUTE - 3 * MINUTE, 2)]
    results = refusals([NOW] * 4, Level.THROTTLED, LetIn(hour=hour, day=[(NOON, 3)]))
    assert reasons(results) == ["", "", "LENDER_THROTTLED", "LENDER_THROTTLED"]
    assert last(results).retry_after == THIS_MINUTE + MINUTE - NOW


def test_a_throttled_lender_that_spent_its_hour_at_once_waits_for_an_hour() -> None:
    results = refusals([NOW] * 6, Level.THROTTLED)
    assert reasons(results) == [""] * 5 + ["LENDER_THROTTLED"]
    assert last(results).retry_after == THIS_MINUTE + HOUR - NOW


def test_what_a_lender_asked_before_it_was_throttled_is_not_held_against_it() -> None:
    since = THIS_MINUTE - 5 * MINUTE + 20 * SECOND
    throttled = Standing(Level.THROTTLED, since, since + DAY)
    hour = [(start_of(since, MINUTE) - n * MINUTE, 1000) for n in range(9)][::-1]
    let_in = LetIn(hour=[*hour, (THIS_MINUTE - MINUTE, 3)])
    results = decide([NOW] * 3, throttled, let_in, NOW, LIMITS)
    assert reasons(results) == ["", "", "LENDER_THROTTLED"]
    assert last(results).retry_after == THIS_MINUTE + 59 * MINUTE - NOW


def test_in_the_minute_that_it_is_throttled_in_a_lender_is_let_in_no_more() -> None:
    throttled = Standing(Level.THROTTLED, NOW - 5 * SECOND, NOW + DAY)
    results = decide([NOW], throttled, LetIn(), NOW, LIMITS)
    assert reasons(results) == ["LENDER_THROTTLED"]
    assert last(results).retry_after == 45 * SECOND


def test_consents_that_are_too_old_use_up_no_room() -> None:
    results = refusals([None] * 9 + [NOW] * 5, Level.THROTTLED)
    assert reasons(results) == ["LENDER_STEPPED_UP"] * 9 + [""] * 5


def test_a_stopped_lender_is_let_in_nowhere_and_told_until_when() -> None:
    results = refusals([NOW, None], Level.STOPPED)
    assert reasons(results) == ["LENDER_STOPPED"] * 2
    assert last(results).retry_after == 3 * HOUR


def test_a_stopped_lender_whose_time_is_over_is_told_to_wait_a_little() -> None:
    over = Standing(Level.STOPPED, NOW - 2 * DAY, NOW - SECOND)
    (refusal,) = decide([NOW], over, LetIn(), NOW, LIMITS)
    assert refusal is not None
    assert refusal.retry_after == MINUTE


_BUCKETS = st.lists(st.integers(0, 59), unique=True).flatmap(
    lambda ages: st.tuples(
        *(st.tuples(st.just(age), st.integers(1, 20)) for age in sorted(ages, reverse=True))
    )
)
_ASKS = st.lists(st.none() | st.integers(0, 1200).map(lambda s: NOW - s * SECOND), max_size=30)


@given(_ASKS, _BUCKETS)
def test_a_higher_level_never_lets_in_more(
    asks: list[datetime | None], used: tuple[tuple[int, int], ...]
) -> None:
    hour = [(THIS_MINUTE - age * MINUTE, count) for age, count in used]
    minute = [each for each in hour if each[0] == THIS_MINUTE]
    counts = LetIn(minute, hour, [(NOON, sum(count for _, count in hour))])
    taken = [
        {place for place, each in enumerate(refusals(asks, level, counts)) if each is None}
        for level in Level
    ]
    # Later asks may find the room that earlier ones had, which a higher level refuses; never more in all.
    assert len(taken[0]) >= len(taken[1]) >= len(taken[2]) >= len(taken[3]) == 0


@given(_BUCKETS, st.integers(1, 30))
def test_whoever_waits_as_long_as_told_finds_room_and_a_moment_earlier_none(
    used: tuple[tuple[int, int], ...], asked: int
) -> None:
    hour = [(THIS_MINUTE - age * MINUTE, count) for age, count in used]
    results = refusals([NOW] * asked, Level.THROTTLED, LetIn(hour=hour))
    taken = results.count(None)
    if taken == asked:
        return
    refusal = last(results)
    assert refusal.retry_after is not None
    assert refusal.retry_after > timedelta(0)
    then = [*(each for each in hour if each[0] != THIS_MINUTE)]
    now = taken + sum(count for start, count in hour if start == THIS_MINUTE)
    then.append((THIS_MINUTE, now))

    def room_at(at: datetime) -> bool:
        alive = [each for each in then if each[0] > start_of(at, MINUTE) - HOUR]
        return sum(count for _, count in alive) < LIMITS.throttled_per_hour

    assert room_at(NOW + refusal.retry_after)
    assert not room_at(NOW + refusal.retry_after - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        (Reason.REASON_CONSENT_UNKNOWN, True),
        (Reason.REASON_CONSENT_WRONG_RECIPIENT, True),
        (Reason.REASON_SIGNATURE_INVALID, True),
        (Reason.REASON_CONSENT_REVOKED, False),
        (Reason.REASON_CONSENT_EXHAUSTED, False),
        (Reason.REASON_SUBJECT_FROZEN, False),
        (Reason.REASON_LENDER_STOPPED, False),
    ],
)
def test_only_consents_that_were_never_the_lenders_count_as_fishing(
    reason: Reason.ValueType, counts: bool
) -> None:
    assert is_others_consent(reason) is counts


def test_every_refusal_of_a_limit_says_in_public_what_to_do() -> None:
    for reason in (
        Reason.REASON_QUOTA_EXCEEDED,
        Reason.REASON_LENDER_THROTTLED,
        Reason.REASON_LENDER_STOPPED,
    ):
        assert CATALOG[reason].code.name == "RESOURCE_EXHAUSTED"
        assert "the details say" in CATALOG[reason].message
    assert "fresh consent" in CATALOG[Reason.REASON_LENDER_STEPPED_UP].message


@pytest.mark.parametrize("span", [MINUTE, HOUR])
@given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_time_is_within_the_bucket_that_it_is_counted_in(
    span: timedelta, naive: datetime
) -> None:
    at = naive.replace(tzinfo=AT.tzinfo)
    start = start_of(at, span)
    assert start <= at < start + span
    assert start_of(start, span) == start
    assert start.second == 0
