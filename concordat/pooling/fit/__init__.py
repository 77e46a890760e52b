"""Fitting a calibration to outcomes; numpy only. `concordat calibrate fit` is its command."""

from collections.abc import Mapping

from concordat import v1
from concordat.pooling.fit.batch import interval, pooled_log_odds, readings_of
from concordat.pooling.fit.pooled import METHOD, CrossFit, Fitted, Progress, fit_pool
from concordat.pooling.fit.sample import Sample, SampleInvalid, Scale, check_sample

__all__ = [
    "METHOD",
    "CrossFit",
    "Fitted",
    "Progress",
    "Sample",
    "SampleInvalid",
    "Scale",
    "check_sample",
    "cross_fit",
    "fit_model",
    "fit_pool",
    "interval",
    "pooled_log_odds",
    "readings_of",
]


def fit_model(
    sample: Sample,
    scales: Mapping[str, Scale],
    *,
    no_record_counts: bool,
    seed: int = 0,
    progress: Progress | None = None,
) -> v1.PoolingModel:
    """Fit a model; arguments and errors as `fit_pool`."""
    return fit_pool(
        sample, scales, no_record_counts=no_record_counts, seed=seed, progress=progress
    ).model


def cross_fit(
    sample: Sample,
    scales: Mapping[str, Scale],
    *,
    no_record_counts: bool,
    folds: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> CrossFit:
    """Fit models that did not see a fold; arguments and errors as `fit_pool`."""
    return fit_pool(
        sample,
        scales,
        no_record_counts=no_record_counts,
        folds=folds,
        seed=seed,
        progress=progress,
    ).cross
