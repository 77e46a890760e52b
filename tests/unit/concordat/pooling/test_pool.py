"""The unified score by hand, and what is refused; `test_pool_promises` has what holds for every calibration."""

from collections.abc import Sequence

import pytest

from concordat import v1
from concordat.pooling import Heard, ScoreOutOfScale, pool
from tests.pooling_builders import MICRO, compiled, plain_model, plain_reading


def added_up(*thousandths: int, weight: int = MICRO) -> v1.UnifiedScore:
    """Return the score of providers that share nothing and each add so many thousandths of log-odds."""
    return pool(compiled(plain_model(len(thousandths), weight)), heard_of(thousandths))


def heard_of(thousandths: Sequence[int]) -> list[Heard]:
    return [(f"provider-{at:02}", score) for at, score in enumerate(thousandths)]


def points_of(unified: v1.UnifiedScore) -> list[int]:
    return [part.points for part in unified.contributions]


def test_even_odds_are_502_points() -> None:
    # 600 - 20 * log2(30) = 600 - 98.138 = 501.862
    unified = added_up(0)
    assert (unified.points, unified.base_points, unified.default_ppm) == (502, 502, 500_000)
    assert points_of(unified) == [0]
    assert unified.band == v1.Band.BAND_E


def test_odds_of_30_to_1_against_default_are_600_points() -> None:
    # ln 30 = 3.401; 1 / (1 + exp(3.401)) = 32,264 ppm
    unified = added_up(-3_401)
    assert (unified.points, unified.default_ppm) == (600, 32_264)
    assert unified.band == v1.Band.BAND_B


def test_twenty_points_double_the_odds() -> None:
    # ln 60 = 4.094, ln 15 = 2.708
    twice, half = added_up(-4_094), added_up(-2_708)
    assert (twice.points, twice.default_ppm) == (620, 16_399)
    assert (half.points, half.default_ppm) == (580, 62_503)


def test_independent_evidence_adds_up() -> None:
    # ln 2 twice: four times the odds, 40 points
    unified = added_up(-693, -693)
    assert (unified.points, points_of(unified)) == (542, [20, 20])


def test_rounding_left_over_goes_to_the_largest_remainder() -> None:
    # Exact shares of 3.203, 3.693 and -1.905 points make 506.853 of 501.862: 507 - 502 = 5 to split.
    # Rounded down 3 + 3 - 2 = 4, so one is left over; the remainders are .203, .693 and .095.
    assert points_of(added_up(-111, -128, 66)) == [3, 4, -2]


def test_equal_remainders_go_by_member_id_not_by_place() -> None:
    # 10.387 points each: 501.862 + 20.775 = 522.637, 523 - 502 = 21 to split in two equal shares.
    calibration = compiled(plain_model(2))
    forth = pool(calibration, [("provider-00", -360), ("provider-01", -360)])
    back = pool(calibration, [("provider-01", -360), ("provider-00", -360)])
    assert points_of(forth) == [11, 10]
    assert points_of(back) == [10, 11]


def test_evidence_beyond_the_range_is_cut_off_in_proportion() -> None:
    # 20 - 5 = 15 is cut off at 13.81551, 398.631 points: 2/3, 2/3 and -1/3 of it are 265.8, 265.8, -132.9.
    unified = added_up(-10_000, -10_000, 5_000)
    assert (unified.points, unified.base_points, unified.default_ppm) == (900, 502, 1)
    assert points_of(unified) == [266, 265, -133]
    assert unified.points_high == 900


def test_a_start_beyond_the_range_is_cut_off_like_the_score() -> None:
    model = plain_model(2)
    model.intercept_micro = 14 * MICRO
    nothing = pool(compiled(model), heard_of([0, 0]))
    assert (nothing.points, nothing.base_points, points_of(nothing)) == (103, 103, [0, 0])
    # 14 - 1 is still within the range: 13 is 24 points better than its end.
    better = pool(compiled(model), heard_of([-600, -400]))
    assert (better.points, points_of(better)) == (127, [14, 10])


def test_last_step_changes_all_shares_in_proportion_and_both_ends_of_the_interval() -> None:
    # A sum of -3 is told as -1.5, 43.281 points: 4/3 and -1/3 of it are 57.708 and -14.427.
    model = plain_model(2)
    model.told.add(sum_micro=-10 * MICRO, log_odds_micro=-5 * MICRO)
    model.told.add(sum_micro=10 * MICRO, log_odds_micro=5 * MICRO)
    unified = pool(compiled(model), heard_of([-4_000, 1_000]))
    assert (unified.points, points_of(unified)) == (545, [58, -15])
    # sqrt(4) * 1.645 = 3.29 of the sum either side: 1.645 of the log-odds, 47.465 points.
    model.fit_variance_micro = 4 * MICRO
    unified = pool(compiled(model), heard_of([-4_000, 1_000]))
    assert (unified.points_low, unified.points_high) == (498, 593)


