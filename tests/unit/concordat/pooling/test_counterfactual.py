"""What would lift a score to the next band: enough, and no more than is needed."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concordat import v1
from concordat.pooling import CompiledCalibration, band_of, declare, floor_above, pool
from concordat.pooling.counterfactual import Lift, Way, lift_of
from concordat.pooling.declared import POINTS
from tests.builders import scale

SAFER, RISKIER = "alder-bank", "cedar-guarantee"
NAMES = (SAFER, "birch-payments", RISKIER)


def riskier(minimum: int = 0, maximum: int = 1000) -> v1.ScoreScale:
    """Return a scale where higher is riskier."""
    turned = scale(minimum, maximum)
    turned.direction = v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_RISKIER
    for anchor, ppm in zip(turned.anchors, (2_000, 50_000, 500_000), strict=True):
        anchor.default_ppm = ppm
    return turned


def calibration(*, no_record_counts: bool = False, weaker: int = 1) -> CompiledCalibration:
    model = declare({SAFER: scale(), NAMES[1]: scale(350, 950), RISKIER: riskier()})
    model.no_record_counts = no_record_counts
    for ramp in model.ramps:
        ramp.weight_micro //= weaker
    return CompiledCalibration.from_message(v1.Calibration(points=POINTS, model=model))


def fitted(seed: int) -> CompiledCalibration:
    """Return a model of many terms, of pairs and trees too, as a fit might give."""
    drawn = Random(seed)
    message = v1.Calibration()
    message.CopyFrom(calibration(weaker=3).message)
    for _ in range(40):
        tree = v1.Tree(
            readings=[drawn.randrange(3) for _ in range(3)],
            above_micro=[drawn.randint(-2_000_000, 2_000_000) for _ in range(3)],
            left=[1, -1, -3],
            right=[2, -2, -4],
            leaves_micro=sorted(drawn.randint(-60_000, 60_000) for _ in range(4)),
        )
        message.model.trees.append(tree)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        high, low = drawn.randint(0, 9_000), drawn.randint(0, 9_000)
        message.model.pairs.add(one=one, other=other, both_high_micro=high, both_low_micro=low)
    return CompiledCalibration.from_message(message)


CALIBRATION = calibration()
WEAK = calibration(weaker=3)  # where it takes more than one score to be lifted
FITTED = [fitted(seed) for seed in range(3)]


def points(
    compiled: CompiledCalibration, heard: dict[str, int | None], way: Way, spared: str = ""
) -> int:
    """Return the points after a way, with one step less of the provider ``spared``."""
    after = dict(heard)
    for change in way.changes:
        back = (1 if change.needed < change.score else -1) if change.provider == spared else 0
        after[change.provider] = change.needed + back
    return pool(compiled, list(after.items())).points


def lift(heard: dict[str, int | None], compiled: CompiledCalibration = CALIBRATION) -> Lift:
    found = lift_of(compiled, list(heard.items()))
    assert found is not None
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {SAFER: st.integers(300, 850)},
        optional={NAMES[1]: st.integers(350, 950), RISKIER: st.integers(0, 1000)},
    ),
    st.sampled_from([CALIBRATION, WEAK, *FITTED]),
)
def test_each_way_is_enough_and_one_step_less_is_not(
    scores: dict[str, int], compiled: CompiledCalibration
) -> None:
    heard: dict[str, int | None] = dict(scores)
    now = pool(compiled, list(heard.items())).points
    found = lift_of(compiled, list(heard.items()))
    if found is None:
        assert band_of(now) == v1.Band.BAND_A
        return
    assert (found.floor, found.band) == (floor_above(now), band_of(found.floor))
    for way in found.ways:
        assert way.points == points(compiled, heard, way) >= found.floor > now
        for change in way.changes:
            assert points(compiled, heard, way, spared=change.provider) < found.floor


def test_a_score_moves_to_the_safer_side_of_its_own_scale() -> None:
    found = lift({SAFER: 600, RISKIER: 400})
    moves = {c.provider: c.needed - c.score for way in found.ways for c in way.changes}
    assert moves[SAFER] > 0 > moves[RISKIER]


def test_two_scores_move_together_only_where_no_one_is_enough() -> None:
    one = lift({SAFER: 600, NAMES[1]: 640, RISKIER: 400})
    assert {len(way.changes) for way in one.ways} == {1}
    two = lift({SAFER: 807, NAMES[1]: 810, RISKIER: 483}, WEAK)
    assert [len(way.changes) for way in two.ways] == [2]


def test_there_may_be_no_way() -> None:
    nothing = v1.Calibration(points=POINTS, model=declare({SAFER: scale()}))
    model = nothing.model
    del model.ramps[:]
    compiled = CompiledCalibration.from_message(nothing)
    found = lift_of(compiled, [(SAFER, 700)])
    assert found is not None
    assert found.ways == ()


def test_the_best_band_needs_nothing() -> None:
    assert lift_of(CALIBRATION, [(SAFER, 850), (NAMES[1], 950), (RISKIER, 0)]) is None


def test_who_has_no_record_is_asked_for_no_other_score() -> None:
    found = lift_of(calibration(no_record_counts=True), [(SAFER, 600), (RISKIER, None)])
    assert found is not None
    assert {c.provider for way in found.ways for c in way.changes} == {SAFER}


def test_nothing_is_lifted_where_nothing_was_stated() -> None:
    with pytest.raises(ValueError, match="nothing to pool"):
        lift_of(CALIBRATION, [(SAFER, None)])
