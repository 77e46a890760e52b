"""Fitting a pool: maps, the shared risk, straight terms and trees, and how much each of the two counts.

1. A map from score to log-odds for each provider (`maps`).
2. The shared risk (`shared`), and with it every subject's readings. Some subjects come twice: as they are, and
   with some of their providers taken away, so that the terms also hold for those.
3. Straight terms (`lines`) and trees (`trees`), each a whole model of its own. Lines need few outcomes and
   reach beyond the sample, trees find what no line says.
4. Each subject's log-odds by models that were fitted without it, one fold after the other, and on those how
   much lines and trees count: a logistic regression that pulls the two towards 0.4 and 0.6.
5. On the same, the last step from the sum of all terms to the log-odds told (`maps.fit_told`).
6. The same on everybody, with the weights and the last step found.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from concordat import v1
from concordat.pooling.fit.batch import pooled_log_odds
from concordat.pooling.fit.lines import Lines, fit_lines
from concordat.pooling.fit.maps import RiskMap, fit_map, fit_told, log_odds_by
from concordat.pooling.fit.nonneg import fit_logistic, logit
from concordat.pooling.fit.out_of_fold import out_of_fold
from concordat.pooling.fit.sample import Sample, Scale, check_sample
from concordat.pooling.fit.shared import Shared, expected, fit_shared, held_back
from concordat.pooling.fit.trees import Boosting, Grown, boost, with_trees
from concordat.pooling.fit.widths import set_widths
from concordat.pooling.fit.written import write_model
from concordat.pooling.measures import Floats, Ints

Progress = Callable[[str, float], None]

METHOD = "shared-risk-1"
_HOW_MANY = 0.3  # share of the subjects that come again with some of their providers taken away
_TAKEN_AWAY = 0.5  # weight of such a subject in the terms
_TOLD_FEWER = 0.5  # weight of such a subject in the last step
_LINES = 0.4  # what the weight of lines is pulled to
_TREES = 0.6  # what the weight of trees is pulled to
_PULL = 15.0  # how hard both are


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Everything fitted to one sample, before lines and trees are weighed."""

    maps: list[RiskMap]
    shared: Shared
    lines: Lines
    trees: list[Grown]
    start: float  # log-odds that the trees start from
    counts: bool

    def readings(self, scores: Floats) -> Floats:
        """Return the readings that the terms are of (n, d), everybody asked."""
        log_odds = log_odds_by(self.maps, scores)
        recorded = np.isfinite(scores).astype(np.float64) if self.counts else None
        return _used(expected(self.shared, log_odds, recorded), self.counts)

    def of_trees(self, readings: Floats) -> Floats:
        """Return the log-odds by the trees."""
        return with_trees(self.start, self.trees, readings)


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """How much lines and trees count: log-odds = start + lines * by lines + trees * by trees."""

    start: float
    lines: float
    trees: float


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """Models that were fitted without a fold, and what each says of that fold.

    Attributes:
        log_odds: (n,) pooled, each by the model of its fold.
        fold: (n,) 0 to folds - 1.
        models: of each fold.
    """

    log_odds: Floats
    fold: Ints
    models: list[v1.PoolingModel]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A model, and the cross-fit that its figures come from."""

    model: v1.PoolingModel
    cross: CrossFit


def fit_pool(
    sample: Sample,
    scales: Mapping[str, Scale],
    *,
    no_record_counts: bool,
    folds: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a pool to outcomes; the same arguments give the same model.

    Args:
        sample: scores and outcomes.
        scales: of each of its providers.
        no_record_counts: whether it is to move the score that a provider has no record. In a sample where
            everybody is on record everywhere it can't.
        folds: of the cross-fitting, 2 or more.
        seed: of everything that is drawn.
        progress: told what is being done and how much of it is, 0 to 1.

    Raises:
        SampleInvalid: the sample cannot be fitted to.
        ValueError: fewer than 2 folds, or more than there are defaults or others.
    """
    check_sample(sample, scales)
    tell = progress or _silent
    counts = no_record_counts and not bool(np.isfinite(sample.scores).all())
    ordered = [scales[provider] for provider in sample.providers]
    fold = folds_of(sample, folds, seed)
    parts = []
    for number in range(folds):
        tell(f"fold {number + 1} of {folds}", number / (folds + 1))
        parts.append(fit_parts(sample.of(fold != number), ordered, counts, seed))
    blend = _blend(sample, parts, fold)
    models = [write_model(sample.providers, p, blend) for p in parts]
    tell("everybody", folds / (folds + 1))
    whole = write_model(sample.providers, fit_parts(sample, ordered, counts, seed), blend)
    told = _told(sample, models, fold, seed)
    for model in (*models, whole):
        model.told.extend(told)
    cross = CrossFit(out_of_fold(pooled_log_odds, models, fold, sample.scores), fold, models)
    set_widths([*models, whole], sample, fold, seed)
    tell("done", 1.0)
    return Fitted(whole, cross)


