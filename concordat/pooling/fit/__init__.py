"""Fitting a calibration to outcomes; numpy only. `concordat calibrate fit` is its command."""

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
    "fit_pool",
    "interval",
    "pooled_log_odds",
    "readings_of",
]
