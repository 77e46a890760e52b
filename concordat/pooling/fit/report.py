"""What is told of a fit: how well it does on outcomes that it did not see, for everybody and for groups.

Every figure is cross-fitted: a subject's log-odds come from a model that was fitted without the subject.
"""

from collections.abc import Mapping

from concordat import v1
from concordat.pooling.declared import POINTS
from concordat.pooling.fit import METHOD, CrossFit, Progress, Sample, Scale, fit_pool
from concordat.pooling.fit.report_groups import group_fits
from concordat.pooling.fit.report_providers import provider_fits
from concordat.pooling.fit.report_subsets import subset_fits
from concordat.pooling.measures import measures
from concordat.pooling.odds import probability


def build_report(
    sample: Sample,
    scales: Mapping[str, Scale],
    fitted: CrossFit,
    *,
    no_record_counts: bool,
    points: v1.PointScale = POINTS,
    seed: int = 0,
    progress: Progress | None = None,
) -> v1.FitReport:
    """Measure what `fit_pool` found on `sample`.

    The pool is cross-fitted once more, with `no_record_counts` the other way, so that the report tells
    what that choice does to whom. The caller adds what only it knows: when the outcomes were observed,
    and the digest of the file.

    Args:
        sample: that was fitted to.
        scales: of each of its providers.
        fitted: the cross-fit that came of it.
        no_record_counts: as it was fitted.
        points: how log-odds become points, of which approvals are counted.
        seed: that it was fitted with; draws subsets of providers too.
        progress: told what is being done and how much of it is, 0 to 1.

    Raises:
        SampleInvalid: as `fit_pool`.
    """
    tell = progress or _silent
    other = fit_pool(
        sample,
        scales,
        no_record_counts=not no_record_counts,
        folds=len(fitted.models),
        seed=seed,
        progress=_part(tell, "no record the other way"),
    ).cross
    return v1.FitReport(
        method=METHOD,
        subjects=len(sample),
        defaults=int(sample.outcomes.sum()),
        folds=len(fitted.models),
        pooled=measures(probability(fitted.log_odds), sample.outcomes),
        other_switch=measures(probability(other.log_odds), sample.outcomes),
        providers=provider_fits(sample, fitted, _part(tell, "measuring each provider")),
        subsets=subset_fits(sample, fitted, seed, _part(tell, "measuring subsets")),
        groups=group_fits(sample, fitted.log_odds, other.log_odds, points),
    )


def _part(tell: Progress, what: str) -> Progress:
    return lambda detail, share: tell(f"{what}: {detail}", share)


def _silent(what: str, share: float) -> None:
    del what, share
