"""A calibration that contradicts itself is refused, naming the field to mend; what it reads is exact."""

from collections.abc import Callable

import pytest

from concordat import v1
from concordat.pooling import CalibrationInvalid, CompiledCalibration, check_calibration, declare
from tests.builders import scale
from tests.pooling_builders import MICRO, calibration_of, plain_model

TOLD = ((-MICRO, -2 * MICRO), (0, 0), (MICRO, MICRO))

Change = Callable[[v1.PoolingModel], None]


def model_of_three() -> v1.PoolingModel:
    """Return a lawful model with a ramp, a pair and a tree of three splits."""
    model = plain_model(3)
    model.pairs.add(one=0, other=2, both_high_micro=1, both_low_micro=1)
    model.trees.add(
        readings=[0, 1, 2],
        above_micro=[0, 0, 0],
        left=[1, -1, -3],
        right=[2, -2, -4],
        leaves_micro=[-2, -1, 1, 2],
    )
    return model


def test_what_the_cases_below_start_from_is_lawful() -> None:
    check_calibration(calibration_of(model_of_three()))


def no_providers(model: v1.PoolingModel) -> None:
    del model.providers[:]


def same_provider(model: v1.PoolingModel) -> None:
    model.providers[2].provider = model.providers[0].provider


def record_without_switch(model: v1.PoolingModel) -> None:
    model.providers[1].record_loading_ppm = -1


def one_knot(model: v1.PoolingModel) -> None:
    del model.providers[0].knots[1:]


def no_spread(model: v1.PoolingModel) -> None:
    model.providers[0].spread_micro = 0


def equal_scores(model: v1.PoolingModel) -> None:
    model.providers[1].knots[1].score = model.providers[1].knots[0].score


def turns_back(model: v1.PoolingModel) -> None:
    model.providers[1].knots.add(score=20_000, log_odds_micro=0)


def level(model: v1.PoolingModel) -> None:
    model.providers[1].knots[1].log_odds_micro = model.providers[1].knots[0].log_odds_micro


def told_of(*knots: tuple[int, int]) -> Change:
    def change(model: v1.PoolingModel) -> None:
        for at, level in knots:
            model.told.add(sum_micro=at, log_odds_micro=level)

    return change


def with_fields(message: v1.Ramp | v1.Pair | v1.Tree, fields: dict[str, int | list[int]]) -> None:
    for field, value in fields.items():
        if isinstance(value, list):
            getattr(message, field)[:] = value
        else:
            setattr(message, field, value)


def ramp_of(**fields: int | list[int]) -> Change:
    return lambda model: with_fields(model.ramps[0], fields)


def pair_of(**fields: int | list[int]) -> Change:
    return lambda model: with_fields(model.pairs[0], fields)


