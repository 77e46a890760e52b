"""What a fit's report tells is measured on outcomes that the model did not see, and gives no small group away."""

import numpy as np
import pytest

from concordat import v1
from concordat.pooling.fit import CrossFit, Sample, Scale, fit_pool, pooled_log_odds
from concordat.pooling.fit.out_of_fold import out_of_fold
from concordat.pooling.fit.report import build_report
from concordat.pooling.fit.report_groups import OTHERS, shown_groups
from concordat.pooling.fit.report_providers import baseline, own_log_odds
from concordat.pooling.measures import auc, calibration_gap, measures
from concordat.pooling.odds import probability

SCALES = {
    "alder-bank": Scale(300, 850, riskier=False),
    "birch-payments": Scale(0, 100, riskier=False),
    "cedar-guarantee": Scale(1, 20, riskier=True),
}
SUBJECTS = 400


def drawn() -> Sample:
    """Three providers that see one risk; the young are known to fewer, and default more often."""
    draw = np.random.default_rng(5)
    young = draw.random(SUBJECTS) < 0.4
    risk = draw.normal(-1, 1.2, SUBJECTS) + 0.6 * young
    columns = []
    for scale in SCALES.values():
        seen = np.clip((risk + 1 + draw.normal(0, 1, SUBJECTS)) / 8 + 0.5, 0, 1)
        share = seen if scale.riskier else 1 - seen
        columns.append(np.rint(scale.minimum + share * (scale.maximum - scale.minimum)))
    scores = np.column_stack(columns)
    for place in (1, 2):
        scores[draw.random(SUBJECTS) < np.where(young, 0.6, 0.1), place] = np.nan
    outcomes = draw.random(SUBJECTS) < probability(risk)
    ages = np.where(young, "under 30", "30 and over")
    return Sample(tuple(SCALES), scores, outcomes, {"age": ages})


@pytest.fixture(scope="module")
def sample() -> Sample:
    return drawn()


@pytest.fixture(scope="module")
def fitted(sample: Sample) -> CrossFit:
    return fit_pool(sample, SCALES, no_record_counts=False, folds=2).cross


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def report(sample: Sample, fitted: CrossFit, told: list[str]) -> v1.FitReport:
    return build_report(
        sample,
        SCALES,
        fitted,
        no_record_counts=False,
        progress=lambda what, share: told.append(f"{what} {share}"),
    )


def test_the_pool_is_measured_on_outcomes_that_its_models_did_not_see(
    report: v1.FitReport, sample: Sample, fitted: CrossFit
) -> None:
    assert report.pooled == measures(probability(fitted.log_odds), sample.outcomes)
    assert (report.subjects, report.defaults, report.folds) == (SUBJECTS, sample.outcomes.sum(), 2)
    heard = np.ones(sample.scores.shape, np.bool_)
    again = out_of_fold(pooled_log_odds, fitted.models, fitted.fold, sample.scores, heard)
    np.testing.assert_allclose(again, fitted.log_odds, atol=1e-9)
    for fold, model in enumerate(fitted.models):
        rows = fitted.fold == fold
        np.testing.assert_allclose(
            pooled_log_odds(model, sample.scores[rows]), fitted.log_odds[rows], atol=1e-9
        )


def test_the_other_switch_is_measured_on_the_same_subjects(report: v1.FitReport) -> None:
    assert report.other_switch.subjects == SUBJECTS
    assert report.other_switch.defaults == report.defaults
    assert report.other_switch.auc != report.pooled.auc


def test_each_provider_is_measured_alone_on_those_it_knows_and_the_pool_without_it(
    report: v1.FitReport, sample: Sample, fitted: CrossFit
) -> None:
    assert [each.provider for each in report.providers] == list(SCALES)
    for place, each in enumerate(report.providers):
        known = ~np.isnan(sample.scores[:, place])
        alone = own_log_odds(fitted, place, sample.scores[:, place])[known]
        area = auc(alone, sample.outcomes[known]).value
        assert each.alone.subjects == known.sum()
        assert each.alone.auc.value_ppm == pytest.approx(area * 1e6, abs=1)
        assert each.without.subjects == SUBJECTS
    assert report.providers[0].without.auc.value_ppm < report.pooled.auc.value_ppm


def test_the_baseline_counts_every_score_once_and_keeps_equal_ones_together(
    report: v1.FitReport, sample: Sample
) -> None:
    for place, each in enumerate(report.providers):
        scores, bins = sample.scores[:, place], each.baseline
        ends = [one.up_to_score for one in bins]
        assert ends == sorted(set(ends))
        assert 2 <= len(bins) <= 10
        assert ends[-1] == np.nanmax(scores)
        assert sum(one.subjects for one in bins) == each.alone.subjects
        assert sum(one.defaults for one in bins) == each.alone.defaults
        assert bins[0].subjects == (scores <= ends[0]).sum()
        assert min(one.subjects for one in bins) >= 30


