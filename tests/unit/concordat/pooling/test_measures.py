"""Measures against scikit-learn's, against brute force, and at their edges."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve
from sklearn.metrics import log_loss as sklearn_log_loss

from concordat.pooling.measures import (
    Bools,
    Floats,
    Measured,
    MeasureUndefined,
    auc,
    brier,
    calibration_error,
    calibration_floor,
    calibration_gap,
    equal_count_bins,
    ks,
    log_loss,
    measures,
)

Measure = Callable[[Floats, Bools], Measured]


def drawn(subjects: int, seed: int = 1, *, ties: bool = False) -> tuple[Floats, Bools]:
    """Probabilities that are exact, and outcomes drawn from them."""
    draw = np.random.default_rng(seed)
    default = 1 / (1 + np.exp(-draw.normal(-1, 1, subjects)))
    if ties:
        default = np.clip(np.round(default, 1), 0.05, 0.95)
    return default, draw.random(subjects) < default


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_measures_are_those_of_scikit_learn(seed: int, ties: bool) -> None:
    default, outcome = drawn(500, seed, ties=ties)
    false_rate, true_rate, _ = roc_curve(outcome, default, drop_intermediate=False)
    expected = {
        auc: roc_auc_score(outcome, default),
        ks: np.max(np.abs(true_rate - false_rate)),
        brier: brier_score_loss(outcome, default),
        log_loss: sklearn_log_loss(outcome, default),
    }
    for measure, value in expected.items():
        assert measure(default, outcome).value == pytest.approx(value, abs=1e-12), measure


def test_the_calibration_error_is_the_weighted_distance_of_quantile_bins() -> None:
    default, outcome = drawn(1000)
    rates, means = calibration_curve(outcome, default, n_bins=10, strategy="quantile")
    expected = np.abs(rates - means).mean()  # 100 subjects in each
    assert calibration_error(default, outcome).value == pytest.approx(expected, abs=1e-12)


def test_delongs_variance_is_that_of_its_definition() -> None:
    risk, outcome = drawn(120, ties=True)
    bad, good = risk[outcome], risk[~outcome]
    wins = (bad[:, None] > good) + 0.5 * (bad[:, None] == good)
    variance = wins.mean(1).var(ddof=1) / bad.size + wins.mean(0).var(ddof=1) / good.size
    found, area = auc(risk, outcome), wins.mean()
    on_logits = np.log(found.high / (1 - found.high)) - np.log(found.low / (1 - found.low))
    assert found.value == pytest.approx(area)
    assert on_logits / 2 == pytest.approx(1.959964 * np.sqrt(variance) / (area * (1 - area)))


@pytest.mark.parametrize("measure", [auc, brier, log_loss, calibration_gap])
def test_intervals_hold_the_truth_in_about_95_of_100_samples(measure: Measure) -> None:
    truth = measure(*drawn(200_000, 99)).value
    held = [low <= truth <= high for _, low, high in (measure(*drawn(300, s)) for s in range(300))]
    assert 0.91 <= np.mean(held) <= 0.99


def test_the_interval_of_ks_holds_it_although_it_leans_upwards() -> None:
    truth = ks(*drawn(200_000, 99)).value
    held = [low <= truth <= high for _, low, high in (ks(*drawn(2000, s)) for s in range(200))]
    assert np.mean(held) >= 0.85


@pytest.mark.parametrize("subjects", [40, 1000])
def test_exact_probabilities_have_on_average_the_floors_calibration_error(subjects: int) -> None:
    draw = np.random.default_rng(3)
    default, _ = drawn(subjects)
    errors = [
        calibration_error(default, draw.random(subjects) < default).value for _ in range(2000)
    ]
    assert calibration_floor(default) == pytest.approx(np.mean(errors), rel=0.04)
    assert calibration_floor(default) == calibration_floor(default)


def test_a_risk_that_is_overstated_shows_as_gap_and_calibration_error() -> None:
    default, outcome = drawn(20_000)
    told = default + (1 - default) * 0.2
    assert calibration_gap(told, outcome).low > 0.1
    assert calibration_error(told, outcome).low > 5 * calibration_floor(told)
    assert calibration_error(default, outcome).value < 2 * calibration_floor(default)


def test_equal_values_share_a_bin_and_others_spread_evenly() -> None:
    assert list(equal_count_bins(np.arange(20.0))) == sorted([*range(10)] * 2)
    tied = equal_count_bins(np.array([1.0] * 50 + [2.0, 3.0, 4.0]))
    assert len(set(tied[:50])) == 1
    assert list(tied[50:]) == [9, 9, 9]
    assert list(equal_count_bins(np.array([5.0]))) == [5]


def test_nothing_overlapping_is_told_without_width() -> None:
    risk, outcome = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])
    assert auc(risk, outcome) == (1, 1, 1)
    assert auc(-risk, outcome) == (0, 0, 0)
    assert ks(risk, outcome) == (1, 1, 1)


def test_all_measures_in_parts_per_million() -> None:
    default, outcome = drawn(400)
    found = measures(default, outcome)
    assert (found.subjects, found.defaults) == (400, outcome.sum())
    for name in ("auc", "ks", "brier", "log_loss", "calibration_error"):
        estimate = getattr(found, name)
        assert estimate.low_ppm < estimate.value_ppm < estimate.high_ppm, name
    assert found.auc.value_ppm == round(auc(default, outcome).value * 1e6)
    assert 0 < found.calibration_floor_ppm < 100_000


def test_with_one_outcome_only_the_order_stays_unsaid() -> None:
    found = measures(np.array([0.1, 0.2]), np.array([False, False]))
    assert found.HasField("brier")
    assert not found.HasField("auc")
    assert not found.HasField("ks")


@pytest.mark.parametrize(
    ("default", "outcome", "told"),
    [
        ([], [], "at least one subject"),
        ([0.1, 0.2], [True], "one of each"),
        ([0.1, np.nan], [True, False], "NaN"),
        ([0.1, np.inf], [True, False], "infinite"),
        ([0.1, 1.0], [True, False], "below 1"),
        ([0.0, 0.5], [True, False], "above 0"),
        ([0.1, 0.2], [1, 0], "give true"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    default: list[float], outcome: list[bool], told: str
) -> None:
    values = np.array(outcome, bool if not outcome else None)
    for measure in (brier, log_loss, calibration_error, measures):
        with pytest.raises(MeasureUndefined, match=told):
            measure(np.array(default), values)


@pytest.mark.parametrize("measure", [auc, ks])
@pytest.mark.parametrize("outcome", [True, False])
def test_one_outcome_alone_has_no_order(measure: Measure, outcome: bool) -> None:
    with pytest.raises(MeasureUndefined, match="nothing to tell apart"):
        measure(np.array([0.1, 0.2]), np.array([outcome, outcome]))
