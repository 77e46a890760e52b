"""Print what the sandbox's calibration measured of itself, as the tables of the README of the scores.

python -m clients.sandbox.calibration_tables
"""

from clients.cli import calibrate_words as words
from clients.sandbox.calibration import MODEL
from concordat import v1


def calibration_tables(calibration: v1.Calibration) -> str:
    """Return three tables in Markdown: the pool, each provider, and by number of providers heard."""
    report = calibration.report
    return "\n\n".join(["\n".join(table(report)) for table in (_pool, _providers, _heard)])


def _pool(report: v1.FitReport) -> list[str]:
    pooled = report.pooled
    lines = ["| on the 30,000 | AUC (95 %) | log loss | calibration error | floor |"]
    lines += ["|---|---:|---:|---:|---:|"]
    cells = [words.full(pooled, "auc"), words.short(pooled, "log_loss", 4), *_error(pooled)]
    return [*lines, _row(f"pooled, {report.folds}-fold cross-fitted", *cells)]


def _providers(report: v1.FitReport) -> list[str]:
    lines = [
        "| provider | knows | AUC alone | calibration error | floor | pool without it: AUC | log loss |"
    ]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    for each in report.providers:
        alone = [f"{each.alone.subjects:,}", words.short(each.alone, "auc"), *_error(each.alone)]
        without = [words.short(each.without, "auc"), words.short(each.without, "log_loss", 4)]
        lines.append(_row(each.provider, *alone, *without))
    return lines


def _heard(report: v1.FitReport) -> list[str]:
    lines = ["| heard | borrowers | AUC | calibration error | floor | intervals that hold |"]
    lines += ["|---:|---:|---:|---:|---:|---:|"]
    for each in report.subsets:
        measures = each.measures
        cells = [f"{measures.subjects:,}", words.short(measures, "auc"), *_error(measures)]
        lines.append(_row(str(each.heard), *cells, words.share(each.held_ppm)))
    return lines


def _error(measures: v1.Measures) -> list[str]:
    return [words.short(measures, "calibration_error", 4), words.floor_of(measures)]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    shipped = v1.Calibration.FromString(MODEL.read_bytes())
    print(calibration_tables(shipped))  # noqa: T201 - what it is for
