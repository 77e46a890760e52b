"""A provider's map never turns back, keeps near the rates that were observed, and reaches its scale's ends."""

import numpy as np
import pytest

from concordat.pooling.fit.maps import MOST_LOG_ODDS, RiskMap, fit_map
from concordat.pooling.fit.nonneg import logit
from concordat.pooling.fit.sample import Scale
from concordat.pooling.odds import sigmoid

SCALE = Scale(0, 100, riskier=False)
UPSIDE = Scale(0, 100, riskier=True)


def drawn(scale: Scale, *, steps: int, subjects: int = 500) -> RiskMap:
    rng = np.random.default_rng(4)
    risk = rng.normal(size=subjects)
    outcomes = (rng.random(subjects) < sigmoid(risk - 1)).astype(np.float64)
    along = np.clip(0.5 + (risk if scale.riskier else -risk) / 6, 0, 1)
    return fit_map(np.rint(along * steps) * (100 // steps), outcomes, scale)


@pytest.mark.parametrize("steps", [1, 4, 100])
@pytest.mark.parametrize("scale", [SCALE, UPSIDE], ids=["safer", "riskier"])
def test_map_never_turns_back_and_reaches_both_ends(scale: Scale, steps: int) -> None:
    found = drawn(scale, steps=steps)
    assert (np.diff(found.scores) > 0).all()
    rises = np.diff(found.log_odds)
    assert (rises >= -1e-9).all() if scale.riskier else (rises <= 1e-9).all()
    assert abs(found.log_odds[-1] - found.log_odds[0]) > 1
    assert (found.scores[0], found.scores[-1]) == (0, 100)
    assert np.abs(found.log_odds).max() <= MOST_LOG_ODDS


def test_five_scores_are_told_near_the_rates_that_were_observed() -> None:
    rng = np.random.default_rng(6)
    scores = rng.choice([10.0, 30.0, 50.0, 70.0, 90.0], 500)
    outcomes = (rng.random(500) < 0.6 - scores / 200).astype(np.float64)
    found = fit_map(scores, outcomes, SCALE)
    for score in np.unique(scores):
        observed = outcomes[scores == score].mean()
        assert abs(sigmoid(found(np.array([score])))[0] - observed) < 0.08
    assert found(np.array([0.0])) == pytest.approx(found(np.array([10.0])))
    assert found(np.array([100.0])) == pytest.approx(found(np.array([90.0])))


def test_map_recovers_the_log_odds_of_a_smooth_score() -> None:
    found = drawn(UPSIDE, steps=100, subjects=4000)
    scores = np.linspace(30, 70, 9)
    assert found(scores) == pytest.approx((scores / 100 - 0.5) * 6 - 1, abs=0.45)


def test_scores_that_run_against_their_scale_tell_nobody_apart() -> None:
    scores = np.repeat([20.0, 80.0], 100)
    outcomes = np.concatenate([np.zeros(100), np.ones(100)])
    outcomes[:10], outcomes[-10:] = 1, 0
    found = fit_map(scores, outcomes, SCALE)  # higher is declared safer, and defaulted
    assert found.log_odds == pytest.approx([logit(0.5)] * 4, abs=0.05)


def test_one_score_that_a_fold_left_tells_its_rate() -> None:
    outcomes = np.array([1.0] * 10 + [0.0] * 30)
    found = fit_map(np.full(40, 55.0), outcomes, SCALE)
    assert found(np.array([0.0, 55.0, 100.0])) == pytest.approx([logit(0.25)] * 3, abs=0.1)


def test_missing_score_stays_missing() -> None:
    assert np.isnan(drawn(SCALE, steps=4)(np.array([np.nan, 50.0]))).tolist() == [True, False]
