"""Taking in what lenders tell of outcomes: counts by bin, each period once, no small cells."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import from_timestamp
from concordat.pooling.baseline import baselines_of
from concordat.refusal import Refusal
from concordat.trust.envelope import Verified
from concordat.v1 import Reason
from exchange.drift import table
from exchange.drift.table import Reported
from exchange.drift.watch import DriftWatch
from exchange.log import records
from exchange.log import table as log


def take_outcomes(
    connection: Connection,
    watch: DriftWatch,
    counts: Verified[v1.OutcomeCounts],
    envelope: v1.Envelope,
    at: datetime,
) -> bool:
    """Keep and log a lender's counts; return whether they stand in place of earlier ones.

    The same bytes again change nothing. Raises ``Refusal``: REASON_OUTCOMES_NOT_OF_CALIBRATION,
    _OUTCOME_CELL_TOO_SMALL, _OUTCOME_PERIOD_OVERLAPS, _OUTCOME_COUNTS_SUPERSEDED.
    """
    said = counts.message
    _require_of_calibration(said, watch, at)
    _require_no_small_cell(said, watch.settings.smallest_cell)
    report = Reported(
        said.lender,
        said.provider,
        said.calibration_version,
        from_timestamp(said.period_from),
        from_timestamp(said.period_until),
        from_timestamp(said.made_at),
        counts.digest,
        envelope.SerializeToString(),
    )
    known = table.reported_by(connection, said.lender, said.provider, said.calibration_version)
    before = standing_before(report, known)
    if before is None or before.digest != report.digest:
        table.put_outcomes(connection, report, at)
        log.enqueue(connection, [records.outcome_counts(said.lender, counts.digest, at)])
    return before is not None


def standing_before(report: Reported, known: Sequence[Reported]) -> Reported | None:
    """Return the report of the same period, which this one replaces, if any.

    Raises ``Refusal`` for a period that overlaps another, as its credits would count twice, and for counts that
    were made no later than those they would replace.
    """
    before = None
    for each in known:
        if (each.period_from, each.period_until) == (report.period_from, report.period_until):
            before = each
        elif each.period_from < report.period_until and report.period_from < each.period_until:
            raise Refusal(
                Reason.REASON_OUTCOME_PERIOD_OVERLAPS,
                f"{each.period_from} until {each.period_until} was reported",
            )
    if before and before.digest != report.digest and report.made_at <= before.made_at:
        raise Refusal(
            Reason.REASON_OUTCOME_COUNTS_SUPERSEDED, f"counts of {before.made_at} are known"
        )
    return before


def _require_of_calibration(said: v1.OutcomeCounts, watch: DriftWatch, at: datetime) -> None:
    """Refuse counts of unknown bins, or of a time when no view was made by the calibration.

    So one lender's reports are bounded in number: by days, providers and calibrations.
    """
    calibration = watch.calibration(said.calibration_version, at)
    if calibration is not None:
        begun, earliest = calibration.not_before, calibration.not_before - table.KEEP
        start, end = from_timestamp(said.period_from), from_timestamp(said.period_until)
        if start < earliest or end <= begun:
            raise Refusal(
                Reason.REASON_OUTCOMES_NOT_OF_CALIBRATION, f"in use since {begun}; {start} to {end}"
            )
    baseline = baselines_of(calibration.message).get(said.provider, ()) if calibration else ()
    if any(each.bin >= len(baseline) for each in said.bins):
        raise Refusal(
            Reason.REASON_OUTCOMES_NOT_OF_CALIBRATION,
            f"calibration {said.calibration_version} has {len(baseline)} bins of {said.provider}",
        )


def _require_no_small_cell(said: v1.OutcomeCounts, smallest: int) -> None:
    least = min(each.subjects for each in said.bins)
    if least < smallest:
        raise Refusal(
            Reason.REASON_OUTCOME_CELL_TOO_SMALL, f"{least} subjects in a bin, {smallest} needed"
        )
