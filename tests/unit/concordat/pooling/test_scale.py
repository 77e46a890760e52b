from decimal import Decimal, localcontext
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concordat import v1
from concordat.pooling import (
    CompiledScale,
    ScaleInvalid,
    ScoreOutOfScale,
    check_scale,
    log_odds_micro,
    logit_micro,
)
from concordat.pooling.scale import divide_half_even

SAFER = v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_SAFER
RISKIER = v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_RISKIER


def scale_of(
    *anchors: tuple[int, int], direction: v1.ScoreDirection.ValueType = SAFER
) -> v1.ScoreScale:
    return v1.ScoreScale(
        minimum=anchors[0][0],
        maximum=anchors[-1][0],
        direction=direction,
        anchors=[v1.ScoreAnchor(score=score, default_ppm=ppm) for score, ppm in anchors],
    )


@st.composite
def scales(draw: st.DrawFn) -> v1.ScoreScale:
    sint32 = st.integers(-(2**31), 2**31 - 1)
    count = draw(st.integers(2, 64))
    scores = draw(st.lists(sint32, min_size=count, max_size=count, unique=True))
    ppms = draw(st.lists(st.integers(1, 999_999), min_size=count, max_size=count, unique=True))
    direction = draw(st.sampled_from([SAFER, RISKIER]))
    ordered = sorted(ppms, reverse=direction == SAFER)
    anchors = zip(sorted(scores), ordered, strict=True)
    return scale_of(*anchors, direction=direction)


def test_log_odds_at_an_anchor_is_the_correctly_rounded_logarithm() -> None:
    # ln(1) = 0; ln(1/3) = -1.0986122887; ln(1/19) = -2.9444389792; ln(999999) = 13.8155095580.
    scale = scale_of((0, 999_999), (10, 500_000), (20, 250_000), (30, 50_000), (40, 1))
    found = [log_odds_micro(scale, score) for score in (0, 10, 20, 30, 40)]
    assert found == [13_815_510, 0, -1_098_612, -2_944_439, -13_815_510]


def test_log_odds_between_anchors_lie_on_the_straight_line() -> None:
    # Half of -1,098,612, and a quarter of it.
    scale = scale_of((100, 500_000), (200, 250_000))
    assert log_odds_micro(scale, 150) == -549_306
    assert log_odds_micro(scale, 125) == -274_653


@pytest.mark.parametrize(
    ("numerator", "denominator", "nearest"),
    [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (-5, 2, -2), (2, 3, 1), (-2, 3, -1)],
)
def test_division_rounds_a_half_to_the_even_integer(
    numerator: int, denominator: int, nearest: int
) -> None:
    assert divide_half_even(numerator, denominator) == nearest


def test_score_outside_the_scale_is_refused_with_its_bounds() -> None:
    scale = scale_of((300, 500_000), (850, 1_000))
    for score in (299, 851):
        with pytest.raises(ScoreOutOfScale, match=f"{score} .* 300 to 850") as refused:
            log_odds_micro(scale, score)
        assert (refused.value.score, refused.value.minimum, refused.value.maximum) == (
            score,
            300,
            850,
        )


