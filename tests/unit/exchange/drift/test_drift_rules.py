"""When a provider's scores, or what becomes of its subjects, have moved; against scipy and by simulation."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from concordat.v1 import DriftCause, DriftLevel
from exchange.drift.rules import Bin, chi_square_tail, find, fit_of, stability_of
from exchange.drift.settings import DriftSettings

AT = datetime(2026, 6, 1, tzinfo=UTC)
LATER = AT + timedelta(days=100)
SETTINGS = DriftSettings()
SHARES = np.full(10, 0.1)
RATES = np.linspace(0.30, 0.02, 10)
NONE, WATCH, STALE = (
    DriftLevel.DRIFT_LEVEL_NONE,
    DriftLevel.DRIFT_LEVEL_WATCH,
    DriftLevel.DRIFT_LEVEL_STALE,
)
POPULATION, OUTCOMES, DATE = (
    DriftCause.DRIFT_CAUSE_POPULATION,
    DriftCause.DRIFT_CAUSE_OUTCOMES,
    DriftCause.DRIFT_CAUSE_DATE,
)


def bins(
    scores: object = (0,) * 10,
    outcomes: object = (0,) * 10,
    defaults: object = (0,) * 10,
    sample: int = 2000,
) -> list[Bin]:
    """Return ten bins of a sample with the rates above, and what is counted of them now."""
    counted = np.array([scores, outcomes, defaults], dtype=int).T
    return [
        Bin(500 + 20 * place, sample, round(sample * RATES[place]), *map(int, counts))
        for place, counts in enumerate(counted)
    ]


def shifted(by: float, total: int = 100_000) -> list[int]:
    """Return scores of a population that lies ``by`` standard deviations lower than the sample."""
    edges = stats.norm.ppf(np.linspace(0, 1, 11))
    return [round(total * share) for share in np.diff(stats.norm.cdf(edges + by))]


# Population -------------------------------------------------------------------------------------


def test_the_index_is_the_textbooks() -> None:
    # With half a subject in every bin it differs from the plain one by next to nothing on large counts.
    now = np.array(shifted(0.4))
    p, q = now / now.sum(), SHARES
    plain = float(((p - q) * np.log(p / q)).sum())
    assert stability_of(bins(now)).psi == pytest.approx(plain, rel=2e-3)


def test_an_empty_bin_leaves_the_index_finite() -> None:
    found = stability_of(bins([0] * 9 + [5000]))
    assert 1 < found.psi < 20


def test_the_noise_is_the_mean_of_the_index_where_nothing_has_moved() -> None:
    rng = np.random.default_rng(7)
    drawn = [
        stability_of(
            [
                Bin(place, int(then), 0, int(now))
                for place, (then, now) in enumerate(
                    zip(rng.multinomial(4000, SHARES), rng.multinomial(1000, SHARES), strict=True)
                )
            ]
        )
        for _ in range(400)
    ]
    mean = float(np.mean([each.psi for each in drawn]))
    assert drawn[0].noise == pytest.approx(9 * (1 / 1000 + 1 / 4000))
    assert mean == pytest.approx(drawn[0].noise, rel=0.08)


def test_chance_alone_marks_nobody_at_the_least_number_of_subjects() -> None:
    rng = np.random.default_rng(8)
    levels = {
        find(bins(rng.multinomial(1000, SHARES)), LATER, AT, SETTINGS).level for _ in range(300)
    }
    assert levels == {NONE}


@pytest.mark.parametrize(
    ("by", "level"), [(0.0, NONE), (0.25, NONE), (0.4, WATCH), (0.7, STALE), (-0.7, STALE)]
)
def test_scores_that_move_are_watched_then_stale_whichever_way(
    by: float, level: DriftLevel.ValueType
) -> None:
    found = find(bins(shifted(by)), LATER, AT, SETTINGS)
    assert found.level == level
    assert found.causes == (() if level == NONE else (POPULATION,))


def test_too_few_scores_conclude_nothing() -> None:
    found = find(bins([999] + [0] * 9), LATER, AT, SETTINGS)
    assert (found.level, found.stability) == (NONE, None)
    assert find(bins([1000] + [0] * 9), LATER, AT, SETTINGS).level == STALE


def test_a_calibration_without_a_baseline_is_judged_by_its_date_alone() -> None:
    found = find([], LATER, AT, SETTINGS)
    assert (found.level, found.stability, found.fit) == (NONE, None, None)
    assert find([], AT, AT, SETTINGS).causes == (DATE,)
    with pytest.raises(ValueError, match="no subjects"):
        stability_of([])


# Outcomes ---------------------------------------------------------------------------------------


def test_defaults_as_calibrated_move_nothing() -> None:
    found = find(bins(outcomes=[1000] * 10, defaults=1000 * RATES), LATER, AT, SETTINGS)
    assert found.level == NONE
    assert found.fit is not None
    assert found.fit.ratio.low < 1 < found.fit.ratio.high
    assert found.fit.p_value > 0.99


def test_a_population_that_moves_is_no_drift_of_the_calibration() -> None:
    # All from the three riskiest bins: many more default, and just as many as those bins' rates say.
    many = np.array([5000, 3000, 2000] + [0] * 7)
    found = find(bins(outcomes=many, defaults=many * RATES), LATER, AT, SETTINGS)
    assert found.level == NONE
    assert found.fit is not None
    assert found.fit.ratio.value == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("factor", "level"), [(1.2, WATCH), (1.5, STALE), (0.6, STALE)])
def test_more_or_fewer_defaults_than_calibrated_are_watched_then_stale(
    factor: float, level: DriftLevel.ValueType
) -> None:
    found = find(bins(outcomes=[2000] * 10, defaults=2000 * factor * RATES), LATER, AT, SETTINGS)
    assert (found.level, found.causes) == (level, (OUTCOMES,))


def test_a_score_that_no_longer_ranks_is_watched_though_the_sum_is_right() -> None:
    found = find(bins(outcomes=[2000] * 10, defaults=[320] * 10), LATER, AT, SETTINGS)
    assert found.fit is not None
    assert found.fit.ratio.low < 1.1
    assert (found.level, found.causes) == (WATCH, (OUTCOMES,))


def test_too_few_outcomes_conclude_nothing() -> None:
    found = find(bins(outcomes=[999] + [0] * 9, defaults=[999] + [0] * 9), LATER, AT, SETTINGS)
    assert (found.level, found.fit) == (NONE, None)
    with pytest.raises(ValueError, match="no outcomes"):
        fit_of(bins())


def test_intervals_hold_and_the_statistic_is_chi_square_where_the_calibration_holds() -> None:
    rng = np.random.default_rng(9)
    held, p_values = 0, []
    for _ in range(400):
        fit = fit_of(
            [
                Bin(place, 2000, int(then), 0, 500, int(now))
                for place, (then, now) in enumerate(
                    zip(rng.binomial(2000, RATES), rng.binomial(500, RATES), strict=True)
                )
            ]
        )
        held += fit.difference.low <= 0 <= fit.difference.high
        p_values.append(fit.p_value)
    assert held / 400 == pytest.approx(0.95, abs=0.035)
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.035)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 10, 20])
@pytest.mark.parametrize("statistic", [0.0, 0.1, 1.0, 8.3, 40.0, 3000.0])
def test_the_tail_of_chi_square_is_scipys(statistic: float, degrees: int) -> None:
    expected = stats.chi2.sf(statistic, degrees)
    assert chi_square_tail(statistic, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-300)


# Date, and several causes -----------------------------------------------------------------------


def test_a_calibration_past_its_date_is_stale_for_everybody_from_that_moment() -> None:
    good = bins([10_000] * 10)
    assert find(good, AT + timedelta(microseconds=1), AT, SETTINGS).level == NONE
    assert find(good, AT, AT, SETTINGS).causes == (DATE,)
    assert find(good, AT, AT, SETTINGS).level == STALE


def test_the_highest_level_holds_and_every_cause_is_told() -> None:
    found = find(
        bins(shifted(0.4), outcomes=[2000] * 10, defaults=2000 * 1.5 * RATES), AT, AT, SETTINGS
    )
    assert found.level == STALE
    assert found.causes == (POPULATION, OUTCOMES, DATE)


def test_what_is_watched_begins_no_later_than_what_is_stale() -> None:
    with pytest.raises(ValueError, match="no later"):
        DriftSettings(psi_watch=0.3)
    with pytest.raises(ValueError, match="no later"):
        DriftSettings(ratio_watch=1.5)
