"""What a new calibration changes, computed by hand and exactly."""

from pathlib import Path

import numpy as np
import pytest

from clients.calibration.comparison import (
    bands,
    change,
    compare_baselines,
    compare_on,
    log_odds_by,
)
from clients.calibration.contributions import contributions_of
from clients.calibration.errors import CalibrationError
from clients.calibration.sample_file import read_sample
from concordat import v1
from concordat.pooling import CompiledCalibration, pool
from concordat.pooling.fit import Sample
from tests.calibration_builders import PROVIDERS, SCALES, declared


@pytest.fixture
def found(sample: Path) -> Sample:
    ends = {name: (scale.minimum, scale.maximum) for name, scale in SCALES.items()}
    return read_sample(sample, ends).sample


def test_points_and_bands_are_those_of_a_view(found: Sample) -> None:
    old, new = declared(1), declared(2, 100_000)
    comparison = compare_on(old, new, found)
    for side in (comparison.old, comparison.new):
        compiled = CompiledCalibration.from_message(side.calibration)
        for row in range(0, 600, 37):
            heard = [
                (name, None if np.isnan(score) else int(score))
                for name, score in zip(PROVIDERS, found.scores[row], strict=True)
            ]
            told = pool(compiled, heard)
            assert side.points[row] == pytest.approx(told.points, abs=0.51)
            if abs(side.points[row] % 1 - 0.5) > 0.01:
                assert bands(side.points[row : row + 1])[0] == told.band


def test_a_change_is_told_by_its_mean_its_ends_and_the_bands_that_move() -> None:
    told = change("x", np.array([599.0, 610.0, 639.4, 700.0]), np.array([600.0, 609.0, 639.5, 700]))
    assert (told.subjects, told.moved) == (4, 0.5)
    assert told.mean == pytest.approx(0.025)
    assert told.quantiles[2] == pytest.approx(0.05)


def test_nothing_changes_between_the_same_model_twice(found: Sample) -> None:
    changes = compare_on(declared(1), declared(2), found).changes
    assert [(each.moved, each.mean) for each in changes] == [(0, 0)] * len(changes)
    assert [each.who for each in changes] == [
        "all",
        *(f"known to {name}" for name in PROVIDERS),
        "region: north",
        "region: (others)",
    ]


def test_whom_one_of_the_two_cannot_score_is_left_out_and_counted(found: Sample) -> None:
    few = declared(2, 50_000, "birch-payments")
    comparison = compare_on(declared(1), few, found)
    known = ~np.isnan(found.scores[:, 1])
    assert comparison.unscored == (~known).sum()
    assert comparison.new.measures.subjects == known.sum()
    assert np.isnan(log_odds_by(few, found)[~known]).all()
    lone = Sample(PROVIDERS[:1], found.scores[:, :1], found.outcomes)
    with pytest.raises(CalibrationError, match="no subject of the sample in common"):
        compare_on(declared(1), few, lone)


def test_a_score_off_the_scale_that_a_calibration_knows_is_not_read_by_it(found: Sample) -> None:
    wider = declared(2)
    wider.model.providers[0].knots[0].score = 500  # was 300
    off = found.scores[:, 0] < 500
    lone = off & np.isnan(found.scores[:, 1]) & np.isnan(found.scores[:, 2])
    assert lone.any()
    comparison = compare_on(declared(1), wider, found)
    assert comparison.unscored == lone.sum()
    assert np.isnan(log_odds_by(wider, found)[lone]).all()
    parts = contributions_of(wider, found, most=600)
    assert len(parts["alder-bank"]) == (~off).sum()


def test_a_sample_with_one_outcome_compares_nothing(found: Sample) -> None:
    with pytest.raises(CalibrationError, match="the same outcome"):
        compare_on(declared(1), declared(2), found.of(found.outcomes))


def test_baselines_are_compared_provider_by_provider_heard_alone() -> None:
    old, new = declared(1), declared(2, 100_000)
    bins = [
        v1.BaselineBin(up_to_score=600, subjects=30, defaults=9),
        v1.BaselineBin(up_to_score=850, subjects=10, defaults=1),
    ]
    new.report.providers.append(v1.ProviderFit(provider="alder-bank", baseline=bins))
    new.report.providers.append(v1.ProviderFit(provider="elsewhere", baseline=bins))
    (told,) = compare_baselines(old, new)
    points = [
        [
            pool(CompiledCalibration.from_message(each), [("alder-bank", s)]).points
            for s in (600, 850)
        ]
        for each in (old, new)
    ]
    expected = (30 * (points[1][0] - points[0][0]) + 10 * (points[1][1] - points[0][1])) / 40
    assert (told.who, told.subjects) == ("alder-bank", 40)
    assert told.mean == pytest.approx(expected, abs=1)
    assert compare_baselines(old, declared(3)) == []


def test_a_baseline_of_more_subjects_than_there_are_fills_no_memory() -> None:
    old, new = declared(1), declared(2)
    bins = [v1.BaselineBin(up_to_score=850, subjects=4_000_000_000)]
    new.report.providers.append(v1.ProviderFit(provider="alder-bank", baseline=bins))
    with pytest.raises(CalibrationError, match="4,000,000,000 subjects, which no sample has"):
        compare_baselines(old, new)


def test_contributions_are_exact_and_of_a_bounded_number_of_subjects(found: Sample) -> None:
    old = declared(1, 50_000, "alder-bank", "birch-payments")
    parts = contributions_of(old, found, most=100)
    assert list(parts) == ["alder-bank", "birch-payments"]
    assert len(parts["alder-bank"]) == 100
    first = found.scores[0]
    heard = [(n, int(s)) for n, s in zip(PROVIDERS[:2], first, strict=False) if not np.isnan(s)]
    told = pool(CompiledCalibration.from_message(old), heard)
    assert parts["alder-bank"][0] == told.contributions[0].points
