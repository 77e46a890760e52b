"""What is told of counts: nobody finds a small cell, not by subtraction either."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.supervision.suppression import rounded, told, told_pairs

SMALLEST = 10
COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=20)
PAIRS = st.lists(
    st.integers(10, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    min_size=1,
    max_size=20,
)


def test_small_counts_are_suppressed_and_the_others_rounded() -> None:
    assert told([3, 9, 10, 14, 15, 26], SMALLEST) == [None, None, 10, 10, 20, 30]
    assert told([10, 20], SMALLEST) == [10, 20]


def test_a_single_small_cell_takes_the_next_smallest_with_it() -> None:
    assert told([100, 3, 40, 60], SMALLEST) == [100, None, None, 60]


def test_small_cells_that_are_small_together_take_one_more_with_them() -> None:
    assert told([1, 2, 40, 60], SMALLEST) == [None, None, None, 60]
    assert told([0, 0, 40, 60], SMALLEST) == [None, None, None, 60]


def test_where_there_is_no_other_cell_all_are_suppressed() -> None:
    assert told([3], SMALLEST) == [None]
    assert told([3, 50], SMALLEST) == [None, None]


def test_a_small_rest_is_suppressed_like_a_small_part() -> None:
    # 97 of 100 defaulted: that 3 did not is a small cell too.
    assert told_pairs([(100, 97), (100, 50), (100, 30)], SMALLEST) == [None, 50, None]


@given(counts=COUNTS)
def test_no_small_cell_is_told_nor_left_alone(counts: list[int]) -> None:
    shown = told(counts, SMALLEST)
    hidden = [count for count, each in zip(counts, shown, strict=True) if each is None]
    assert all(
        each is None or (each >= SMALLEST and each % SMALLEST == 0 and count >= SMALLEST)
        for count, each in zip(counts, shown, strict=True)
    )
    if hidden and len(hidden) < len(counts):
        assert len(hidden) > 1
        assert sum(hidden) >= SMALLEST


@given(pairs=PAIRS)
def test_no_small_part_and_no_small_rest_is_told(pairs: list[tuple[int, int]]) -> None:
    shown = told_pairs(pairs, SMALLEST)
    for (whole, part), each in zip(pairs, shown, strict=True):
        if each is not None:
            assert min(part, whole - part) >= SMALLEST
            assert each == rounded(part, SMALLEST)
    assert shown.count(None) != 1 or len(pairs) == 1
