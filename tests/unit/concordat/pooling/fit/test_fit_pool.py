"""A fitted pool: lawful, the same for a seed, told as the pool tells it, better than any provider alone."""

import numpy as np
import pytest

from concordat import v1
from concordat.pooling import CompiledCalibration, Heard, check_calibration, pool
from concordat.pooling.fit import (
    Fitted,
    Sample,
    SampleInvalid,
    Scale,
    check_sample,
    fit_pool,
    interval,
    pooled_log_odds,
    readings_of,
)
from concordat.pooling.fit.maps import fit_map
from concordat.pooling.measures import Bools, Floats, auc
from tests.fit_builders import SCALES, simulated
from tests.pooling_builders import calibration_of

SUBJECTS = 450


def fitted_of(sample: Sample, counts: bool, *, folds: int = 2, seed: int = 0) -> Fitted:
    return fit_pool(sample, SCALES, no_record_counts=counts, folds=folds, seed=seed)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return simulated(SUBJECTS)


@pytest.fixture(scope="module", params=[False, True], ids=["ignored", "counts"])
def fitted(request: pytest.FixtureRequest, sample: Sample) -> Fitted:
    return fitted_of(sample, request.param)


def heard_of(sample: Sample, scores: Floats) -> list[Heard]:
    told = zip(sample.providers, scores.tolist(), strict=True)
    return [(name, int(score) if np.isfinite(score) else None) for name, score in told]


def test_fitted_model_is_a_lawful_calibration(fitted: Fitted) -> None:
    for model in (fitted.model, *fitted.cross.models):
        check_calibration(calibration_of(model))
        assert [p.provider for p in model.providers] == list(SCALES)
        for reading, scale in zip(model.providers, SCALES.values(), strict=True):
            assert (reading.knots[0].score, reading.knots[-1].score) == (
                scale.minimum,
                scale.maximum,
            )
    assert len(fitted.cross.models) == 2
    assert np.isfinite(fitted.cross.log_odds).all()


def test_many_subjects_at_once_are_pooled_as_each_alone(fitted: Fitted, sample: Sample) -> None:
    compiled = CompiledCalibration.from_message(calibration_of(fitted.model))
    rng = np.random.default_rng(1)
    scores = np.column_stack(
        [rng.integers(scale.minimum, scale.maximum + 1, 300) for scale in SCALES.values()]
    ).astype(np.float64)
    scores[rng.random(scores.shape) < 0.4] = np.nan
    scores = scores[np.isfinite(scores).any(axis=1)]
    at_once = pooled_log_odds(fitted.model, scores)
    told = [pool(compiled, heard_of(sample, row)) for row in scores]
    p = 1 / (1 + np.exp(-at_once))
    allowed = 1 + 1e6 * 1e-4 * p * (1 - p)  # rounding, and 1e-4 of log-odds
    missed = np.abs(np.array([each.default_ppm for each in told]) - 1e6 * p) > allowed
    assert missed.mean() <= 0.01  # a reading at a threshold of a tree


def test_interval_of_many_subjects_at_once_is_that_of_each_alone(fitted: Fitted) -> None:
    compiled = CompiledCalibration.from_message(calibration_of(fitted.model))
    later = simulated(300, seed=80)
    ends = 1 / (1 + np.exp(-interval(fitted.model, later.scores)))
    told = [pool(compiled, heard_of(later, row)) for row in later.scores]
    each = np.array([(one.default_low_ppm, one.default_high_ppm) for one in told])
    wider = (each - 1e6 * ends) * [1, -1]
    assert (wider < -30).mean() <= 0.01
    if not fitted.model.no_record_counts:  # else it errs on the wide side
        assert (wider > 30).mean() <= 0.01


def test_provider_that_was_not_asked_is_not_one_without_a_record(fitted: Fitted) -> None:
    scores = np.array([[600.0, np.nan, 10.0, np.nan]])
    asked = np.array([[True, False, True, False]])
    both = [pooled_log_odds(fitted.model, scores, heard=h)[0] for h in (None, asked)]
    assert (both[0] != both[1]) == fitted.model.no_record_counts
    assert readings_of(fitted.model, scores).shape == (1, 5)


