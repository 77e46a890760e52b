"""A calibration's report in tables: what was fitted to, and how well it does, for everybody and by group."""

from rich.table import Table

from clients.cli import calibrate_words as words
from clients.cli.calibrate_groups import print_groups
from clients.cli.console import console
from clients.cli.moments import moment
from concordat import v1

ROWS = (
    ("area under ROC", "auc", 3),
    ("Kolmogorov-Smirnov", "ks", 3),
    ("Brier", "brier", 4),
    ("log loss", "log_loss", 4),
    ("calibration error", "calibration_error", 4),
)
"""What a measure is called, its field, and its digits."""


def print_report(calibration: v1.Calibration) -> None:
    """Print what a calibration is, and all that its report says."""
    out, report = console(), calibration.report
    out.print(_facts(calibration))
    if not report.HasField("pooled"):
        out.print(
            "Declared from the licences: nothing was fitted, and nobody has measured how it does."
        )
        return
    out.print(_pooled(calibration))
    out.print(_providers(report))
    out.print(_subsets(report))
    out.print(
        "error: calibration error; floor: what it would be on average were all exact; intervals: those of 90 %."
    )
    print_groups(out, calibration)


def _facts(calibration: v1.Calibration) -> Table:
    report, model = calibration.report, calibration.model
    table = Table(box=None, show_header=False, title="Calibration", title_justify="left")
    rows = [
        ("federation", calibration.federation),
        ("version", str(calibration.version)),
        ("in use from", moment(calibration.not_before)),
        ("stale from", moment(calibration.stale_from)),
        ("made", moment(calibration.made_at)),
        ("points", _points(calibration.points)),
        ("providers", ", ".join(_scale(reading) for reading in model.providers)),
        ("method", report.method),
        ("model", f"{len(model.ramps)} ramps, {len(model.pairs)} pairs, {len(model.trees)} trees"),
        ("no record", "moves the score" if model.no_record_counts else "counts as not asked"),
    ]
    if report.subjects:
        defaulted = words.rate(v1.Measures(subjects=report.subjects, defaults=report.defaults))
        rows += [
            (
                "fitted to",
                f"{report.subjects:,} subjects, {report.defaults:,} defaulted ({defaulted})",
            ),
            ("outcomes observed", _observed(report)),
            ("sample, SHA-256", report.sample_sha256.hex()),
        ]
    for name, value in rows:
        table.add_row(name, value)
    return table


def _points(points: v1.PointScale) -> str:
    return f"{points.at_odds} at odds of {points.odds} to 1 against default; {points.to_double} more double them"


def _scale(reading: v1.ProviderReading) -> str:
    first, last = reading.knots[0], reading.knots[-1]
    side = "riskier" if last.log_odds_micro > first.log_odds_micro else "safer"
    return f"{reading.provider} ({first.score} to {last.score}, higher is {side})"


def _observed(report: v1.FitReport) -> str:
    start = moment(report.outcomes_from)[:10] if report.HasField("outcomes_from") else "not said"
    end = moment(report.outcomes_until)[:10] if report.HasField("outcomes_until") else "not said"
    return f"{start} to {end}"


def _pooled(calibration: v1.Calibration) -> Table:
    report = calibration.report
    turned = "ignored" if calibration.model.no_record_counts else "counting"
    table = Table(title=f"The pool, {report.folds}-fold cross-fitted", title_justify="left")
    for heading in ("measure", "as it is (95 % interval)", f"with no record {turned}"):
        table.add_column(heading)
    for what, name, digits in ROWS:
        cells = [words.full(each, name, digits) for each in (report.pooled, report.other_switch)]
        table.add_row(what, *cells)
    floors = [words.floor_of(each) for each in (report.pooled, report.other_switch)]
    table.add_row("  were all exact", *floors)
    return table


def _providers(report: v1.FitReport) -> Table:
    table = Table(title="Provider by provider", title_justify="left")
    table.add_column("provider", overflow="fold")
    headings = ("knows", "AUC alone", "error", "floor", "AUC without", "log loss without")
    for heading in headings:
        table.add_column(heading, justify="right")
    for each in report.providers:
        table.add_row(
            each.provider,
            f"{each.alone.subjects:,}",
            words.full(each.alone, "auc"),
            words.short(each.alone, "calibration_error", 4),
            words.floor_of(each.alone),
            words.short(each.without, "auc"),
            words.short(each.without, "log_loss", 4),
        )
    pooled = report.pooled
    whole = [words.short(pooled, "auc"), words.short(pooled, "log_loss", 4)]
    error = [words.short(pooled, "calibration_error", 4), words.floor_of(pooled)]
    known = [f"{pooled.subjects:,}", words.full(pooled, "auc"), *error]
    table.add_section()
    table.add_row("all together", *known, *whole)
    return table


def _subsets(report: v1.FitReport) -> Table:
    table = Table(title="By number of providers heard, drawn at random", title_justify="left")
    headings = ("heard", "subjects", "AUC", "log loss", "error", "floor", "intervals hold")
    for heading in headings:
        table.add_column(heading, justify="right")
    for each in report.subsets:
        table.add_row(
            str(each.heard),
            f"{each.measures.subjects:,}",
            words.full(each.measures, "auc"),
            words.short(each.measures, "log_loss", 4),
            words.short(each.measures, "calibration_error", 4),
            words.floor_of(each.measures),
            words.share(each.held_ppm),
        )
    return table
