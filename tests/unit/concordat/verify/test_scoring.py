"""Which statements make the unified score: one rule for who makes a view and for who checks it."""

from typing import Any

import pytest

from concordat import v1
from concordat.federation.calibrations import OpenedCalibration
from concordat.pooling import ScoreOutOfScale, declare, pool
from concordat.v1 import Absence, CalibrationStanding
from concordat.verify.scoring import Stated, standing_of, unified_score
from tests.builders import AT, PROVIDERS, Federation, scale

ALDER, BIRCH, CEDAR = PROVIDERS
NO_RECORD, FROZEN = Absence.ABSENCE_NO_RECORD, Absence.ABSENCE_FROZEN


def calibration(*names: str, no_record_counts: bool = False) -> OpenedCalibration:
    federation = Federation(calibrated=False)
    model = declare(dict.fromkeys(names or PROVIDERS, scale()))
    model.no_record_counts = no_record_counts
    return federation.calibrate(model=model)


def stated(provider: str, answer: int | None = None, **fields: Any) -> Stated:
    """Return a statement of a score, or of an absence where ``absence`` says so."""
    if answer is not None:
        fields["score"] = answer
    return scale(), v1.ScoreStatement(provider=provider, **fields)


def test_the_score_is_the_pool_of_what_was_stated_in_that_order() -> None:
    used = calibration().compiled
    score = unified_score(used, [stated(CEDAR, 500), stated(ALDER, 700)])
    assert score == pool(used, [(CEDAR, 500), (ALDER, 700)])


def test_reasons_are_ranked_by_what_they_cost() -> None:
    answers = [stated(ALDER, 500, reasons=["BK02", "BK01"]), stated(BIRCH, 400, reasons=["BK03"])]
    score = unified_score(calibration().compiled, answers)
    assert score is not None
    assert [(cost.provider, cost.code) for cost in score.costs] == [
        (BIRCH, "BK03"),
        (ALDER, "BK02"),
        (ALDER, "BK01"),
    ]


@pytest.mark.parametrize("no_record_counts", [False, True])
def test_a_frozen_record_is_as_if_nobody_had_been_asked(no_record_counts: bool) -> None:
    used = calibration(no_record_counts=no_record_counts).compiled
    answers = [stated(ALDER, 700), stated(CEDAR, absence=FROZEN)]
    assert unified_score(used, answers) == unified_score(used, answers[:1])


@pytest.mark.parametrize("no_record_counts", [False, True])
def test_no_record_is_heard_where_the_model_says_so(no_record_counts: bool) -> None:
    used = calibration(no_record_counts=no_record_counts).compiled
    score = unified_score(used, [stated(ALDER, 700), stated(CEDAR, absence=NO_RECORD)])
    assert score is not None
    heard = [(one.provider, one.no_record) for one in score.contributions]
    assert heard == [(ALDER, False), (CEDAR, True)][: 1 + no_record_counts]


@pytest.mark.parametrize("no_record_counts", [False, True])
def test_without_a_score_that_is_read_there_is_none(no_record_counts: bool) -> None:
    used = calibration(ALDER, no_record_counts=no_record_counts).compiled
    answers = [stated(ALDER, absence=NO_RECORD), stated(BIRCH, 700), stated(CEDAR, absence=FROZEN)]
    assert unified_score(used, answers) is None
    assert unified_score(used, []) is None


def test_a_score_on_another_scale_than_the_fits_is_not_read() -> None:
    used = calibration().compiled
    grown = scale(300, 900), v1.ScoreStatement(provider=BIRCH, score=880)
    assert unified_score(used, [stated(ALDER, 700), grown]) == unified_score(
        used, [stated(ALDER, 700)]
    )


def test_a_score_off_its_scale_is_never_pooled() -> None:
    with pytest.raises(ScoreOutOfScale):
        unified_score(calibration().compiled, [stated(ALDER, 851)])


def test_not_read_goes_before_stale() -> None:
    used = calibration(ALDER)
    standing = CalibrationStanding
    cases = [(ALDER, False), (ALDER, True), (BIRCH, True)]
    assert [standing_of(used, name, scale(), AT, drifted=drifted) for name, drifted in cases] == [
        standing.CALIBRATION_STANDING_UNSPECIFIED,
        standing.CALIBRATION_STANDING_STALE,
        standing.CALIBRATION_STANDING_NONE,
    ]
    ended = used.stale_from
    assert standing_of(used, ALDER, scale(), ended) == standing.CALIBRATION_STANDING_STALE
    assert standing_of(used, BIRCH, scale(), ended) == standing.CALIBRATION_STANDING_NONE