def test_fitted_pool_never_falls_where_a_score_is_riskier(fitted: Fitted, sample: Sample) -> None:
    before = pooled_log_odds(fitted.model, sample.scores)
    for column, scale in enumerate(SCALES.values()):
        riskier = sample.scores.copy()
        step = 0.1 * (scale.maximum - scale.minimum) * (1 if scale.riskier else -1)
        riskier[:, column] = np.clip(
            np.rint(riskier[:, column] + step), scale.minimum, scale.maximum
        )
        assert (pooled_log_odds(fitted.model, riskier) >= before - 2e-5).all()


def test_same_seed_gives_the_same_model(sample: Sample) -> None:
    few = sample.of(np.arange(300))
    one, same = (fitted_of(few, False, seed=3) for _ in range(2))
    assert one.model == same.model
    assert (one.cross.log_odds == same.cross.log_odds).all()
    assert fitted_of(few, False, seed=4).model != one.model


def test_pool_beats_the_best_single_provider_by_far(fitted: Fitted) -> None:
    later = simulated(4000, missing=0.0, seed=77)
    pooled = pooled_log_odds(fitted.model, later.scores)
    alone = [
        pooled_log_odds(fitted.model, later.scores, heard=np.tile(np.arange(4) == at, (4000, 1)))
        for at in range(4)
    ]
    best = max(auc(each, later.outcomes).value for each in alone)
    assert auc(pooled, later.outcomes).value > best + 0.04
    assert log_loss(pooled, later.outcomes) < min(log_loss(a, later.outcomes) for a in alone) - 0.03


def test_fewer_heard_are_told_of_with_a_probability_that_still_holds(fitted: Fitted) -> None:
    later = simulated(4000, missing=0.0, seed=78)
    for heard in ([0], [1, 2], [0, 1, 2]):
        asked = np.tile(np.isin(np.arange(4), heard), (4000, 1))
        told = 1 / (1 + np.exp(-pooled_log_odds(fitted.model, later.scores, heard=asked)))
        assert abs(told.mean() - later.outcomes.mean()) < 0.06


def test_intervals_narrow_with_each_one_heard_and_hold_what_all_would_say(fitted: Fitted) -> None:
    later = simulated(1000, missing=0.0, seed=79)
    whole = pooled_log_odds(fitted.model, later.scores)
    before = np.inf
    for count in range(1, 5):
        asked = np.tile(np.arange(4) < count, (1000, 1))
        low, high = interval(fitted.model, later.scores, heard=asked).T
        assert ((low <= whole) & (whole <= high)).mean() > 0.8
        width = float((high - low).mean())
        assert width <= before
        before = width


def log_loss(log_odds: Floats, outcomes: Bools) -> float:
    return float(np.logaddexp(0, np.where(outcomes, -log_odds, log_odds)).mean())


# Samples of every shape -------------------------------------------------------------------------


def test_one_provider_is_pooled_as_its_own_map_reads_it() -> None:
    sample = simulated(400, missing=0.0, providers=1)
    fitted = fitted_of(sample, True)
    check_calibration(calibration_of(fitted.model))
    assert not fitted.model.no_record_counts
    own = fit_map(sample.scores[:, 0], sample.outcomes.astype(np.float64), SCALES["alder-bank"])
    middle = np.abs(sample.scores[:, 0] - 600) < 100
    told = pooled_log_odds(fitted.model, sample.scores[middle])
    assert np.abs(told - own(sample.scores[middle, 0])).mean() < 0.35


def test_three_hundred_subjects_are_enough() -> None:
    fitted = fitted_of(simulated(300, seed=5), True)
    check_calibration(calibration_of(fitted.model))
    assert fitted.model.no_record_counts


def test_whom_everybody_knows_has_no_record_to_count() -> None:
    fitted = fitted_of(simulated(300, missing=0.0), True)
    assert not fitted.model.no_record_counts
    assert all(p.record_ppm == 1_000_000 for p in fitted.model.providers)
    assert not any(p.record_loading_ppm for p in fitted.model.providers)
    check_calibration(calibration_of(fitted.model))


