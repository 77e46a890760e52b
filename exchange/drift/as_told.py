"""The figures of drift, computed of the counts as they are told: so they tell no more than those do. Pure.

An index of the exact counts would give small cells away: of four bins with 3, 500, 600 and 300 scores it moves by
a tenth for each score more or less in the first. What levels rest on is computed of the exact counts (``rules``).
"""

from collections.abc import Sequence
from dataclasses import replace

from exchange.drift.rules import Bin, Fit, Stability, chi_square_tail, fit_of, stability_of
from exchange.supervision.suppression import rounded, told, told_pairs


def stability_as_told(bins: Sequence[Bin], smallest: int) -> Stability | None:
    """Return the stability of the counts told, those that are suppressed taken together as one.

    None where that leaves nothing to compare.
    """
    shown = told([each.scores for each in bins], smallest)
    cells = [
        replace(each, scores=scores)
        for each, scores in zip(bins, shown, strict=True)
        if scores is not None
    ]
    hidden = [each for each, scores in zip(bins, shown, strict=True) if scores is None]
    if hidden:
        total = rounded(sum(each.scores for each in bins), smallest)
        rest = max(0, total - sum(each.scores for each in cells))
        sample = sum(each.sample for each in hidden)
        cells.append(Bin(hidden[-1].up_to_score, sample, 0, scores=rest))
    compared = len(cells) > 1 and any(each.scores for each in cells)
    return stability_of(cells) if compared else None


def fit_as_told(bins: Sequence[Bin], smallest: int) -> Fit | None:
    """Return how the outcomes told compare with the calibration; None where too few are.

    Difference and ratio are of the totals told, the statistic of the bins whose defaults are told.
    """
    outcomes = told([each.outcomes for each in bins], smallest)
    defaults = told_pairs([(each.outcomes, each.defaults) for each in bins], smallest)
    granted = _filled(outcomes, rounded(sum(each.outcomes for each in bins), smallest))
    lost = _filled(defaults, rounded(sum(each.defaults for each in bins), smallest))
    cells = [
        replace(each, outcomes=many, defaults=min(many, bad))
        for each, many, bad in zip(bins, granted, lost, strict=True)
    ]
    if not any(each.outcomes for each in cells):
        return None
    known = [
        each
        for each, *shown in zip(cells, outcomes, defaults, strict=True)
        if None not in shown and each.outcomes
    ]
    statistic = sum(each.deviation**2 for each in known)
    p_value = chi_square_tail(statistic, len(known)) if known else 1.0
    return replace(fit_of(cells), statistic=statistic, degrees=len(known), p_value=p_value)


def _filled(shown: Sequence[int | None], total: int) -> list[int]:
    """Return the counts told, and what the total leaves to the others in equal parts."""
    hidden = shown.count(None)
    rest = max(0, total - sum(each or 0 for each in shown))
    parts = iter([rest // hidden + (place < rest % hidden) for place in range(hidden)])
    return [next(parts) if each is None else each for each in shown]