def folds_of(sample: Sample, folds: int, seed: int) -> Ints:
    """Return each subject's fold (n,), defaults and others spread evenly."""
    fewest = min(int(sample.outcomes.sum()), int((~sample.outcomes).sum()))
    if not 2 <= folds <= fewest:  # noqa: PLR2004 - one is no cross-fitting
        raise ValueError(
            f"{folds} folds; give 2 to {fewest}, as many as there are of the rarer outcome"
        )
    rng = np.random.default_rng(seed)
    fold = np.empty(len(sample), dtype=np.int64)
    for outcome in (False, True):
        rows = rng.permutation(np.flatnonzero(sample.outcomes == outcome))
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def fit_parts(sample: Sample, scales: list[Scale], counts: bool, seed: int) -> Parts:  # noqa: FBT001 - a value
    """Fit maps, shared risk, lines and trees to a sample."""
    outcomes = sample.outcomes.astype(np.float64)
    known = np.isfinite(sample.scores)
    maps = [
        fit_map(column[k], outcomes[k], scale)
        for column, k, scale in zip(sample.scores.T, known.T, scales, strict=True)
    ]
    log_odds = log_odds_by(maps, sample.scores)
    start = logit((outcomes.sum() + 0.5) / (len(outcomes) + 1))
    shared = held_back(fit_shared(log_odds, start, record_counts=counts))
    rng = np.random.default_rng(seed)
    again = rng.permutation(len(sample))[: round(_HOW_MANY * len(sample))]
    keep = rng.random((len(again), known.shape[1])) < rng.random((len(again), 1))
    recorded = known.astype(np.float64) if counts else None
    fewer = expected(
        shared,
        np.where(keep, log_odds[again], np.nan),
        np.where(keep, known[again], np.nan) if counts else None,
    )
    readings = _used(np.vstack([expected(shared, log_odds, recorded), fewer]), counts)
    twice = np.concatenate([outcomes, outcomes[again]])
    weights = np.repeat([1.0, _TAKEN_AWAY], [len(sample), len(again)])
    strength = np.append(shared.loading, 1.0) if counts else shared.loading
    return Parts(
        maps,
        shared,
        fit_lines(readings, twice, weights, strength),
        boost(readings, twice, weights, start, Boosting(), rng),
        start,
        counts,
    )


def _used(readings: Floats, counts: bool) -> Floats:  # noqa: FBT001 - a value
    """Leave out the shared risk, which says nothing more where all else is known of a subject."""
    return readings if counts else readings[:, :-1]


def _blend(sample: Sample, parts: list[Parts], fold: Ints) -> Blend:
    of_lines, of_trees = np.empty(len(sample)), np.empty(len(sample))
    for number, part in enumerate(parts):
        rows = fold == number
        readings = part.readings(sample.scores[rows])
        of_lines[rows], of_trees[rows] = part.lines(readings), part.of_trees(readings)
    rate = logit(float(sample.outcomes.mean()))
    both = np.column_stack([of_lines - rate, of_trees - rate])
    # Coefficients are pulled to 0; so what they are to be pulled to stands in the offset.
    b = fit_logistic(
        np.column_stack([np.ones(len(both)), both]),
        sample.outcomes.astype(np.float64),
        np.ones(len(both)),
        np.diag([0.0, _PULL, _PULL]),
        np.array([False, False, False]),
        rate + both @ np.array([_LINES, _TREES]),
    )
    lines, trees = max(0.0, _LINES + float(b[1])), max(0.0, _TREES + float(b[2]))
    return Blend(rate + float(b[0]) - rate * (lines + trees), lines, trees)


def _told(
    sample: Sample, models: list[v1.PoolingModel], fold: Ints, seed: int
) -> list[v1.ToldKnot]:
    """Fit the last step: from sums of terms that did not see a subject to what became of it."""
    rng = np.random.default_rng(seed)
    known = np.isfinite(sample.scores)
    keep = rng.random(known.shape) < rng.random((len(sample), 1))
    fewer = (known & keep).any(axis=1)
    sums = np.concatenate(
        [
            out_of_fold(pooled_log_odds, models, fold, sample.scores),
            out_of_fold(pooled_log_odds, models, fold, sample.scores, keep)[fewer],
        ]
    )
    outcomes = np.concatenate([sample.outcomes, sample.outcomes[fewer]]).astype(np.float64)
    weights = np.repeat([1.0, _TOLD_FEWER], [len(sample), int(fewer.sum())])
    knots, levels = fit_told(sums, outcomes, weights)
    return [
        v1.ToldKnot(sum_micro=round(at * 1e6), log_odds_micro=round(level * 1e6))
        for at, level in zip(knots.tolist(), levels.tolist(), strict=True)
    ]


def _silent(what: str, share: float) -> None:
    del what, share
