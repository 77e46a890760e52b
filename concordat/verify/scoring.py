"""From providers' statements to the unified score: what the exchange does, and whoever checks it does again."""

from collections.abc import Iterable
from datetime import datetime

from concordat import v1
from concordat.federation.calibrations import OpenedCalibration
from concordat.pooling import CompiledCalibration, Heard, pool, with_costs
from concordat.v1 import Absence, CalibrationStanding

Stated = tuple[v1.ScoreScale, v1.ScoreStatement]
"""A provider's verified statement, and the scale of the licence that it was made under."""


def unified_score(
    calibration: CompiledCalibration, stated: Iterable[Stated]
) -> v1.UnifiedScore | None:
    """Pool the statements that count, in their order, costs and all; None where none of them is a score.

    Those count that the calibration reads: scores, and having no record where it declares that this counts.
    A frozen record is as if the provider had not been asked, as are providers with no statement (R27).
    Raises ``ScoreOutOfScale``.
    """
    read = [
        statement
        for scale, statement in stated
        if calibration.reads(statement.provider, scale) and _counts(calibration, statement)
    ]
    scored = [statement for statement in read if statement.WhichOneof("answer") == "score"]
    if not scored:
        return None
    score = pool(calibration, [_heard(statement) for statement in read])
    with_costs(score, {statement.provider: statement.reasons for statement in scored})
    return score


def _counts(calibration: CompiledCalibration, statement: v1.ScoreStatement) -> bool:
    if statement.WhichOneof("answer") == "score":
        return True
    return calibration.no_record_counts and statement.absence == Absence.ABSENCE_NO_RECORD


def _heard(statement: v1.ScoreStatement) -> Heard:
    has_score = statement.WhichOneof("answer") == "score"
    return statement.provider, statement.score if has_score else None


def standing_of(
    calibration: OpenedCalibration,
    provider: str,
    scale: v1.ScoreScale,
    at: datetime,
    *,
    drifted: bool = False,
) -> CalibrationStanding.ValueType:
    """Return how far ``calibration`` can be relied on at ``at`` for a provider that answered.

    ``drifted``: whether the exchange has found that the provider's scores are no longer those of the fit.
    """
    if not calibration.compiled.reads(provider, scale):
        return CalibrationStanding.CALIBRATION_STANDING_NONE
    if drifted or calibration.is_stale(at):
        return CalibrationStanding.CALIBRATION_STANDING_STALE
    return CalibrationStanding.CALIBRATION_STANDING_UNSPECIFIED
