"""Logistic regression with coefficients held at or above 0: as scikit-learn, and at a minimum."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from concordat.pooling.fit.nonneg import fit_logistic, logit
from concordat.pooling.odds import sigmoid

DRAW = np.random.default_rng(3)
DESIGN = np.column_stack([np.ones(400), DRAW.normal(size=(400, 5))])
TRUE = np.array([-0.5, 1.0, -0.8, 0.0, 0.4, -0.1])
OUTCOMES = (DRAW.random(400) < sigmoid(DESIGN @ TRUE)).astype(np.float64)
WEIGHTS = DRAW.random(400) + 0.5
PENALTY = np.diag([0.0, *[2.0] * 5])


def test_it_agrees_with_scikit_learn_where_nothing_is_held() -> None:
    found = fit_logistic(DESIGN, OUTCOMES, WEIGHTS, PENALTY, np.zeros(6, np.bool_))
    theirs = LogisticRegression(C=0.5, tol=1e-10, max_iter=1000)
    theirs.fit(DESIGN[:, 1:], OUTCOMES, sample_weight=WEIGHTS)
    assert found == pytest.approx([*theirs.intercept_, *theirs.coef_[0]], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_it_meets_the_conditions_of_a_minimum_where_coefficients_are_held(seed: int) -> None:
    # Karush-Kuhn-Tucker: no pull on what is free, and none but outwards on what is held at 0.
    draw = np.random.default_rng(seed)
    count = 40
    design = np.column_stack([np.ones(300), np.cumsum(draw.normal(size=(300, count)), axis=1)])
    outcomes = (draw.random(300) < sigmoid(design[:, 3] - design[:, 9])).astype(np.float64)
    held = np.array([False] + [True] * count)
    penalty = np.diag([0.0] + [1.0] * count)
    b = fit_logistic(design, outcomes, np.ones(300), penalty, held)
    slope = design.T @ (sigmoid(design @ b) - outcomes) + penalty @ b
    at_bound = held & (b == 0)
    assert (b[held] >= 0).all()
    assert at_bound.any()
    assert np.abs(slope[~at_bound]).max() < 1e-2
    assert slope[at_bound].min() > -1e-2


def test_offset_is_what_the_coefficients_start_from() -> None:
    free = np.zeros(6, np.bool_)
    whole = fit_logistic(DESIGN, OUTCOMES, WEIGHTS, np.zeros((6, 6)), free)
    rest = fit_logistic(DESIGN, OUTCOMES, WEIGHTS, np.zeros((6, 6)), free, DESIGN @ TRUE)
    assert rest + TRUE == pytest.approx(whole, abs=1e-3)


def test_outcomes_that_a_line_tells_apart_give_finite_coefficients() -> None:
    design = np.column_stack([np.ones(100), np.linspace(-1, 1, 100)])
    outcomes = (design[:, 1] > 0).astype(np.float64)
    b = fit_logistic(design, outcomes, np.ones(100), np.zeros((2, 2)), np.array([False, True]))
    assert np.isfinite(b).all()
    assert b[1] > 0


def test_logistic_function_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e9, 0.0, 1e9])) == pytest.approx([0, 0.5, 1])
    assert sigmoid(np.array([logit(0.05)])) == pytest.approx([0.05])
