"""The committed calibration reads the cast, and tells what it measured; nothing is fitted here."""

import numpy as np
import pytest

from clients.sandbox import cast
from clients.sandbox.calibration import MODEL
from clients.sandbox.calibration_tables import calibration_tables
from clients.sandbox.fit_calibration import read_sample
from clients.sandbox.layout import Ports
from concordat import v1
from concordat.pooling import CompiledCalibration, check_calibration
from concordat.pooling.declared import METHOD

BORROWERS = 30_000


@pytest.fixture(scope="module")
def shipped() -> v1.Calibration:
    return v1.Calibration.FromString(MODEL.read_bytes())


@pytest.fixture(scope="module")
def scales() -> dict[str, v1.ScoreScale]:
    """The scale in each provider's licence."""
    licences = [each.licence(Ports(1, 2), "eu") for each in cast.read_providers(8)]
    return {each.member_id: each.score_scale for each in licences if each.score_scale}


def test_the_shipped_calibration_is_one_that_an_exchange_takes(shipped: v1.Calibration) -> None:
    check_calibration(shipped)


def test_it_reads_every_provider_on_the_scale_of_its_licence(
    shipped: v1.Calibration, scales: dict[str, v1.ScoreScale]
) -> None:
    compiled = CompiledCalibration.from_message(shipped)
    assert len(scales) == len(shipped.model.providers) == 8
    assert [name for name, scale in scales.items() if not compiled.reads(name, scale)] == []


def test_it_was_fitted_and_reports_on_each_provider_and_every_number_heard(
    shipped: v1.Calibration, scales: dict[str, v1.ScoreScale]
) -> None:
    report = shipped.report
    assert report.method != METHOD
    assert report.subjects == report.pooled.subjects == BORROWERS
    assert {each.provider for each in report.providers} == scales.keys()
    assert [each.heard for each in report.subsets] == list(range(1, 9))


def test_drift_of_every_provider_can_be_told_from_its_baseline(shipped: v1.Calibration) -> None:
    for each in shipped.report.providers:
        assert sum(bin_.subjects for bin_ in each.baseline) == each.alone.subjects > 0


def test_the_sample_is_every_borrower_with_the_outcomes_reported(
    shipped: v1.Calibration, scales: dict[str, v1.ScoreScale]
) -> None:
    sample = read_sample(cast.SCORES, list(scales))
    assert sample.scores.shape == (BORROWERS, 8)
    assert int(sample.outcomes.sum()) == shipped.report.defaults
    known = {each.provider: each.alone.subjects for each in shipped.report.providers}
    heard = np.isfinite(sample.scores).sum(axis=0).tolist()
    assert dict(zip(sample.providers, heard, strict=True)) == known


def test_the_readme_tells_what_the_file_reports(shipped: v1.Calibration) -> None:
    readme = (cast.SCORES / "README.md").read_text(encoding="utf-8")
    tables = calibration_tables(shipped).split("\n\n")
    assert [table for table in tables if table not in readme] == []
