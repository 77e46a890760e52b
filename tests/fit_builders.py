"""Samples drawn from a known model, for tests of fits."""

import numpy as np
import numpy.typing as npt

from concordat.pooling.fit import Sample, Scale

Floats = npt.NDArray[np.float64]

LOADINGS = (0.8, 0.7, 0.6, 0.5)
SCALES = {
    "alder-bank": Scale(300, 900, riskier=False),
    "birch-payments": Scale(0, 1000, riskier=True),
    "cedar-guarantee": Scale(1, 20, riskier=False),
    "dogwood-leasing": Scale(-100, 100, riskier=True),
}


def one_factor(subjects: int, loadings: Floats, seed: int) -> Floats:
    """Return readings (n, k) of one shared risk: mean 0, variance 1."""
    rng = np.random.default_rng(seed)
    risk, own = rng.normal(size=(subjects, 1)), rng.normal(size=(subjects, len(loadings)))
    readings: Floats = loadings * risk + np.sqrt(1 - loadings**2) * own
    return readings


def simulated(subjects: int, *, missing: float = 0.3, providers: int = 4, seed: int = 1) -> Sample:
    """Return subjects whose providers' readings repeat each other, and who default by what each one says."""
    rng = np.random.default_rng(seed + 1000)
    readings = one_factor(subjects, np.array(LOADINGS[:providers]), seed)
    log_odds = -1.2 + 0.7 * readings.sum(axis=1)
    outcomes = rng.random(subjects) < 1 / (1 + np.exp(-log_odds))
    columns = []
    for reading, scale in zip(readings.T, SCALES.values(), strict=False):
        along = np.clip(0.5 + (reading if scale.riskier else -reading) / 7, 0, 1)
        columns.append(np.rint(scale.minimum + along * (scale.maximum - scale.minimum)))
    scores = np.column_stack(columns)
    scores[rng.random(scores.shape) < missing] = np.nan
    heard = np.isfinite(scores).any(axis=1)
    return Sample(tuple(SCALES)[:providers], scores[heard], outcomes[heard])