def tree_of(**fields: int | list[int]) -> Change:
    return lambda model: with_fields(model.trees[0], fields)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        pytest.param(no_providers, r"^model.providers: is empty", id="no providers"),
        pytest.param(
            same_provider,
            r"^model.providers\[2\].provider: provider-00 is there already",
            id="duplicate provider",
        ),
        pytest.param(
            record_without_switch,
            r"^model.providers\[1\].record_loading_ppm: must be 0 unless no_record_counts",
            id="record loading without the switch",
        ),
        pytest.param(one_knot, r"^model.providers\[0\].knots: give at least two", id="one knot"),
        pytest.param(no_spread, r"^model.providers\[0\].spread_micro: is 0", id="no spread"),
        pytest.param(
            equal_scores,
            r"^model.providers\[1\].knots\[1\].score: is -10000; it must be above",
            id="equal scores",
        ),
        pytest.param(
            turns_back, r"^model.providers\[1\].knots: .* never turn back", id="map turns back"
        ),
        pytest.param(level, r"^model.providers\[1\].knots: .* rise or fall", id="map is level"),
        pytest.param(
            ramp_of(reading=3), r"^model.ramps\[0\].reading: is 3; there are 3", id="ramp of nobody"
        ),
        pytest.param(
            ramp_of(at_micro=1),
            r"^model.ramps\[0\].at_micro: must be 0",
            id="whole line that bends",
        ),
        pytest.param(pair_of(one=3), r"^model.pairs\[0\].one: is 3", id="pair of nobody"),
        pytest.param(pair_of(other=32), r"^model.pairs\[0\].other: is 32", id="pair with nobody"),
        pytest.param(
            pair_of(one=2), r"^model.pairs\[0\].other: must be another", id="pair with itself"
        ),
        pytest.param(
            tree_of(readings=[0, 1, 3]),
            r"^model.trees\[0\].readings\[2\]: is 3; there are 3 readings",
            id="split of nobody",
        ),
        pytest.param(
            tree_of(leaves_micro=[-2, 2, 1, 2]),
            r"^model.trees\[0\]: falls at split 0",
            id="tree falls across branches",
        ),
        pytest.param(
            tree_of(leaves_micro=[-2, -1, 3, 2]),
            r"^model.trees\[0\]: falls at split 2",
            id="tree falls within a branch",
        ),
        pytest.param(
            tree_of(above_micro=[0, 0]),
            r"^model.trees\[0\]: give as many",
            id="split without place",
        ),
        pytest.param(
            tree_of(leaves_micro=[-2, -1, 1]), r"^model.trees\[0\]: give as many", id="no such leaf"
        ),
        pytest.param(
            tree_of(left=[1, -1]), r"^model.trees\[0\]: give as many", id="split without a left"
        ),
        pytest.param(
            tree_of(right=[2, -2, -3]),
            r"^model.trees\[0\]: lead once to every leaf",
            id="leaf led to twice, another an orphan",
        ),
        pytest.param(
            tree_of(right=[1, -2, -4]),
            r"^model.trees\[0\]: lead once to every leaf",
            id="split led to twice, another an orphan",
        ),
        pytest.param(
            tree_of(left=[0, -1, -3]),
            r"^model.trees\[0\]: lead once to every leaf",
            id="back to the first split",
        ),
        pytest.param(
            tree_of(left=[-1, 2, -3], right=[-2, -4, 1]),
            r"^model.trees\[0\]: split 2 must lead to later ones",
            id="cycle",
        ),
        pytest.param(
            tree_of(left=[1, 1, -3], right=[-1, -2, -4]),
            r"^model.trees\[0\]: lead once",
            id="split that leads to itself",
        ),
        pytest.param(
            tree_of(left=[1, -1, -3], right=[2, -2, -16]),
            r"^model.trees\[0\]: lead once",
            id="leaf that is not there",
        ),
        pytest.param(
            told_of(*TOLD, (MICRO, 2 * MICRO)),
            r"^model.told\[3\]: must be above the one before in both",
            id="last step from one sum to two log-odds",
        ),
        pytest.param(
            told_of(*TOLD, (2 * MICRO, MICRO)),
            r"^model.told\[3\]: must be above the one before in both",
            id="last step that does not rise",
        ),
    ],
)
def test_calibration_that_contradicts_itself_is_refused_with_what_to_mend(
    change: Change, advice: str
) -> None:
    model = model_of_three()
    change(model)
    with pytest.raises(CalibrationInvalid, match=advice):
        check_calibration(calibration_of(model))
    with pytest.raises(CalibrationInvalid, match=advice):
        CompiledCalibration.from_message(calibration_of(model))


@pytest.mark.parametrize(
    "change", [ramp_of(reading=3), pair_of(one=3), tree_of(readings=[0, 1, 3])]
)
def test_shared_risk_is_a_reading_of_its_own_where_having_no_record_counts(change: Change) -> None:
    model = model_of_three()
    model.no_record_counts = True
    change(model)
    check_calibration(calibration_of(model))


@pytest.mark.parametrize(
    ("total", "log_odds"),
    [
        (0, 0),
        (500_001, 500_001),
        (-250_000, -500_000),
        (-1, -2),
        (-MICRO, -2 * MICRO),
        (-3 * MICRO, -4 * MICRO),
        (9 * MICRO, 9 * MICRO),
    ],
)
def test_last_step_runs_between_its_knots_and_parallel_to_the_sum_beyond(
    total: int, log_odds: int
) -> None:
    model = model_of_three()
    told_of(*TOLD)(model)
    assert CompiledCalibration.from_message(calibration_of(model)).log_odds(total) == log_odds


def test_without_a_last_step_the_sum_is_told() -> None:
    compiled = CompiledCalibration.from_message(calibration_of(model_of_three()))
    assert compiled.log_odds(123) == 123


def test_map_may_be_level_in_places() -> None:
    model = model_of_three()
    model.providers[0].knots.add(score=20_000, log_odds_micro=10 * MICRO)
    check_calibration(calibration_of(model))


def test_scale_is_read_that_has_the_same_ends_and_direction() -> None:
    declared = calibration_of(declare({"alder-bank": scale(300, 850)}))
    compiled = CompiledCalibration.from_message(declared)
    assert compiled.reads("alder-bank", scale(300, 850))
    assert not compiled.reads("birch-payments", scale(300, 850))
    assert not compiled.reads("alder-bank", scale(300, 900))
    assert not compiled.reads("alder-bank", scale(350, 850))
    turned = scale(300, 850)
    turned.direction = v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_RISKIER
    assert not compiled.reads("alder-bank", turned)


def test_same_calibration_is_compiled_once() -> None:
    model = model_of_three()
    one, same = (CompiledCalibration.from_message(calibration_of(model)) for _ in range(2))
    assert one is same
