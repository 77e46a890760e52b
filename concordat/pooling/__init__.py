"""The unified score: from providers' scales to log-odds to points; pure, exact integers.

`docs/unified-score.md` gives the formula with a worked example.
"""

from concordat.pooling.pool import POINTS_HIGHEST, POINTS_LOWEST, Scored, band_of, pool, reaches
from concordat.pooling.scale import (
    CompiledScale,
    ScaleInvalid,
    ScoreOutOfScale,
    check_scale,
    log_odds_micro,
    logit_micro,
)

__all__ = [
    "POINTS_HIGHEST",
    "POINTS_LOWEST",
    "CompiledScale",
    "ScaleInvalid",
    "ScoreOutOfScale",
    "Scored",
    "band_of",
    "check_scale",
    "log_odds_micro",
    "logit_micro",
    "pool",
    "reaches",
]
