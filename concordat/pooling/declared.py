"""A model with nothing fitted, for a federation that has no outcomes yet.

Each provider is believed as its licence declares its scores, and every pair of providers is taken to
repeat each other by the same correlation rho: evidence e_i = l_i - L0 of n that were heard is then
worth as much as n / (1 + (n - 1) rho) independent pieces (the design effect of an equicorrelated
sample; Kish, Survey Sampling, 1965). In the terms of a fitted model: every loading is sqrt(rho), and
one ramp of weight 1 / (1 + (N - 1) rho) for each of all N providers. With the expectation of those
that are missing, the sum over n heard comes out as L0 + sum(e_i) / (1 + (n - 1) rho) for every n.
"""

from collections.abc import Mapping
from math import isqrt

from concordat import v1
from concordat.pooling.scale import MICRO, CompiledScale, divide_half_even, logit_micro

METHOD = "declared"
POINTS = v1.PointScale(at_odds=600, odds=30, to_double=20)
"""600 points at odds of 30 to 1 against default, 20 double them."""

_FIT_VARIANCE = 250_000
"""Half a log-odds of standard deviation: nobody has compared the declarations with outcomes."""


def declare(
    scales: Mapping[str, v1.ScoreScale],
    *,
    base_default_ppm: int = 50_000,
    dependence_permille: int = 300,
) -> v1.PoolingModel:
    """Return the model that follows from the providers' own declarations.

    Args:
        scales: of each provider's licence, by member_id.
        base_default_ppm: probability of default of a subject of whom nothing is known, ppm.
        dependence_permille: how far one provider's evidence repeats another's, 0 to 900.

    Raises:
        ScaleInvalid: a scale contradicts itself.
        ValueError: `base_default_ppm` is not 1 to 999,999, or `dependence_permille` not 0 to 900.
    """
    if not 0 <= dependence_permille <= 900:  # noqa: PLR2004 - in the docstring
        raise ValueError(f"a dependence of {dependence_permille} permille; give 0 to 900")
    base = logit_micro(base_default_ppm)
    divisor = 1000 + (len(scales) - 1) * dependence_permille
    weight = divide_half_even(1000 * MICRO, divisor)
    loading = isqrt(dependence_permille * MICRO * 1000)
    readings = [
        _reading(provider, scale, base, loading, weight) for provider, scale in scales.items()
    ]
    return v1.PoolingModel(
        providers=readings,
        intercept_micro=base,
        ramps=[
            v1.Ramp(reading=place, side=v1.RampSide.RAMP_SIDE_ALL, weight_micro=weight)
            for place in range(len(scales))
        ],
        width_permille=1000,
        fit_variance_micro=_FIT_VARIANCE,
    )


def _reading(
    provider: str, scale: v1.ScoreScale, base: int, loading: int, weight: int
) -> v1.ProviderReading:
    compiled = CompiledScale.from_message(scale)
    return v1.ProviderReading(
        provider=provider,
        knots=[
            v1.CalibrationKnot(score=score, log_odds_micro=log_odds)
            for score, log_odds in zip(compiled.scores, compiled.log_odds, strict=True)
        ],
        center_micro=base,
        spread_micro=MICRO,
        loading_ppm=loading,
        floor_micro=-10 * MICRO,
        ceiling_micro=10 * MICRO,
        record_ppm=MICRO,
        effect_micro=weight,
    )
