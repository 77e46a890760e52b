"""Fairness: the same measures group by group, and how far groups are apart."""

from collections.abc import Callable
from itertools import groupby

from rich.console import Console
from rich.table import Table

from clients.cli import calibrate_words as words
from concordat import v1
from concordat.pooling.fit.report_groups import LEAST_OF_EACH, LEAST_SUBJECTS, OTHERS

_PPM = 1_000_000


def print_groups(out: Console, calibration: v1.Calibration) -> None:
    """Print a table and the widest gaps for each attribute of the audit sample."""
    report = calibration.report
    if not report.groups:
        out.print(
            "No group was audited: the sample had no column group:NAME, or all groups were too small."
        )
        return
    turned = "ignored" if calibration.model.no_record_counts else "counting"
    for attribute, found in groupby(report.groups, lambda group: group.attribute):
        fits = list(found)
        out.print(_measures(attribute, fits))
        out.print(_effects(attribute, fits, turned))
        for line in [*gaps(fits), *_left_out(report.subjects, attribute, fits)]:
            out.print(f"  {line}")
    out.print("Groups are audited; no model reads them.")


def _left_out(subjects: int, attribute: str, fits: list[v1.GroupFit]) -> list[str]:
    lines = []
    if any(fit.group == OTHERS for fit in fits):
        lines.append(
            f"{OTHERS}: groups of fewer than {LEAST_SUBJECTS} subjects, or fewer than {LEAST_OF_EACH} of either "
            "outcome, joined until they are more."
        )
    if unstated := subjects - sum(fit.measures.subjects for fit in fits):
        lines.append(f"{unstated:,} subjects stated no {attribute}.")
    return lines


def _measures(attribute: str, fits: list[v1.GroupFit]) -> Table:
    table = Table(title=f"By {attribute}: how well", title_justify="left")
    table.add_column("group", overflow="fold")
    for heading in ("subjects", "defaulted", "AUC", "told less happened, percentage points"):
        table.add_column(heading, justify="right")
    for fit in fits:
        gap = fit.calibration_gap
        table.add_row(
            fit.group,
            f"{fit.measures.subjects:,}",
            words.rate(fit.measures),
            words.full(fit.measures, "auc"),
            f"{gap.value_ppm / 1e4:+z.1f} ({gap.low_ppm / 1e4:+z.1f} to {gap.high_ppm / 1e4:+z.1f})",
        )
    return table


def _effects(attribute: str, fits: list[v1.GroupFit], turned: str) -> Table:
    table = Table(title=f"By {attribute}: with what effect", title_justify="left")
    table.add_column("group", overflow="fold")
    reach = [f"reach {approval.threshold}" for approval in fits[0].approvals]
    for heading in (*reach, f"points, were no record {turned}"):
        table.add_column(heading, justify="right")
    for fit in fits:
        shares = [words.share(approval.share_ppm) for approval in fit.approvals]
        table.add_row(fit.group, *shares, words.signed_points(fit.no_record_effect_milli))
    return table


def gaps(fits: list[v1.GroupFit]) -> list[str]:
    """Return the widest gap between two groups in each measure, in words; nothing for one group."""
    if len(fits) < 2:  # noqa: PLR2004 - a gap is between two
        return []
    lines = [
        _gap("AUC", fits, lambda fit: fit.measures.auc.value_ppm, lambda ppm: f"{ppm / _PPM:.3f}"),
        _gap("told less happened", fits, lambda fit: fit.calibration_gap.value_ppm, _pp),
    ]
    for place, approval in enumerate(fits[0].approvals):
        what = f"reach {approval.threshold}"
        lines.append(_gap(what, fits, _approved_at(place), _pp))
    return lines


def _gap(
    what: str,
    fits: list[v1.GroupFit],
    value: Callable[[v1.GroupFit], int],
    text: Callable[[int], str],
) -> str:
    low, high = min(fits, key=value), max(fits, key=value)
    apart = value(high) - value(low)
    return f"{what}: widest gap {text(apart)}, {high.group} above {low.group}"


def _approved_at(place: int) -> Callable[[v1.GroupFit], int]:
    return lambda fit: fit.approvals[place].share_ppm


def _pp(ppm: int) -> str:
    return f"{ppm / 1e4:.1f} percentage points"
