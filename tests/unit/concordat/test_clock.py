"""Time never steps back, and no timestamp is worse than malformed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from concordat.clock import Clock, from_micros, from_timestamp, to_micros, to_timestamp
from concordat.trust.errors import StatementMalformedError
from tests.builders import AT, DAY


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=50))
def test_no_reading_is_earlier_than_one_before(jumps: list[int]) -> None:
    walls = [AT + timedelta(seconds=jump) for jump in jumps]
    source = iter(walls)
    clock = Clock(source=lambda: next(source))
    readings = [clock.now() for _ in walls]
    assert readings == sorted(readings)
    assert readings[-1] == max(walls)


def test_a_clock_that_was_set_back_stands_still_until_it_has_caught_up() -> None:
    wall = [AT, AT - DAY, AT - timedelta(seconds=1), AT + timedelta(seconds=1)]
    clock = Clock(source=lambda: wall.pop(0))
    assert [clock.now() for _ in range(4)] == [AT, AT, AT, AT + timedelta(seconds=1)]


def test_a_restart_does_not_go_below_what_is_on_record() -> None:
    assert Clock(floor=AT, source=lambda: AT - DAY).now() == AT
    assert Clock(floor=AT, source=lambda: AT + DAY).now() == AT + DAY


def test_the_clock_of_a_process_is_the_machines_in_utc() -> None:
    before = datetime.now(UTC)
    now = Clock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_survive_both_forms(moment: datetime) -> None:
    assert from_timestamp(to_timestamp(moment)) == moment
    assert from_micros(to_micros(moment)) == moment


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    local = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert from_timestamp(to_timestamp(local)) == AT
    assert to_micros(local) == to_micros(AT)


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [
        (253_402_300_800, 0),  # the year 10000
        (-62_135_596_801, 0),  # before the year 1
        (2**63 - 1, 0),
        (-(2**63), 0),
        (0, -1),
        (0, 1_000_000_000),
        (0, 2**31 - 1),
        (0, -(2**31)),
    ],
)
def test_a_time_out_of_range_is_a_typed_error(seconds: int, nanos: int) -> None:
    with pytest.raises(StatementMalformedError, match="years 1 to 9999"):
        from_timestamp(Timestamp(seconds=seconds, nanos=nanos))


@pytest.mark.parametrize("seconds", [253_402_300_799, -62_135_596_800, 0])
def test_the_first_and_the_last_second_are_in_range(seconds: int) -> None:
    assert from_timestamp(Timestamp(seconds=seconds)).tzinfo is UTC
