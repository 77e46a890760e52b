"""Which numbers of a table are told: no small cell, and none that would give one away."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import StatisticsMeasure as M
from exchange.supervision.statistics.buckets import BOUNDS_MS, P50, P99, bucket_of, quantile
from exchange.supervision.statistics.catalog import BY_DAY, BY_MONTH
from exchange.supervision.statistics.cells import (
    column,
    failing_cell,
    lone_cell,
    rate_cell,
    time_cells,
    worth_telling,
)
from exchange.supervision.statistics.periods import Period

FILED, RATE = M.STATISTICS_MEASURE_FILED, M.STATISTICS_MEASURE_CONTEST_RATE
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


@given(st.integers(0, 200))
def test_a_small_cell_is_told_as_nothing_and_others_as_multiples(count: int) -> None:
    cell = lone_cell(FILED, count, 10)
    assert (cell.WhichOneof("told") == "count") == (count >= 10)
    assert cell.count % 10 == 0


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.data())
def test_one_more_or_less_changes_a_column_by_whole_cells_or_not_at_all(
    counts: list[int], data: st.DataObject
) -> None:
    more = list(counts)
    more[data.draw(st.integers(0, len(counts) - 1))] += 1
    before, after = column(FILED, counts, 10), column(FILED, more, 10)
    for one, other in zip((*before[0], before[1]), (*after[0], after[1]), strict=True):
        assert (one.count - other.count) % 10 == 0


def test_a_failing_is_told_as_none_few_or_rounded() -> None:
    told = [failing_cell(FILED, count, 10).WhichOneof("told") for count in (0, 1, 9, 10)]
    assert told == ["none", "few", "few", "count"]


def test_a_rate_is_of_the_counts_that_are_told() -> None:
    assert rate_cell(RATE, 20, 80).rate_ppm == 250_000
    assert rate_cell(RATE, 20, 10).rate_ppm == 1_000_000
    for part, whole in ((None, 80), (20, None), (20, 0)):
        assert rate_cell(RATE, part, whole).WhichOneof("told") is None


def test_times_are_ends_of_buckets_and_of_ten_or_more() -> None:
    assert bucket_of(timedelta(milliseconds=-5)) == 0
    assert bucket_of(timedelta(milliseconds=2)) == 1
    assert bucket_of(timedelta(days=999)) == len(BOUNDS_MS)
    assert (quantile({0: 50, 3: 49, 5: 1}, P50), quantile({0: 50, 3: 49, 5: 1}, P99)) == (0, 3)
    assert [cell.WhichOneof("told") for cell in time_cells({3: 9}, 10)] == [None, None]
    median, most = time_cells({3: 9, len(BOUNDS_MS): 1}, 10)
    assert median.up_to_ms == BOUNDS_MS[3]
    assert most.above_ms == BOUNDS_MS[-1]


def test_a_row_in_which_nothing_is_told_is_left_out() -> None:
    quiet = v1.StatisticsRow(member="quickcash", cells=[lone_cell(FILED, 9, 10)])
    loud = v1.StatisticsRow(member="lendwell", cells=[lone_cell(FILED, 10, 10)])
    assert worth_telling([quiet, loud]) == [loud]


def test_each_table_comes_at_one_period_and_all_come() -> None:
    assert not BY_DAY.keys() & BY_MONTH.keys()
    assert {*BY_DAY, *BY_MONTH} == {each for each in v1.StatisticsTable.values() if each}


def test_periods_are_whole_days_and_months_of_utc() -> None:
    month = Period.month("2026-12")
    assert (month.start, month.end) == (datetime(2026, 12, 1, tzinfo=UTC), NEW_YEAR)
    day = Period.day("2026-12-31")
    assert (day.end, day.days[1] - day.days[0]) == (NEW_YEAR, 1)
    assert Period.day_before(NEW_YEAR + timedelta(minutes=10)) == day
    assert Period.day_before(NEW_YEAR + timedelta(minutes=9)).name == "2026-12-30"
    assert Period.month_before(NEW_YEAR + timedelta(hours=1)) == month
    assert month.is_month
    assert not day.is_month


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01", "1999-01-01", "9999-12-31"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match=text):
        Period.day(text)


def test_what_stands_is_told_of_a_day_only_soon_after_its_end() -> None:
    day = Period.day("2026-12-31")
    assert day.is_current(NEW_YEAR + timedelta(minutes=59))
    assert not day.is_current(NEW_YEAR + timedelta(hours=1))


def test_a_period_is_told_from_ten_minutes_after_its_end() -> None:
    day = Period.day("2026-12-31")
    day.require_over(NEW_YEAR + timedelta(minutes=10))
    with pytest.raises(Refusal):
        day.require_over(NEW_YEAR + timedelta(minutes=9))
