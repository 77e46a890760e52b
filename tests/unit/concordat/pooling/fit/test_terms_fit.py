"""Straight terms and trees: they rise, gain, and come out the same for a seed."""

import numpy as np
import pytest

from concordat.pooling.fit.lines import fit_lines
from concordat.pooling.fit.nonneg import logit
from concordat.pooling.fit.trees import Boosting, Grown, boost, tree_values
from concordat.pooling.odds import sigmoid
from tests.fit_builders import Floats

SMALL = Boosting(bags=2, rounds=15, least=4.0)
DRAW = np.random.default_rng(11)
READINGS = DRAW.normal(size=(500, 3))
TRUE = -1 + READINGS[:, 0] + 1.5 * ((READINGS[:, 1] > 0) & (READINGS[:, 2] > 0))
OUTCOMES = (DRAW.random(500) < sigmoid(TRUE)).astype(np.float64)
ONES = np.ones(500)


def grown(seed: int = 0) -> list[Grown]:
    start = logit(float(OUTCOMES.mean()))
    return boost(READINGS, OUTCOMES, ONES, start, SMALL, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def trees() -> list[Grown]:
    return grown()


def log_loss(log_odds: Floats) -> float:
    p = np.clip(sigmoid(log_odds), 1e-9, 1 - 1e-9)
    return float(-np.mean(OUTCOMES * np.log(p) + (1 - OUTCOMES) * np.log(1 - p)))


def sum_of(trees: list[Grown], readings: Floats) -> Floats:
    total = np.zeros(len(readings))
    for tree in trees:
        total += tree_values(tree, readings)
    return total


def lifted(readings: Floats, column: int) -> Floats:
    higher = readings.copy()
    higher[:, column] += np.abs(np.random.default_rng(column).normal(size=len(readings)))
    return higher


@pytest.mark.parametrize("column", range(3))
def test_no_tree_falls_in_any_reading(trees: list[Grown], column: int) -> None:
    higher = lifted(READINGS, column)
    for tree in trees:
        assert (tree_values(tree, higher) >= tree_values(tree, READINGS) - 1e-12).all()


def test_trees_tell_defaults_better_than_the_rate_does(trees: list[Grown]) -> None:
    start = logit(float(OUTCOMES.mean()))
    assert log_loss(start + sum_of(trees, READINGS)) < log_loss(np.full(500, start)) - 0.05


def test_each_tree_gains_something() -> None:
    start = logit(float(OUTCOMES.mean()))
    one_bag = Boosting(bags=1, rounds=15, share=1.0, least=4.0)
    trees = boost(READINGS, OUTCOMES, ONES, start, one_bag, np.random.default_rng(2))
    losses = [log_loss(start + sum_of(trees[:count], READINGS)) for count in range(16)]
    assert (np.diff(losses) < 0).all()


def test_trees_keep_to_their_size(trees: list[Grown]) -> None:
    assert len(trees) <= SMALL.bags * SMALL.rounds
    for tree in trees:
        assert 1 <= len(tree.readings) <= SMALL.leaves - 1
        assert len(tree.leaves) == len(tree.readings) + 1


def test_trees_are_the_same_for_a_seed_and_others_for_another() -> None:
    assert grown() == grown()
    assert grown() != grown(1)


def test_nothing_to_split_grows_no_tree() -> None:
    flat = np.zeros((100, 2))
    outcomes = np.tile([0.0, 1.0], 50)
    assert boost(flat, outcomes, np.ones(100), 0.0, SMALL, np.random.default_rng(0)) == []


@pytest.mark.parametrize("column", range(3))
def test_lines_never_fall_in_any_reading(column: int) -> None:
    lines = fit_lines(READINGS, OUTCOMES, ONES, np.ones(3))
    everywhere = np.random.default_rng(12).normal(scale=3, size=(500, 3))
    assert (lines(lifted(everywhere, column)) >= lines(everywhere) - 1e-9).all()
    assert all(weight > 0 for *_, weight in lines.ramps)
    assert all(min(high, low) >= 0 for *_, high, low in lines.pairs)


def test_lines_find_what_is_straight_and_leave_out_what_runs_the_other_way() -> None:
    outcomes = (np.random.default_rng(13).random(500) < sigmoid(READINGS[:, 0])).astype(np.float64)
    lines = fit_lines(READINGS, outcomes, ONES, np.ones(3))
    assert np.polyfit(READINGS[:, 0], lines(READINGS), 1)[0] == pytest.approx(1, abs=0.3)
    turned = fit_lines(-READINGS[:, :1], outcomes, ONES, np.ones(1))
    assert np.ptp(turned(-READINGS[:, :1])) < 0.05