def test_a_provider_with_one_score_has_one_bin_and_without_any_none() -> None:
    (only,) = baseline(np.full(7, 5.0), np.array([True, False, True, False, False, True, True]))
    assert (only.up_to_score, only.subjects, only.defaults) == (5, 7, 4)
    assert baseline(np.array([]), np.array([], bool)) == []


@pytest.mark.parametrize(
    ("counts", "subjects"),
    [([29, 1], [30]), ([30, 30], [30, 30]), ([5, 40, 5, 60, 5], [45, 70]), ([90, 1, 90], [90, 91])],
)
def test_no_bin_of_a_baseline_is_small(counts: list[int], subjects: list[int]) -> None:
    scores = np.repeat(np.arange(len(counts), dtype=np.float64), counts)
    outcomes = np.arange(scores.size) % 2 == 0
    bins = baseline(scores, outcomes)
    assert [one.subjects for one in bins] == subjects


def test_no_bin_of_a_baseline_gives_away_how_a_few_fared() -> None:
    scores = np.repeat(np.arange(4, dtype=np.float64), 100)
    outcomes = np.zeros(400, np.bool_)
    outcomes[[*range(50), *range(100, 109), *range(200, 250), *range(300, 350)]] = True
    bins = baseline(scores, outcomes)
    assert [(one.subjects, one.defaults) for one in bins] == [(100, 50), (200, 59), (100, 50)]


def test_subsets_tell_how_often_the_interval_holds_the_score_of_all(report: v1.FitReport) -> None:
    assert [each.heard for each in report.subsets] == [1, 2, 3]
    one, _, every = report.subsets
    assert (
        one.measures.subjects < every.measures.subjects == SUBJECTS
    )  # some are known to none drawn
    assert every.held_ppm == 1_000_000
    assert one.held_ppm > 700_000
    assert every.measures == report.pooled


def test_groups_are_told_with_their_gap_and_what_the_switch_does_to_them(
    report: v1.FitReport, sample: Sample, fitted: CrossFit
) -> None:
    assert [(each.attribute, each.group) for each in report.groups] == [
        ("age", "30 and over"),
        ("age", "under 30"),
    ]
    old, young = report.groups
    members = sample.groups["age"] == "under 30"
    gap = calibration_gap(probability(fitted.log_odds[members]), sample.outcomes[members])
    assert young.calibration_gap == gap.to_estimate()
    assert young.measures.subjects == members.sum()
    assert [approval.threshold for approval in young.approvals] == [640, 600, 560, 520]
    shares = [approval.share_ppm for approval in young.approvals]
    assert shares == sorted(shares)
    # Counting that nobody knows them takes points from the young.
    assert young.no_record_effect_milli < old.no_record_effect_milli


def test_no_model_reads_a_group(sample: Sample, fitted: CrossFit) -> None:
    without = Sample(sample.providers, sample.scores, sample.outcomes)
    again = fit_pool(without, SCALES, no_record_counts=False, folds=2).cross
    np.testing.assert_array_equal(again.log_odds, fitted.log_odds)


def test_what_takes_time_is_told(report: v1.FitReport, told: list[str]) -> None:
    del report
    assert any("no record the other way: fold 2 of 2" in line for line in told)
    assert any("cedar-guarantee" in line for line in told)


def names_of(**sizes: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return groups and outcomes from subjects and defaults of each group."""
    names = [name for name, (subjects, _) in sizes.items() for _ in range(subjects)]
    outcomes = [n < defaults for subjects, defaults in sizes.values() for n in range(subjects)]
    return np.array(names), np.array(outcomes, np.bool_)


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({"a": (100, 20), "b": (30, 10)}, {"a": 100, "b": 30}),
        ({"a": (100, 20), "b": (90, 20), "c": (29, 10)}, {"a": 100, OTHERS: 119}),
        ({"a": (100, 20), "b": (90, 20), "c": (80, 9)}, {"a": 100, OTHERS: 170}),
        ({"a": (100, 20), "b": (90, 20), "c": (80, 71)}, {"a": 100, OTHERS: 170}),
        ({"a": (100, 20), "b": (40, 6), "c": (20, 6)}, {"a": 100, OTHERS: 60}),
        ({"a": (100, 20), "b": (3, 1)}, {OTHERS: 103}),
        ({"a": (20, 5), "b": (5, 1)}, {}),
        ({"a": (100, 20), "": (5, 1)}, {"a": 100}),
    ],
)
def test_a_small_group_is_neither_told_of_nor_worked_out(
    sizes: dict[str, tuple[int, int]], shown: dict[str, int]
) -> None:
    found = shown_groups(*names_of(**sizes))
    assert {name: int(members.sum()) for name, members in found.items()} == shown
