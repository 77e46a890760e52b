"""Ways to make one probability of several scores, side by side with the pool; for `benchmarks/pooling.py`.

Each is a function of a fit (scores, outcomes, scales) that returns a function from scores to log-odds. All but
`mean_rescaled` and `best_single` start from the same logistic calibration of each provider's own score.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from concordat.pooling.fit import Sample, Scale, fit_pool, pooled_log_odds

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Predict = Callable[[Floats], Floats]

_SURE = 1e-4


def logit(p: Floats) -> Floats:
    """Return ln(p / (1 - p)), p held off 0 and 1."""
    held = np.clip(p, _SURE, 1 - _SURE)
    return np.log(held / (1 - held))


def _standing(scales: Sequence[Scale], scores: Floats) -> Floats:
    """Put scores on 0 to 1, higher riskier."""
    columns = [
        ((s - scale.minimum) if scale.riskier else (scale.maximum - s))
        / (scale.maximum - scale.minimum)
        for s, scale in zip(scores.T, scales, strict=True)
    ]
    return np.column_stack(columns)


def _platt(feature: Floats, outcomes: Bools) -> Callable[[Floats], Floats]:
    spread = max(float(feature.std()), 1e-9)
    model = LogisticRegression(C=1e4).fit((feature / spread)[:, None], outcomes)
    return lambda x: model.decision_function((x / spread)[:, None])


class _Calibrated:
    """Each provider's score as log-odds: the mean of a logistic and an isotonic regression."""

    def __init__(self, scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> None:
        self.scales = scales
        self.base = float(logit(np.array([outcomes.mean()]))[0])
        risk = _standing(scales, scores)
        self.lines, self.steps = [], []
        for column in risk.T:
            seen = np.isfinite(column)
            self.lines.append(_platt(column[seen], outcomes[seen]))
            self.steps.append(
                IsotonicRegression(out_of_bounds="clip").fit(column[seen], outcomes[seen])
            )
        self.auc = [roc_auc_score(outcomes[np.isfinite(c)], c[np.isfinite(c)]) for c in risk.T]

    def __call__(self, scores: Floats) -> Floats:
        risk = _standing(self.scales, scores)
        out = np.full(risk.shape, np.nan)
        for place, column in enumerate(risk.T):
            seen = np.isfinite(column)
            line = self.lines[place](column[seen])
            step = logit(np.clip(self.steps[place].predict(column[seen]), 0.01, 0.99))
            out[seen, place] = (line + step) / 2
        return out


def best_single(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
    """For each subject, the provider with the highest AUC of those that know the subject, calibrated."""
    calibrated = _Calibrated(scores, outcomes, scales)
    order = np.argsort(calibrated.auc)[::-1]

    def predict(given: Floats) -> Floats:
        odds = calibrated(given)[:, order]
        first = np.isfinite(odds).argmax(axis=1)
        best: Floats = odds[np.arange(len(odds)), first]
        return best

    return predict


def mean_rescaled(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
    """The mean of the scores on 0 to 1, with one logistic regression for the probability."""
    platt = _platt(np.nanmean(_standing(scales, scores), axis=1), outcomes)
    return lambda given: platt(np.nanmean(_standing(scales, given), axis=1))


def sum_of_log_odds(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
    """The base rate's log-odds and everybody's evidence against it, as if independent."""
    calibrated = _Calibrated(scores, outcomes, scales)
    return lambda given: calibrated.base + np.nansum(calibrated(given) - calibrated.base, axis=1)


def pattern_wise(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
    """A logistic regression of its own for each set of providers that know a subject.

    It is fitted to all who are known to at least those; to fewer than 100 or 10 of either outcome, the sum
    of log-odds stands in.
    """
    calibrated = _Calibrated(scores, outcomes, scales)
    features = calibrated(scores) - calibrated.base

    def predict(given: Floats) -> Floats:
        asked = calibrated(given) - calibrated.base
        out: Floats = calibrated.base + np.nansum(asked, axis=1)
        patterns, of = np.unique(np.isfinite(asked), axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.isfinite(features[:, pattern]).all(axis=1)
            bad = int(outcomes[rows].sum())
            if rows.sum() < 100 or not 10 <= bad <= rows.sum() - 10:  # noqa: PLR2004 - as said above
                continue
            model = LogisticRegression(C=1.0, max_iter=2000)
            model.fit(features[np.ix_(rows, pattern)], outcomes[rows])
            mine = of.ravel() == number
            out[mine] = model.decision_function(asked[np.ix_(mine, pattern)])
        return out

    return predict


def _expanded(evidence: Floats, *, squares: bool, absent: bool) -> Floats:
    missing = np.isnan(evidence)
    x = np.where(missing, 0.0, evidence)
    count = x.shape[1]
    columns = [x]
    if squares:
        columns.append(x**2)
        columns.extend(x[:, [i]] * x[:, [j]] for i in range(count) for j in range(i))
    if absent:
        columns.append(missing.astype(np.float64))
        columns.extend(
            x[:, [i]] * missing[:, [j]] for i in range(count) for j in range(count) if i != j
        )
    return np.hstack(columns)


def _logistic(*, squares: bool, absent: bool, weight: float) -> Callable[..., Predict]:
    def fit(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
        calibrated = _Calibrated(scores, outcomes, scales)

        def features(given: Floats) -> Floats:
            evidence = calibrated(given) - calibrated.base
            return _expanded(evidence, squares=squares, absent=absent)

        design = features(scores)
        spread = design.std(axis=0) + 1e-9
        model = LogisticRegression(C=weight, max_iter=3000).fit(design / spread, outcomes)
        return lambda given: model.decision_function(features(given) / spread)

    return fit


logistic = _logistic(squares=False, absent=False, weight=1.0)
interactions = _logistic(squares=True, absent=False, weight=0.05)
interactions_and_absence = _logistic(squares=True, absent=True, weight=0.05)


def _stacker(
    scores: Floats, outcomes: Bools, scales: Sequence[Scale], *, monotone: bool
) -> Predict:
    calibrated = _Calibrated(scores, outcomes, scales)
    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=120,
        max_leaf_nodes=8,
        min_samples_leaf=30,
        l2_regularization=5.0,
        monotonic_cst=[1] * scores.shape[1] if monotone else None,
        random_state=0,
    ).fit(calibrated(scores), outcomes)
    return lambda given: model.decision_function(calibrated(given))


def monotone_boosted(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
    """Boosted trees that never fall in any calibrated score; what is missing is missing."""
    return _stacker(scores, outcomes, scales, monotone=True)


def unconstrained(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
    """Boosted trees on the same scores with no bound on them at all, averaged over five bags.

    How much the scores hold, whoever pools them.
    """
    calibrated = _Calibrated(scores, outcomes, scales)
    features, rng = calibrated(scores), np.random.default_rng(0)
    models = []
    for bag in range(5):
        rows = rng.permutation(len(outcomes))[: round(0.8 * len(outcomes))]
        model = HistGradientBoostingClassifier(
            learning_rate=0.04,
            max_iter=130,
            max_leaf_nodes=8,
            min_samples_leaf=30,
            l2_regularization=5.0,
            max_features=0.5,
            random_state=bag,
        )
        models.append(model.fit(features[rows], outcomes[rows]))

    def predict(given: Floats) -> Floats:
        odds = calibrated(given)
        mean: Floats = np.mean([model.decision_function(odds) for model in models], axis=0)
        return mean

    return predict


def mean_of_two(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
    """The mean of the log-odds of `monotone_boosted` and `interactions_and_absence`."""
    both = [fit(scores, outcomes, scales) for fit in (monotone_boosted, interactions_and_absence)]
    return lambda given: np.mean([predict(given) for predict in both], axis=0)


def pooled(scores: Floats, outcomes: Bools, scales: Sequence[Scale]) -> Predict:
    """The pool of `concordat.pooling`."""
    named = {f"provider-{place}": scale for place, scale in enumerate(scales)}
    sample = Sample(tuple(named), scores, outcomes)
    model = fit_pool(sample, named, no_record_counts=True).model
    return lambda given: pooled_log_odds(model, given)


METHODS: Mapping[str, Callable[[Floats, Bools, Sequence[Scale]], Predict]] = {
    "best_single": best_single,
    "mean_rescaled": mean_rescaled,
    "sum_of_log_odds": sum_of_log_odds,
    "pattern_wise": pattern_wise,
    "logistic": logistic,
    "interactions": interactions,
    "with_absence": interactions_and_absence,
    "monotone_boosted": monotone_boosted,
    "mean_of_two": mean_of_two,
    "unconstrained": unconstrained,
    "concordat": pooled,
}
