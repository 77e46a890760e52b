"""What the counts say of each provider: found every minute, kept, and known to the view desk."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection

from concordat import v1
from concordat.federation.calibrations import OpenedCalibration
from concordat.federation.directory import MemberDirectory
from concordat.pooling.baseline import baselines_of
from concordat.v1 import DriftLevel
from exchange.drift import table
from exchange.drift.baseline import bins_of
from exchange.drift.rules import Bin, Finding, find
from exchange.drift.settings import DriftSettings
from exchange.drift.table import Cell, Reported

_NONE = DriftLevel.DRIFT_LEVEL_NONE
_STALE = DriftLevel.DRIFT_LEVEL_STALE


@dataclass(frozen=True, slots=True)
class Found:
    """One provider against one calibration."""

    provider: str
    version: int  # of the calibration
    window: tuple[int, int]  # days, the last one not in it
    bins: Sequence[Bin]
    lenders: int  # that reported outcomes
    finding: Finding
    since: datetime  # of its level


@dataclass(frozen=True, slots=True)
class Moved:
    """A provider whose level has changed."""

    found: Found
    before: int  # DriftLevel


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is on record: scores and reports of outcomes by calibration and provider, and the levels."""

    window: tuple[int, int]
    scores: Mapping[Cell, int]
    reports: Mapping[tuple[int, str], Sequence[Reported]]
    levels: Mapping[tuple[int, str], tuple[int, datetime]]


class DriftWatch:
    """Finds the level of every provider; one of these a process."""

    def __init__(self, settings: DriftSettings, directory: MemberDirectory) -> None:
        """Judge by ``settings`` what is counted under the calibrations of ``directory``."""
        self.settings = settings
        self._directory = directory
        self._stale: Mapping[int, frozenset[str]] = {}

    def stale(self, version: int) -> frozenset[str]:
        """Return the providers that views by a calibration mark, as last found: at most a minute ago."""
        return self._stale.get(version, frozenset())

    def calibration(self, version: int, at: datetime) -> OpenedCalibration | None:
        """Return the calibration of a version that is, or was, in use; None where there is none."""
        return next((each for each in self._begun(at) if each.version == version), None)

    def evaluate(self, connection: Connection, at: datetime) -> list[Moved]:
        """Find every level anew, keep those that changed, forget old counts; return what has moved.

        To be run every minute; processes that do so at once come to the same.
        """
        table.forget(connection, at)
        kept = self._kept(connection, at)
        found = self._find_all(kept, at)
        moved = []
        for each in found:
            key, level = (each.version, each.provider), each.finding.level
            before, _ = kept.levels.get(key, (None, at))
            if level != before:
                table.put_level(connection, *key, level, each.since)
            if level != (before or _NONE):
                moved.append(Moved(each, before or _NONE))
        self._stale = _stale(found)
        return moved

    def find(self, connection: Connection, at: datetime) -> list[Found]:
        """Return what is found of each provider, the latest calibration first.

        That is of the calibration in use, and of earlier ones for which there are counts.
        """
        return self._find_all(self._kept(connection, at), at)

    def _begun(self, at: datetime) -> list[OpenedCalibration]:
        """Return the calibrations in use so far, the latest first."""
        known = reversed(self._directory.calibrations())
        return [each for each in known if each.begins <= at]

    def _kept(self, connection: Connection, at: datetime) -> _Kept:
        today = table.day_of(at)
        window = (today - self.settings.window_days, today)
        reports: dict[tuple[int, str], list[Reported]] = {}
        for each in table.reported(connection):
            reports.setdefault((each.calibration_version, each.provider), []).append(each)
        scores = table.counted(connection, *window)
        return _Kept(window, scores, reports, table.levels(connection))

    def _find_all(self, kept: _Kept, at: datetime) -> list[Found]:
        found = [
            self._find_one(calibration, reading.provider, kept, at)
            for calibration in self._begun(at)
            for reading in calibration.message.model.providers
        ]
        latest = max((each.version for each in found), default=0)
        return [each for each in found if each.version == latest or _has_counts(each.bins)]

    def _find_one(
        self, calibration: OpenedCalibration, provider: str, kept: _Kept, at: datetime
    ) -> Found:
        version = calibration.version
        baseline = baselines_of(calibration.message).get(provider, ())
        reports = kept.reports.get((version, provider), ())
        scores = [kept.scores.get((version, provider, place), 0) for place in range(len(baseline))]
        bins = bins_of(baseline, scores, _outcomes(reports, len(baseline)))
        finding = find(bins, calibration.stale_from, at, self.settings)
        level, since = kept.levels.get((version, provider), (None, at))
        return Found(
            provider,
            version,
            kept.window,
            bins,
            len({each.lender for each in reports}),
            finding,
            since if level == finding.level else at,
        )


def _stale(found: Iterable[Found]) -> Mapping[int, frozenset[str]]:
    """Return the stale providers by calibration."""
    stale: dict[int, set[str]] = {}
    for each in found:
        if each.finding.level == _STALE:
            stale.setdefault(each.version, set()).add(each.provider)
    return {version: frozenset(providers) for version, providers in stale.items()}


def _outcomes(reports: Iterable[Reported], bins: int) -> list[tuple[int, int]]:
    """Return the outcomes and defaults of each bin, of all lenders together."""
    sums = [[0, 0] for _ in range(bins)]
    for report in reports:
        for place, subjects, defaults in _counts(report.envelope):
            sums[place][0] += subjects
            sums[place][1] += defaults
    return [(subjects, defaults) for subjects, defaults in sums]


@lru_cache(maxsize=16_384)  # parsed once, as all are looked at every minute on the database thread
def _counts(envelope: bytes) -> tuple[tuple[int, int, int], ...]:
    counts = v1.OutcomeCounts.FromString(v1.Envelope.FromString(envelope).payload)
    return tuple((each.bin, each.subjects, each.defaults) for each in counts.bins)


def _has_counts(bins: Iterable[Bin]) -> bool:
    return any(each.scores or each.outcomes for each in bins)