def test_interval_is_1_645_standard_deviations_either_side() -> None:
    # One of two is missing: its effect is 1 log-odds, of which it shares nothing. 47.465 points.
    model = plain_model(2, effect_micro=MICRO)
    unified = pool(compiled(model), heard_of([0]))
    assert (unified.points_low, unified.points, unified.points_high) == (454, 502, 549)
    # Nobody is missing; the fit itself has a variance of 1/4: 23.732 points.
    model.fit_variance_micro = MICRO // 4
    unified = pool(compiled(model), heard_of([0, 0]))
    assert (unified.points_low, unified.points_high) == (478, 526)
    # Both, with the first four times as wide: 1.645 * sqrt(4.25) = 3.391; 97.85 points.
    model.width_permille = 4000
    unified = pool(compiled(model), heard_of([0]))
    assert (unified.points_low, unified.points_high) == (404, 600)


def test_two_readings_of_one_risk_are_believed_less_than_twice() -> None:
    # a = 0.8 / 0.36 = 2.2222; one at 1: f = 2.2222 / (1 + 1.7778) = 0.8; both: 4.4444 / 4.5556 = 0.97561
    model = plain_model(3, loading_ppm=800_000)
    del model.ramps[:2]  # only the expectation of the third counts: 0.8 f
    one = pool(compiled(model), heard_of([1_000]))
    both = pool(compiled(model), heard_of([1_000, 1_000]))
    # 0.64 log-odds are 18.467 points, 0.78049 are 22.520
    assert (one.points, points_of(one)) == (483, [-19])
    assert (both.points, points_of(both)) == (479, [-11, -12])


def test_what_is_expected_of_a_missing_provider_belongs_to_those_that_told_of_it() -> None:
    # They told 1 and -1 times their weight, so that f is 0; then 3 and 1: 3/4 and 1/4 of the expectation.
    model = plain_model(3, loading_ppm=800_000)
    del model.ramps[:2]
    opposed = pool(compiled(model), heard_of([1_000, -1_000]))
    assert (opposed.points, points_of(opposed)) == (502, [0, 0])
    # f = 8.8889 / 4.5556 = 1.95122, 0.8 f = 1.56098, 45.0402 points: 33.780 and 11.260
    unequal = pool(compiled(model), heard_of([3_000, 1_000]))
    assert (unequal.points, points_of(unequal)) == (457, [-34, -11])


def test_having_no_record_moves_the_score_only_where_that_was_declared() -> None:
    model = plain_model(3, loading_ppm=800_000, record_ppm=800_000)
    for reading in model.providers:
        reading.record_loading_ppm = 500_000
    model.no_record_counts = True
    heard: list[Heard] = [("provider-00", 0), ("provider-01", None)]
    counted = pool(compiled(model), heard)
    assert [part.no_record for part in counted.contributions] == [False, True]
    # b = 0.5 / 0.75; being on record tells 0.5 b, having none -2 b: f = -1 / 3.4444 = -0.29032. Of the two
    # that are missing 0.8 f each is expected: 13.403 points, a fifth of them the first provider's.
    assert (counted.points, points_of(counted)) == (515, [2, 11])
    for reading in model.providers:
        reading.record_loading_ppm = 0
    model.no_record_counts = False
    ignored = pool(compiled(model), heard)
    assert ignored == pool(compiled(model), heard[:1])
    assert [part.provider for part in ignored.contributions] == ["provider-00"]


def test_nothing_to_pool_is_refused() -> None:
    model = plain_model(2)
    nobody: list[list[Heard]] = [[], [("provider-00", None)]]
    for heard in nobody:
        with pytest.raises(ValueError, match="no provider stated a score"):
            pool(compiled(model), heard)
    model.no_record_counts = True
    with pytest.raises(ValueError, match="no provider stated a score"):
        pool(compiled(model), [("provider-00", None), ("provider-01", None)])


def test_provider_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="named twice"):
        pool(compiled(plain_model(2)), [("provider-00", 1), ("provider-00", 2)])


def test_provider_that_the_calibration_does_not_read_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="does not read stranger, unknown"):
        pool(compiled(plain_model(1)), [("stranger", 1), ("provider-00", 2), ("unknown", 3)])


@pytest.mark.parametrize("score", [-10_001, 10_001])
def test_score_outside_its_scale_is_refused(score: int) -> None:
    with pytest.raises(ScoreOutOfScale, match="-10000 to 10000"):
        pool(compiled(plain_model(1)), [("provider-00", score)])


def test_shares_that_cancel_out_but_fit_no_field_are_told_as_far_as_they_fit() -> None:
    # Each of two readings is 28,000 standard deviations away, at 7,168 log-odds for each.
    model = v1.PoolingModel(
        providers=[
            plain_reading("alder-bank", center_micro=0, spread_micro=1000),
            plain_reading("birch-payments", center_micro=0, spread_micro=1000),
        ],
        ramps=[
            v1.Ramp(reading=at % 2, side=v1.RampSide.RAMP_SIDE_ALL, weight_micro=14 * MICRO)
            for at in range(512)
        ],
    )
    points = v1.PointScale(at_odds=600, odds=30, to_double=200)
    unified = pool(compiled(model, points), [("alder-bank", 10_000), ("birch-payments", -10_000)])
    assert unified.base_points + sum(points_of(unified)) == unified.points == unified.base_points
    assert unified.contributions[0].points < 0 < unified.contributions[1].points