@pytest.mark.parametrize(
    ("scale", "advice"),
    [
        (v1.ScoreScale(maximum=9, direction=SAFER), "at least two"),
        (scale_of((0, 5), direction=SAFER), "at least two"),
        (scale_of((0, 9), (5, 7), (5, 6)), r"anchors\[2\].score: is 5; it must be above .* 5"),
        (scale_of((0, 9), (7, 7), (5, 6)), r"anchors\[2\].score: is 5; it must be above .* 7"),
        (scale_of((0, 9), (5, 9)), r"anchors\[1\].default_ppm: is 9; .* safer.* below .* 9"),
        (scale_of((0, 9), (5, 10)), r"anchors\[1\].default_ppm: is 10; .* safer.* below .* 9"),
        (scale_of((0, 9), (5, 8), direction=RISKIER), "8; .* riskier.* above .* 9"),
        (scale_of((0, 9), (5, 9), direction=RISKIER), "9; .* riskier.* above .* 9"),
        (scale_of((0, 1_000_000), (5, 9)), r"anchors\[0\].default_ppm: is 1000000; give 1 to"),
        (scale_of((0, 9), (5, 0)), r"anchors\[1\].default_ppm: is 0; give 1 to"),
        (
            scale_of((0, 9), (5, 8), direction=v1.ScoreDirection.SCORE_DIRECTION_UNSPECIFIED),
            "direction",
        ),
    ],
    ids=[
        "no anchor",
        "one anchor",
        "equal scores",
        "falling scores",
        "safer, equal",
        "safer, rising",
        "riskier, falling",
        "riskier, equal",
        "certain default",
        "no default",
        "no direction",
    ],
)
def test_scale_that_contradicts_itself_is_refused_with_what_to_mend(
    scale: v1.ScoreScale, advice: str
) -> None:
    with pytest.raises(ScaleInvalid, match=advice):
        check_scale(scale)
    with pytest.raises(ScaleInvalid, match=advice):
        log_odds_micro(scale, 0)


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        (v1.ScoreScale(minimum=-1), r"anchors\[0\].score.* minimum, -1"),
        (v1.ScoreScale(maximum=6), r"anchors\[1\].score.* maximum, 6"),
    ],
    ids=["minimum", "maximum"],
)
def test_anchors_that_do_not_reach_the_ends_of_the_scale_are_refused(
    changed: v1.ScoreScale, advice: str
) -> None:
    scale = scale_of((0, 9), (5, 8))
    scale.MergeFrom(changed)
    with pytest.raises(ScaleInvalid, match=advice):
        check_scale(scale)


@pytest.mark.parametrize("ppm", [0, -1, 1_000_000])
def test_certainty_has_no_log_odds(ppm: int) -> None:
    with pytest.raises(ValueError, match="no log-odds"):
        logit_micro(ppm)


@given(scales(), st.data())
def test_any_valid_scale_maps_any_of_its_scores_in_the_declared_direction(
    scale: v1.ScoreScale, data: st.DataObject
) -> None:
    check_scale(scale)
    inside = st.integers(scale.minimum, scale.maximum)
    low, high = sorted((data.draw(inside), data.draw(inside)))
    at_low, at_high = log_odds_micro(scale, low), log_odds_micro(scale, high)
    assert at_low >= at_high if scale.direction == SAFER else at_low <= at_high
    ends = sorted(logit_micro(anchor.default_ppm) for anchor in scale.anchors)
    assert ends[0] <= min(at_low, at_high) <= max(at_low, at_high) <= ends[-1]


@given(scales())
def test_anchors_of_any_valid_scale_keep_their_declared_probability(scale: v1.ScoreScale) -> None:
    compiled = CompiledScale.from_message(scale)
    for anchor in scale.anchors:
        expected = log(anchor.default_ppm / (1_000_000 - anchor.default_ppm)) * 1e6
        assert abs(compiled.log_odds_micro(anchor.score) - expected) < 0.501
    assert len(set(compiled.log_odds)) == len(compiled.log_odds)


def test_reasons_do_not_change_what_a_score_means() -> None:
    bare = scale_of((300, 500_000), (850, 1_000))
    told = v1.ScoreScale()
    told.CopyFrom(bare)
    told.reasons.add(code="BK01", text="A payment is overdue.")
    assert CompiledScale.from_message(bare) == CompiledScale.from_message(told)


def test_ambient_decimal_context_changes_nothing() -> None:
    expected = logit_micro(31_415)
    with localcontext(prec=2, rounding="ROUND_UP"):
        assert Decimal(1) / Decimal(3) == Decimal("0.34")
        assert logit_micro(31_415) == expected
