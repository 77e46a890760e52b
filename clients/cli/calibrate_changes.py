"""What a new calibration changes, in tables and in JSON."""

from pathlib import Path

from google.protobuf.json_format import MessageToDict
from rich.table import Table

from clients.calibration.comparison import QUANTILES, Change, Comparison
from clients.cli import calibrate_words as words
from clients.cli.calibrate_report import ROWS
from clients.cli.console import console, echo_json
from concordat import v1


def print_changes(
    before: v1.Calibration,
    after: v1.Calibration,
    found: Comparison | None,
    changes: list[Change],
    notes: list[str],
) -> None:
    """Print how well both do, and what changes for whom; `found` is None where there is no sample."""
    out = console()
    out.print(_measures(before, after, found))
    for line in [*_read_by_one(before, after), *notes]:
        out.print(line)
    if not found:
        out.print(
            "Without --sample the changes are those of a subject whom one provider alone knows, at the scores "
            "that the report states."
        )
    elif found.unscored:
        out.print(
            f"{found.unscored:,} subjects are left out: one of the two scores none of theirs."
        )
    out.print(_changes(changes) if changes else "Neither report states scores to compare on.")


def _measures(before: v1.Calibration, after: v1.Calibration, found: Comparison | None) -> Table:
    where = "on the sample" if found else "as each report has it"
    table = Table(title=f"How well both do, {where}", title_justify="left")
    for heading in ("measure", f"version {before.version}", f"version {after.version}"):
        table.add_column(heading)
    sides = (
        (found.old.measures, found.new.measures)
        if found
        else (before.report.pooled, after.report.pooled)
    )
    table.add_row("subjects", *(f"{side.subjects:,}" if side.subjects else "-" for side in sides))
    for what, name, digits in ROWS:
        table.add_row(what, *(words.full(side, name, digits) for side in sides))
    table.add_row("  were all exact", *(words.floor_of(side) for side in sides))
    return table


def _changes(changes: list[Change]) -> Table:
    table = Table(title="Change in points, new less old", title_justify="left")
    table.add_column("who", overflow="fold")
    quantiles = [f"{share:.0%}" for share in QUANTILES]
    for heading in ("subjects", "band moves", "mean", *quantiles):
        table.add_column(heading, justify="right")
    for each in changes:
        table.add_row(
            each.who,
            f"{each.subjects:,}",
            f"{each.moved:.1%}",
            f"{each.mean:+z.1f}",
            *(f"{points:+z.1f}" for points in each.quantiles),
        )
    return table


def _read_by_one(before: v1.Calibration, after: v1.Calibration) -> list[str]:
    names = [{reading.provider for reading in each.model.providers} for each in (before, after)]
    lines = []
    for only, version in (
        (names[0] - names[1], before.version),
        (names[1] - names[0], after.version),
    ):
        if only:
            lines.append(f"Read by version {version} alone: {', '.join(sorted(only))}.")
    switches = [each.model.no_record_counts for each in (before, after)]
    if switches[0] != switches[1]:
        lines.append(
            f"No record {'moves' if switches[1] else 'no longer moves'} the score in version "
            f"{after.version}."
        )
    return lines


def echo_changes(
    before: v1.Calibration,
    after: v1.Calibration,
    found: Comparison | None,
    changes: list[Change],
    pictures: list[Path],
    notes: list[str],
) -> None:
    """Print it as JSON."""
    sides = (
        (found.old.measures, found.new.measures)
        if found
        else (before.report.pooled, after.report.pooled)
    )
    echo_json(
        ok=True,
        versions=[before.version, after.version],
        on="sample" if found else "baselines",
        measures=[MessageToDict(side, preserving_proto_field_name=True) for side in sides],
        unscored=found.unscored if found else 0,
        changes=[
            {
                "who": each.who,
                "subjects": each.subjects,
                "band_moves": each.moved,
                "mean": each.mean,
                "quantiles": dict(zip(map(str, QUANTILES), each.quantiles, strict=True)),
            }
            for each in changes
        ],
        notes=[*_read_by_one(before, after), *notes],
        pictures=pictures,
    )
