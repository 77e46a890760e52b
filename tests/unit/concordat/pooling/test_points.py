"""Points, bands, thresholds and probabilities of a log-odds."""

from decimal import Decimal, localcontext
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concordat import v1
from concordat.pooling import band_of, floor_above, reaches
from concordat.pooling.declared import POINTS
from concordat.pooling.points import HIGHEST, LOWEST, POINT, Points, default_ppm

scales = st.builds(
    v1.PointScale,
    at_odds=st.integers(100, 900),
    odds=st.integers(1, 10_000),
    to_double=st.integers(1, 200),
)


@pytest.mark.parametrize(
    ("points", "band"),
    [
        (900, v1.Band.BAND_A),
        (640, v1.Band.BAND_A),
        (639, v1.Band.BAND_B),
        (600, v1.Band.BAND_B),
        (599, v1.Band.BAND_C),
        (560, v1.Band.BAND_C),
        (559, v1.Band.BAND_D),
        (520, v1.Band.BAND_D),
        (519, v1.Band.BAND_E),
        (100, v1.Band.BAND_E),
    ],
)
def test_bands_begin_at_640_600_560_and_520_points(points: int, band: v1.Band.ValueType) -> None:
    assert band_of(points) == band


def test_next_better_band_begins_above() -> None:
    assert [floor_above(points) for points in (100, 519, 520, 599, 600, 639)] == [
        520,
        520,
        560,
        600,
        640,
        640,
    ]
    assert floor_above(640) is None


def test_threshold_is_reached_by_equal_points() -> None:
    assert reaches(600, 600)
    assert reaches(601, 600)
    assert not reaches(599, 600)


def test_usual_constants_are_the_formula_to_their_last_digit() -> None:
    usual = Points.of(POINTS)
    with localcontext(prec=60):
        slope = Decimal(20) / Decimal(2).ln()
        assert round(slope * 10**12) == usual.per_micro
        assert round((600 - slope * Decimal(30).ln()) * 10**18) == usual.at_even


def test_no_log_odds_lie_halfway_between_two_usual_points() -> None:
    # The slope is coprime to ten, so just one residue of the log-odds gives a tie.
    usual = Points.of(POINTS)
    tie = (usual.at_even - POINT // 2) * pow(usual.per_micro, -1, POINT) % POINT
    assert HIGHEST < tie < POINT + LOWEST


@given(scales, st.integers(LOWEST, HIGHEST))
def test_points_are_the_formula_rounded_and_held_to_the_range(
    scale: v1.PointScale, log_odds: int
) -> None:
    exact = scale.at_odds - scale.to_double / log(2) * (log_odds / 1e6 + log(scale.odds))
    assert abs(Points.of(scale).at(log_odds) - max(100.0, min(900.0, exact))) <= 0.500001


@given(st.integers(LOWEST, HIGHEST))
def test_probability_is_the_logistic_of_the_log_odds_rounded(log_odds: int) -> None:
    exact = 1e6 / (1 + exp(-log_odds / 1e6))
    assert abs(default_ppm(log_odds) - max(1.0, min(999_999.0, exact))) <= 0.500001


@given(st.integers(LOWEST, HIGHEST - 1))
def test_probability_never_falls_with_the_log_odds(log_odds: int) -> None:
    assert default_ppm(log_odds) <= default_ppm(log_odds + 1)
    assert abs(default_ppm(log_odds) + default_ppm(-log_odds) - 1_000_000) <= 1
