"""What looks like fishing, and how far a lender is limited for it."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exchange.limits.rules import (
    Level,
    Signal,
    Signals,
    Standing,
    Tally,
    Usage,
    next_standing,
    signals_of,
    usage_of,
)
from exchange.limits.settings import LimitSettings
from tests.builders import AT, DAY

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LIMITS = LimitSettings()
NO_MATCH, OTHERS, ONE_SUBJECT, NIGHT, MISSING = Signal
NONE: Signals = frozenset()
NORMAL = Standing(Level.NORMAL, AT)


def signals(**tally: int) -> set[Signal]:
    return set(signals_of(Usage(Tally(**tally)), LIMITS))


# Signals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered", "no_match", "seen"),
    [
        (100, 20, False),
        (100, 21, True),
        (99, 99, False),
        (1000, 200, False),
        (1000, 201, True),
        (0, 0, False),
    ],
)
def test_more_than_a_fifth_without_a_match_is_a_signal_from_100_answers_on(
    answered: int, no_match: int, seen: bool
) -> None:
    assert signals(answered=answered, no_match=no_match) == ({NO_MATCH} if seen else set())


@pytest.mark.parametrize(
    ("asked", "refused", "others", "seen"),
    [
        (100, 0, 5, False),
        (100, 0, 6, True),
        (50, 50, 6, True),  # what never came through the gate was tried too
        (0, 100, 100, True),
        (99, 0, 99, False),
        (0, 0, 0, False),
    ],
)
def test_more_than_a_twentieth_with_consents_that_are_not_its_own_is_a_signal(
    asked: int, refused: int, others: int, seen: bool
) -> None:
    found = signals(asked=asked, refused=refused, refused_consent=others)
    assert found == ({OTHERS} if seen else set())


def test_one_consent_too_many_of_one_subject_is_a_signal() -> None:
    assert signals(asked=1, repeated=1) == {ONE_SUBJECT}
    assert signals(asked=1000) == set()


@pytest.mark.parametrize(
    ("night", "week", "seen"),
    [
        (100, 168 * 33, True),  # a mean of 33, and 100 is more than 99
        (100, 168 * 34, False),
        (99, 99, False),
        (100, 100, True),
        (0, 0, False),
    ],
)
def test_three_times_its_own_mean_out_of_hours_is_a_signal_from_100_on(
    night: int, week: int, seen: bool
) -> None:
    found = signals_of(Usage(night_hour=night, week=week), LIMITS)
    assert set(found) == ({NIGHT} if seen else set())


@pytest.mark.parametrize(
    ("due", "missing", "seen"),
    [
        (100, 10, False),
        (100, 11, True),
        (99, 99, False),
        (1000, 100, False),
        (1000, 101, True),
        (0, 0, False),
    ],
)
def test_more_than_a_tenth_of_the_outcomes_missing_is_a_signal_from_100_due_on(
    due: int, missing: int, seen: bool
) -> None:
    found = signals_of(Usage(due=due, missing=missing), LIMITS)
    assert set(found) == ({MISSING} if seen else set())


def test_signals_come_together() -> None:
    tally = Tally(asked=200, answered=100, no_match=50, refused_consent=50, repeated=3)
    usage = Usage(tally, night_hour=500, week=500, due=100, missing=11)
    assert signals_of(usage, LIMITS) == set(Signal)


def test_every_threshold_is_a_setting() -> None:
    tally = Tally(asked=200, answered=100, no_match=50, refused_consent=50)
    lax = LimitSettings(
        no_match_percent=60,
        others_consents_percent=60,
        night_asks=1000,
        night_factor=10,
        missing_outcomes_percent=60,
    )
    assert signals_of(Usage(tally, night_hour=500, week=500, due=100, missing=60), lax) == set()
    assert signals_of(Usage(tally), LimitSettings(least_asks=201)) == set()
    assert signals_of(Usage(due=100, missing=100), LimitSettings(least_outcomes=101)) == set()


# Hours ------------------------------------------------------------------------------------------


def hour_at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def night(start: str, zone: str = "UTC", **settings: Any) -> int:
    """Return how many of 7 attempts in the hour from ``start`` (UTC) count as out of hours."""
    limits = LimitSettings(time_zone=zone, **settings)
    begin = hour_at(start)
    return usage_of([(begin, Tally(asked=4, refused=3))], 7, begin, begin, limits).night_hour


@pytest.mark.parametrize(
    ("start", "zone", "counts"),
    [
        ("2026-06-01 22:00", "UTC", True),
        ("2026-06-01 21:00", "UTC", False),
        ("2026-06-02 05:00", "UTC", True),
        ("2026-06-02 06:00", "UTC", False),
        ("2026-06-02 00:00", "UTC", True),
        ("2026-06-01 20:00", "Europe/Rome", True),  # 22:00 in summer
        ("2026-01-01 20:00", "Europe/Rome", False),  # 21:00 in winter
        ("2026-06-01 14:00", "Asia/Shanghai", True),
        ("2026-06-01 13:00", "Asia/Shanghai", False),
        ("2026-06-01 17:00", "Asia/Kolkata", True),  # 22:30: an hour counts by its start
        ("2026-06-01 16:00", "Asia/Kolkata", False),
    ],
)
def test_out_of_hours_is_what_the_clock_of_the_exchange_says(
    start: str, zone: str, counts: bool
) -> None:
    assert night(start, zone) == (7 if counts else 0)


def test_out_of_hours_may_lie_within_one_day_or_be_nothing() -> None:
    assert night("2026-06-01 13:00", night_from=12, night_until=14) == 7
    assert night("2026-06-01 14:00", night_from=12, night_until=14) == 0
    assert night("2026-06-01 12:00", night_from=12, night_until=12) == 0


def test_a_new_lender_is_measured_by_the_hours_since_it_came_and_by_a_day_at_least() -> None:
    def hours(since: timedelta) -> int:
        return usage_of([], 1, AT - since, AT, LIMITS).week_hours

    assert [hours(n * HOUR) for n in (0, 23, 24, 100, 167)] == [24, 24, 25, 101, 168]


def test_a_day_adds_up() -> None:
    tallies = [(AT - n * HOUR, Tally(n, 2 * n, 3 * n, 4 * n, 5 * n, 6 * n)) for n in range(3)]
    usage = usage_of(tallies, 9, AT, AT, LIMITS)
    assert usage.day == Tally(3, 6, 9, 12, 15, 18)
    assert usage.day.attempts == 9


# Levels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "level"), [(0, Level.NORMAL), (1, Level.STEPPED_UP), (2, Level.THROTTLED)]
)
def test_one_signal_steps_up_and_two_throttle(count: int, level: Level) -> None:
    seen = frozenset([*Signal][:count])
    after = next_standing(NORMAL, seen, AT)
    assert after.level is level
    assert after.until == (AT + DAY if count else None)


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("before", Level)
def test_three_signals_stop_at_once_from_anywhere(before: Level, count: int) -> None:
    standing = Standing(before, AT - HOUR, AT + DAY if before else None)
    after = next_standing(standing, frozenset([*Signal][:count]), AT)
    assert after.level is Level.STOPPED
    assert after.until == AT + DAY


def run(standing: Standing, *seen: tuple[Signals, timedelta]) -> Standing:
    """Look every minute: at each of ``seen`` for that long."""
    at = standing.since
    for signals, lasting in seen:
        end = at + lasting
        while at < end:
            at += MINUTE
            standing = next_standing(standing, signals, at)
    return standing


def test_each_level_ends_a_day_after_the_last_signal_one_step_at_a_time() -> None:
    signal = frozenset([NO_MATCH, OTHERS])
    throttled = run(NORMAL, (signal, MINUTE))
    assert throttled.level is Level.THROTTLED
    levels = [run(throttled, (NONE, n * DAY - MINUTE)).level for n in (1, 2, 3)]
    assert levels == [Level.THROTTLED, Level.STEPPED_UP, Level.NORMAL]
    assert run(throttled, (NONE, DAY)).level is Level.STEPPED_UP
    assert run(throttled, (NONE, 2 * DAY)) == Standing(Level.NORMAL, throttled.since + 2 * DAY)


def test_a_signal_in_between_starts_the_day_anew() -> None:
    one = frozenset([NO_MATCH])
    stepped = run(NORMAL, (one, MINUTE))
    almost = run(stepped, (NONE, DAY - MINUTE), (one, MINUTE), (NONE, DAY - MINUTE))
    assert almost.level is Level.STEPPED_UP
    assert next_standing(almost, NONE, almost.since + 3 * DAY).level is Level.NORMAL


def test_one_signal_that_lasts_steps_up_and_no_further() -> None:
    assert run(NORMAL, (frozenset([NO_MATCH]), 9 * DAY)).level is Level.STEPPED_UP


def test_a_signal_that_lasts_for_a_day_while_throttled_stops() -> None:
    both, one = frozenset([NO_MATCH, OTHERS]), frozenset([OTHERS])
    throttled = run(NORMAL, (both, MINUTE))
    assert run(throttled, (one, DAY - MINUTE)).level is Level.THROTTLED
    assert run(throttled, (one, DAY)).level is Level.STOPPED


def test_missing_outcomes_step_up_or_throttle_and_stop_nobody_by_lasting() -> None:
    owing = frozenset([MISSING])
    assert run(NORMAL, (owing, 2 * DAY)).level is Level.STEPPED_UP
    throttled = run(NORMAL, (owing | {OTHERS}, MINUTE))
    assert run(throttled, (owing, 3 * DAY)).level is Level.THROTTLED
    assert run(throttled, (owing, 3 * DAY), (NONE, DAY)).level is Level.STEPPED_UP
    assert next_standing(throttled, owing | {NO_MATCH, OTHERS}, AT + DAY).level is Level.STOPPED


def test_signals_that_come_and_go_while_throttled_do_not_stop() -> None:
    both, one, other = frozenset([NO_MATCH, OTHERS]), frozenset([OTHERS]), frozenset([NO_MATCH])
    throttled = run(NORMAL, (both, MINUTE))
    half = 12 * HOUR
    broken = run(throttled, (one, half), (NONE, MINUTE), (one, half), (other, half))
    assert broken.level is Level.THROTTLED


def test_what_was_seen_before_throttling_does_not_count_towards_its_day() -> None:
    one = frozenset([NO_MATCH])
    throttled = run(NORMAL, (one, 3 * DAY), (one | {OTHERS}, MINUTE))
    assert throttled.level is Level.THROTTLED
    assert run(throttled, (one, DAY - MINUTE)).level is Level.THROTTLED


def test_stopped_lasts_a_day_and_longer_only_while_signals_last() -> None:
    three = frozenset([NO_MATCH, OTHERS, NIGHT])
    stopped = run(NORMAL, (three, MINUTE))
    assert run(stopped, (NONE, DAY - MINUTE)).level is Level.STOPPED
    assert run(stopped, (NONE, DAY)).level is Level.THROTTLED
    one = frozenset([OTHERS])
    longer = run(stopped, (one, 30 * HOUR))
    assert longer.level is Level.STOPPED
    assert longer.until == stopped.since + 30 * HOUR
    assert run(stopped, (one, 30 * HOUR), (NONE, MINUTE)).level is Level.THROTTLED
    assert run(stopped, (one, 30 * HOUR), (NONE, DAY - MINUTE)).level is Level.THROTTLED
    assert run(stopped, (one, 30 * HOUR), (NONE, DAY)).level is Level.STEPPED_UP


def test_days_in_which_nobody_looked_count_as_if_somebody_had() -> None:
    stopped = run(NORMAL, (frozenset([NO_MATCH, OTHERS, NIGHT]), MINUTE))
    for days in range(1, 6):
        at = stopped.since + days * DAY
        assert next_standing(stopped, NONE, at) == run(stopped, (NONE, days * DAY))


_SIGNALS = st.frozensets(st.sampled_from(Signal))


@given(st.lists(st.tuples(_SIGNALS, st.integers(1, 60 * 40)), max_size=30))
def test_a_level_falls_one_step_at_most_a_day_and_never_while_there_are_signals(
    looks: list[tuple[Signals, int]],
) -> None:
    standing, at = NORMAL, AT
    lowered_at: datetime | None = None
    for signals, minutes in looks:
        before = standing
        for _ in range(minutes // 10 + 1):
            at += 10 * MINUTE
            before, standing = standing, next_standing(standing, signals, at)
            if standing.level < before.level:
                assert not signals
                assert standing.level == before.level - 1
                assert lowered_at is None or at - lowered_at >= DAY - 10 * MINUTE
                lowered_at = at
            elif standing.level > before.level:
                assert signals
                lowered_at = None
            assert standing.level >= min(len(signals), 3)
            assert set(standing.signals) == set(signals)
            assert (standing.until is None) == (standing.level is Level.NORMAL)


# Settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"time_zone": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
        ({"time_zone": "../etc/passwd"}, "no time zone"),
        ({"per_minute": 0}, "per_minute"),
        ({"night_from": 24}, "night_from"),
        ({"no_match_percent": 101}, "no_match_percent"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_settings_that_make_no_sense_are_named(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        LimitSettings(**given)


def test_the_settings_are_a_table_of_the_exchanges_file(tmp_path: Path) -> None:
    table = tomllib.loads('[limits]\nper_day = 7\ntime_zone = "Europe/Rome"\n')["limits"]
    limits = LimitSettings(**table)
    assert (limits.per_day, limits.per_minute, str(limits.zone)) == (7, 60_000, "Europe/Rome")