def test_one_provider_that_knows_everybody_is_fitted_beside_others() -> None:
    sample = simulated(350)
    sample.scores[:, 0] = np.where(np.isfinite(sample.scores[:, 0]), sample.scores[:, 0], 600)
    fitted = fitted_of(sample, True)
    check_calibration(calibration_of(fitted.model))
    assert fitted.model.no_record_counts
    assert fitted.model.providers[0].record_ppm == 1_000_000


def test_coarse_scores_and_one_that_hardly_differs_are_fitted() -> None:
    sample = simulated(350, missing=0.0, providers=3)
    sample.scores[:, 2] = np.rint(sample.scores[:, 2] / 5) * 5
    sample.scores[:, 2] = np.clip(sample.scores[:, 2], 5, 15)
    sample.scores[:, 1] = 500
    sample.scores[0, 1] = 900  # one of the folds does not see it
    check_calibration(calibration_of(fitted_of(sample, False).model))


def test_progress_is_told_to_its_end() -> None:
    told: list[tuple[str, float]] = []
    fit_pool(
        simulated(300, providers=2),
        SCALES,
        no_record_counts=False,
        folds=2,
        progress=lambda what, share: told.append((what, share)),
    )
    assert told[0] == ("fold 1 of 2", 0.0)
    assert told[-1] == ("done", 1.0)
    assert [share for _, share in told] == sorted(share for _, share in told)


# What is refused --------------------------------------------------------------------------------


def changed(
    *,
    providers: tuple[str, ...] = ("alder-bank", "birch-payments"),
    scores: Floats | None = None,
    outcomes: Bools | None = None,
) -> Sample:
    sample = simulated(200, missing=0.0, providers=2)
    return Sample(
        providers,
        sample.scores if scores is None else scores,
        sample.outcomes if outcomes is None else outcomes,
    )


def scores_with(row: int, column: int | slice, score: float) -> Floats:
    scores = simulated(200, missing=0.0, providers=2).scores
    scores[row, column] = score
    return scores


def few_known() -> Floats:
    scores = simulated(200, missing=0.0, providers=2).scores
    scores[19:, 1] = np.nan
    return scores


@pytest.mark.parametrize(
    ("sample", "advice"),
    [
        (changed(scores=np.zeros((3, 2))), r"scores: have the shape \(3, 2\), not \(200, 2\)"),
        (changed(providers=("alder-bank", "stranger")), "stranger: has no scale; give its licence"),
        (changed(scores=scores_with(0, 1, np.inf)), "birch-payments: an infinite score; leave it"),
        (
            changed(scores=scores_with(0, 0, 299)),
            "alder-bank: 299 is outside its scale, 300 to 900",
        ),
        (changed(scores=scores_with(0, 1, 1001)), "birch-payments: 1001 is outside its scale"),
        (
            changed(scores=few_known()),
            "birch-payments: knows 19 subjects, fewer than 20; leave the",
        ),
        (changed(scores=np.full((200, 2), 500.0)), "alder-bank: fewer than two different scores"),
        (changed(scores=scores_with(7, slice(None), np.nan)), "row 8: .* leave out the 1 such"),
        (
            changed(outcomes=np.arange(200) < 19),
            "19 defaults of 200: .* observe for longer, or declare",
        ),
        (changed(outcomes=np.arange(200) > 18), "181 defaults of 200: .* observe for longer"),
    ],
)
def test_sample_that_cannot_be_fitted_to_is_refused_with_what_to_do(
    sample: Sample, advice: str
) -> None:
    with pytest.raises(SampleInvalid, match=advice):
        check_sample(sample, SCALES)
    with pytest.raises(SampleInvalid, match=advice):
        fit_pool(sample, SCALES, no_record_counts=False)


@pytest.mark.parametrize("folds", [0, 1, 1000])
def test_folds_that_cannot_be_are_refused(folds: int) -> None:
    with pytest.raises(ValueError, match="give 2 to"):
        fitted_of(simulated(200, providers=2), False, folds=folds)


def test_scale_is_that_of_a_licence() -> None:
    riskier = v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_RISKIER
    message = v1.ScoreScale(minimum=1, maximum=20, direction=riskier)
    assert Scale.of(message) == Scale(1, 20, riskier=True)
