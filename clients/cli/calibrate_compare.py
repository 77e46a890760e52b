"""`concordat calibrate compare`: what a new calibration changes, and for whom, before anybody signs it."""

from pathlib import Path
from typing import Annotated

import typer

from clients.calibration.comparison import Comparison, compare_baselines, compare_on
from clients.calibration.errors import CalibrationError
from clients.calibration.sample_file import SampleFile, read_sample
from clients.calibration.sealing import read_calibration
from clients.cli.calibrate_changes import echo_changes, print_changes
from clients.cli.calibrate_progress import progress_shown
from clients.cli.console import JsonOption, console, failing
from concordat import v1


def compare(
    old: Annotated[Path, typer.Argument(help="The calibration in use.")],
    new: Annotated[Path, typer.Argument(help="The one to replace it.")],
    sample: Annotated[
        Path | None,
        typer.Option(
            help="CSV as for `fit`, best one that neither was fitted to; else the reports' baselines."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With --sample: a folder for PNGs: ROC, reliability, scores, contributions."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a new calibration changes: bands, points, by provider and group; and how well both do."""
    with failing("the calibrations were not compared", as_json=as_json):
        if out and not sample:
            raise CalibrationError("pictures are of a sample: give one with --sample")
        _, before = read_calibration(old)
        _, after = read_calibration(new)
        found, notes, pictures = None, list[str](), list[Path]()
        if sample:
            found, notes, pictures = _on_sample(before, after, sample, out)
        changes = found.changes if found else compare_baselines(before, after)
    if as_json:
        echo_changes(before, after, found, changes, pictures, notes)
        return
    print_changes(before, after, found, changes, notes)
    for picture in pictures:
        console().print(f"Wrote {picture}")


def _on_sample(
    before: v1.Calibration, after: v1.Calibration, sample: Path, out: Path | None
) -> tuple[Comparison, list[str], list[Path]]:
    with progress_shown() as progress:
        progress("reading the sample", 0.0)
        read = read_sample(sample, _ends(before, after))
        progress("pooling", 0.2)
        found = compare_on(before, after, read.sample)
        pictures = []
        if out:
            from clients.calibration.plots import draw_all  # noqa: PLC0415 - an optional extra

            progress("drawing", 0.5)
            pictures = draw_all(found, out)
    return found, _seen(before, after, read), pictures


def _ends(*calibrations: v1.Calibration) -> dict[str, tuple[int, int]]:
    """Return the ends of every provider's scale, the widest where the two differ."""
    ends: dict[str, tuple[int, int]] = {}
    for reading in (each for one in calibrations for each in one.model.providers):
        first, last = reading.knots[0].score, reading.knots[-1].score
        lowest, highest = ends.get(reading.provider, (first, last))
        ends[reading.provider] = (min(lowest, first), max(highest, last))
    return ends


def _seen(before: v1.Calibration, after: v1.Calibration, read: SampleFile) -> list[str]:
    return [
        f"Version {each.version} was fitted to this very sample, which flatters it here; its own report is "
        "cross-fitted."
        for each in (before, after)
        if each.report.sample_sha256 == read.sha256
    ]
