"""A declared model: n heard of N are worth n pieces of evidence that repeat each other by rho."""

from math import log

import pytest

from concordat import v1
from concordat.pooling import ScaleInvalid, check_calibration, declare, logit_micro, pool
from concordat.pooling.evidence import gather
from tests.builders import scale
from tests.pooling_builders import MICRO, calibration_of, compiled

NAMES = tuple(f"provider-{at:02}" for at in range(8))


def log_odds_of(model: v1.PoolingModel, heard: list[tuple[int, int | None]]) -> float:
    """Return the pooled log-odds of a model that has one ramp for each provider."""
    readings = compiled(model).readings
    evidence = gather(readings, heard, no_record_counts=False)
    told = zip(model.ramps, evidence.readings[:-1], strict=True)
    return model.intercept_micro / MICRO + sum(
        ramp.weight_micro * reading / MICRO**2 for ramp, reading in told
    )


@pytest.mark.parametrize("dependence", [0, 300, 900])
@pytest.mark.parametrize("heard", range(1, 9))
def test_any_number_heard_is_worth_what_the_design_effect_says(heard: int, dependence: int) -> None:
    model = declare(dict.fromkeys(NAMES, scale()), dependence_permille=dependence)
    scores = [420, 655, 820, 511, 300, 700, 850, 599][:heard]
    evidence = [
        compiled(model).readings[0].scale.log_odds_micro(score) / MICRO - log(0.05 / 0.95)
        for score in scores
    ]
    exact = log(0.05 / 0.95) + sum(evidence) / (1 + (heard - 1) * dependence / 1000)
    assert abs(log_odds_of(model, list(enumerate(scores))) - exact) < 5e-5


def test_declared_model_is_a_lawful_calibration_of_the_licences_scales() -> None:
    model = declare({"alder-bank": scale(), "birch-payments": scale(0, 100)})
    check_calibration(calibration_of(model))
    assert [(p.knots[0].score, p.knots[-1].score) for p in model.providers] == [
        (300, 850),
        (0, 100),
    ]
    assert model.providers[0].knots[0].log_odds_micro == logit_micro(500_000)
    assert not model.no_record_counts


def test_base_rate_is_told_of_whoever_scores_at_it() -> None:
    model = declare({"alder-bank": scale()}, base_default_ppm=50_000)
    unified = pool(compiled(model), [("alder-bank", (300 + 850) // 2)])
    assert unified.default_ppm == 50_000
    assert (unified.points, unified.base_points) == (587, 587)


@pytest.mark.parametrize("dependence", [-1, 901])
def test_dependence_that_leaves_nothing_of_a_providers_own_is_refused(dependence: int) -> None:
    with pytest.raises(ValueError, match="give 0 to 900"):
        declare({"alder-bank": scale()}, dependence_permille=dependence)


@pytest.mark.parametrize("base", [0, 1_000_000])
def test_certain_base_rate_is_refused(base: int) -> None:
    with pytest.raises(ValueError, match="no log-odds"):
        declare({"alder-bank": scale()}, base_default_ppm=base)


def test_scale_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ScaleInvalid, match="anchors"):
        declare({"alder-bank": v1.ScoreScale(minimum=0, maximum=1)})
