"""Figures of drift tell no more than the counts beside them: two readings show no single credit."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from exchange.drift.as_told import fit_as_told, stability_as_told
from exchange.drift.rules import Bin, fit_of, stability_of
from exchange.supervision.suppression import rounded, told, told_pairs

SMALLEST = 10
SAMPLE = Bin(500, 1000, 100)
COUNTS = st.lists(st.integers(0, 60), min_size=2, max_size=6)


def scored(*scores: int) -> list[Bin]:
    return [replace(SAMPLE, up_to_score=500 + 50 * n, scores=s) for n, s in enumerate(scores)]


def settled(*counts: tuple[int, int]) -> list[Bin]:
    return [replace(SAMPLE, outcomes=many, defaults=bad) for many, bad in counts]


def test_the_index_gives_no_nearly_empty_bin_away() -> None:
    exact = {round(stability_of(scored(few, 500, 600, 300)).psi, 3) for few in range(6)}
    shown = {stability_as_told(scored(few, 500, 600, 300), SMALLEST) for few in range(5)}
    assert (len(exact), len(shown)) == (6, 1)


def test_one_default_more_between_two_readings_shows_nothing() -> None:
    before, after = (settled((1000, 101), (200, 22), (100, bad)) for bad in (3, 4))
    assert fit_of(before) != fit_of(after)
    assert fit_as_told(before, SMALLEST) == fit_as_told(after, SMALLEST)


def test_figures_of_large_counts_are_nearly_the_exact_ones() -> None:
    bins = scored(2503, 3498, 2207, 1796)
    shown = stability_as_told(bins, SMALLEST)
    assert shown is not None
    assert abs(shown.psi - stability_of(bins).psi) < 0.001
    outcomes = settled((2503, 251), (3498, 402), (2207, 199), (1796, 213))
    fit = fit_as_told(outcomes, SMALLEST)
    assert fit is not None
    assert abs(fit.difference.value - fit_of(outcomes).difference.value) < 0.001
    assert (fit.degrees, fit_of(outcomes).degrees) == (4, 4)
    assert abs(fit.p_value - fit_of(outcomes).p_value) < 0.1


def test_where_nothing_is_left_to_compare_no_figure_is_told() -> None:
    assert stability_as_told(scored(2000, 0, 0), SMALLEST) is None
    assert stability_as_told(scored(200, 200), 1000) is None
    assert fit_as_told(settled((200, 100), (200, 100)), 1000) is None
    few = fit_as_told(settled((900, 4), (900, 5)), SMALLEST)
    assert few is not None
    assert (few.degrees, few.p_value) == (0, 1.0)


@given(before=COUNTS, after=COUNTS)
def test_the_same_counts_told_give_the_same_figures(before: list[int], after: list[int]) -> None:
    after = (after * 3)[: len(before)]
    if told(before, SMALLEST) == told(after, SMALLEST) and rounded(sum(before), SMALLEST) == (
        rounded(sum(after), SMALLEST)
    ):
        assert stability_as_told(scored(*before), SMALLEST) == (
            stability_as_told(scored(*after), SMALLEST)
        )


@given(
    counts=st.lists(st.tuples(st.integers(10, 60), st.integers(0, 10)), min_size=1, max_size=6),
    more=st.integers(0, 5),
)
def test_a_default_more_that_changes_no_count_told_changes_no_figure(
    counts: list[tuple[int, int]], more: int
) -> None:
    place = more % len(counts)
    after = [
        (n, bad + (at == place)) if bad < n else (n, bad) for at, (n, bad) in enumerate(counts)
    ]
    totals = [rounded(sum(bad for _, bad in each), SMALLEST) for each in (counts, after)]
    if told_pairs(counts, SMALLEST) == told_pairs(after, SMALLEST) and totals[0] == totals[1]:
        assert fit_as_told(settled(*counts), SMALLEST) == fit_as_told(settled(*after), SMALLEST)
