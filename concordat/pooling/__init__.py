"""The unified score: from providers' scales to log-odds to points; pure, exact integers.

`docs/unified-score.md` gives the formula with a worked example.
"""

from concordat.pooling.calibration import (
    CalibrationInvalid,
    CompiledCalibration,
    check_calibration,
)
from concordat.pooling.costs import with_costs
from concordat.pooling.declared import declare
from concordat.pooling.points import POINTS_HIGHEST, POINTS_LOWEST, band_of, floor_above, reaches
from concordat.pooling.pool import Heard, pool
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
    "CalibrationInvalid",
    "CompiledCalibration",
    "CompiledScale",
    "Heard",
    "ScaleInvalid",
    "ScoreOutOfScale",
    "band_of",
    "check_calibration",
    "check_scale",
    "declare",
    "floor_above",
    "log_odds_micro",
    "logit_micro",
    "pool",
    "reaches",
    "with_costs",
]
