"""The shared risk: loadings are recovered, and what is missing is its conditional mean."""

from dataclasses import replace

import numpy as np
import pytest

from concordat.pooling.fit.shared import (
    LEAST_LOADING,
    MOST_LOADING,
    Shared,
    expected,
    fit_shared,
    held_back,
)
from tests.fit_builders import Floats, one_factor

LOADINGS = np.array([0.9, 0.7, 0.5, 0.3, 0.6])
SHARED = Shared(
    center=np.array([-3.0, -2.0, -1.0, -2.5, -3.5]),
    spread=np.array([0.5, 1.0, 1.5, 0.8, 1.2]),
    loading=LOADINGS,
    record=np.array([0.9, 0.5, 0.3, 0.7, 1.0]),
    record_loading=np.array([0.3, -0.4, 0.5, 0.2, 0.0]),
)


def conditional_mean(covariance: Floats, known: Floats) -> Floats:
    """Return the mean of normal variables of mean 0 given those that are not NaN, by linear algebra."""
    seen = np.isfinite(known)
    rest = covariance[:, seen] @ np.linalg.solve(covariance[np.ix_(seen, seen)], known[seen])
    return np.where(seen, known, rest)


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_loadings_of_simulated_readings_are_recovered(missing: float) -> None:
    readings = one_factor(6000, LOADINGS, seed=2)
    readings[np.random.default_rng(3).random(readings.shape) < missing] = np.nan
    found = fit_shared(2 * readings - 3, -3.0, record_counts=False)
    assert found.loading == pytest.approx(LOADINGS, abs=0.05)
    assert found.center == pytest.approx(np.full(5, -3.0), abs=0.1)
    assert found.spread == pytest.approx(np.full(5, 2.0), abs=0.1)
    assert found.record == pytest.approx(np.full(5, 1 - missing), abs=0.02)
    assert not found.record_counts


def test_loading_of_having_a_record_is_recovered_where_that_counts() -> None:
    rng = np.random.default_rng(5)
    risk = rng.normal(size=(6000, 1))
    readings = LOADINGS * risk + np.sqrt(1 - LOADINGS**2) * rng.normal(size=(6000, 5))
    readings[(0.8 * risk[:, 0] + 0.6 * rng.normal(size=6000)) > 0, 1] = np.nan
    found = fit_shared(readings, 0.0, record_counts=True)
    assert found.record_counts
    # Of a flag that is cut from a normal variable at its middle: sqrt(2 / pi) of the correlation.
    assert found.record_loading[1] == pytest.approx(-0.8 * np.sqrt(2 / np.pi), abs=0.05)
    assert np.abs(found.record_loading[[0, 2, 3, 4]]).max() < 0.05


def test_readings_that_share_nothing_or_everything_keep_to_the_bounds() -> None:
    nothing = np.random.default_rng(1).normal(size=(500, 3))
    everything = np.repeat(np.linspace(-2, 2, 500)[:, None], 3, axis=1)
    assert fit_shared(nothing, 0.0, record_counts=False).loading.min() >= LEAST_LOADING
    assert fit_shared(everything, 0.0, record_counts=False).loading.max() <= MOST_LOADING


def test_readings_that_no_subject_joins_are_taken_to_share_little() -> None:
    apart = np.random.default_rng(1).normal(size=(200, 2))
    apart[:100, 0] = apart[100:, 1] = np.nan
    found = fit_shared(apart, 0.0, record_counts=False)
    assert found.loading == pytest.approx([LEAST_LOADING] * 2)


def test_where_records_count_missing_readings_are_expected_less_surely_than_fitted() -> None:
    told = np.array([[0.0, np.nan, np.nan, np.nan, np.nan]])
    told[0, 0] = SHARED.center[0] + 2 * SHARED.spread[0]
    fitted, held = expected(SHARED, told)[0], expected(held_back(SHARED), told)[0]
    assert held[0] == fitted[0]
    assert (held[1:] > 0).all()
    assert (held[1:] < fitted[1:]).all()
    little = replace(SHARED, loading=np.full(5, LEAST_LOADING))
    assert held_back(little).loading.min() >= LEAST_LOADING


def test_where_records_do_not_count_missing_readings_are_expected_as_fitted() -> None:
    plain = replace(SHARED, record_loading=np.zeros(5))
    assert (held_back(plain).loading == LOADINGS).all()


def test_missing_readings_are_their_conditional_mean() -> None:
    covariance = np.eye(6)
    with_risk = np.append(LOADINGS, 1.0)
    covariance = np.outer(with_risk, with_risk)
    np.fill_diagonal(covariance, 1.0)
    readings = one_factor(50, LOADINGS, seed=7)
    readings[np.random.default_rng(8).random(readings.shape) < 0.5] = np.nan
    found = expected(SHARED, SHARED.center + SHARED.spread * readings)
    exact = [conditional_mean(covariance, np.append(row, np.nan)) for row in readings]
    assert found == pytest.approx(np.stack(exact))


def test_having_a_record_is_evidence_like_a_reading_where_that_counts() -> None:
    rng = np.random.default_rng(9)
    both = np.concatenate([LOADINGS, SHARED.record_loading, [1.0]])
    covariance = np.outer(both, both)
    np.fill_diagonal(covariance, 1.0)
    readings = one_factor(50, LOADINGS, seed=10)
    readings[rng.random(readings.shape) < 0.4] = np.nan
    recorded = np.isfinite(readings).astype(np.float64)
    recorded[rng.random(readings.shape) < 0.3] = np.nan  # not asked
    readings[np.isnan(recorded)] = np.nan
    found = expected(SHARED, SHARED.center + SHARED.spread * readings, recorded)
    varies = SHARED.record * (1 - SHARED.record)
    flags = (recorded - SHARED.record) / np.sqrt(np.maximum(varies, 1e-12))
    flags[:, varies == 0] = np.nan
    exact = [
        conditional_mean(covariance, np.concatenate([row, flag, [np.nan]]))
        for row, flag in zip(readings, flags, strict=True)
    ]
    wanted = np.stack(exact)[:, [0, 1, 2, 3, 4, 10]]
    assert found == pytest.approx(wanted)


def test_of_whom_nothing_is_known_nothing_is_expected() -> None:
    assert (expected(SHARED, np.full((1, 5), np.nan)) == 0).all()
