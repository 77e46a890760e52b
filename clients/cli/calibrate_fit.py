"""`concordat calibrate fit`: from a sample with outcomes to a calibration that the exchange signs."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from clients.calibration.errors import CalibrationError, SampleInvalid
from clients.calibration.licensed import Licensed, read_licensed
from clients.calibration.sample_file import SampleFile, read_sample, require_enough
from clients.calibration.sealing import Terms, make_calibration, require_licensed, seal_to
from clients.cli.calibrate_options import (
    ExchangeKey,
    Licences,
    NotBefore,
    Out,
    StaleFrom,
    Version,
    day,
    in_order,
    new_file,
)
from clients.cli.calibrate_progress import progress_shown
from clients.cli.calibrate_report import print_report
from clients.cli.calibrate_written import tell_written
from clients.cli.console import JsonOption, PassphraseFile, TrustBundle, failing, read_passphrase
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import load_anchors
from concordat.pooling.fit import Scale, fit_pool
from concordat.pooling.fit.report import build_report
from concordat.trust.keys import Ed25519Signer


def fit(
    sample: Annotated[
        Path,
        typer.Argument(
            help="CSV, .gz too: a column a provider (empty: no record), outcome (1 default), group:NAME."
        ),
    ],
    licences: Licences,
    out: Out,
    version: Version,
    not_before: NotBefore,
    stale_from: StaleFrom,
    key: ExchangeKey,
    trust_bundle: TrustBundle,
    no_record_counts: Annotated[
        bool,
        typer.Option(
            "--no-record-counts/--no-record-ignored",
            help="Whether it moves the score that a provider has no record; the report tells of whom.",
        ),
    ] = False,
    observed_from: Annotated[
        datetime | None,
        typer.Option("--from", parser=day, metavar="DATE", help="Outcomes were observed from."),
    ] = None,
    observed_until: Annotated[
        datetime | None,
        typer.Option("--until", parser=day, metavar="DATE", help="Outcomes were observed until."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of the cross-fitting.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Draws folds and subsets.")] = 0,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Fit to outcomes, measure on outcomes not seen, audit by group, and sign as the exchange."""
    in_order(not_before, stale_from)
    new_file(out)
    with failing(f"{sample} was not fitted", as_json=as_json):
        anchors, now = load_anchors(trust_bundle), datetime.now(UTC)
        licensed = read_licensed(licences, anchors, now)
        keys = licensed.exchange_keys(anchors)
        signer = Ed25519Signer.load(key, read_passphrase(passphrase_file))
        # What can be wrong with what was typed is told before the fit, which takes its time.
        require_licensed(signer, keys, now)
        _require_observed_in_order(observed_from, observed_until)
        read = _read(sample, licensed)
        model, report = _fitted(read, licensed, no_record_counts, folds, seed)
        _observed(report, read, observed_from, observed_until)
        terms = Terms(version, not_before, stale_from)
        calibration = make_calibration(anchors.federation, terms, model, report, now)
        seal_to(out, calibration, signer, keys)
    if not as_json:
        print_report(calibration)
    tell_written(out, calibration, as_json=as_json)


def _read(path: Path, licensed: Licensed) -> SampleFile:
    ends = {name: (scale.minimum, scale.maximum) for name, scale in licensed.scales.items()}
    read = read_sample(path, ends)
    require_enough(read.sample)
    return read


def _fitted(
    read: SampleFile, licensed: Licensed, no_record_counts: bool, folds: int, seed: int
) -> tuple[v1.PoolingModel, v1.FitReport]:
    scales = {name: Scale.of(licensed.scales[name]) for name in read.sample.providers}
    try:
        with progress_shown() as progress:
            fitted = fit_pool(
                read.sample,
                scales,
                no_record_counts=no_record_counts,
                folds=folds,
                seed=seed,
                progress=progress,
            )
            report = build_report(
                read.sample,
                scales,
                fitted.cross,
                no_record_counts=no_record_counts,
                seed=seed,
                progress=progress,
            )
    except ValueError as error:
        raise SampleInvalid(f"it cannot be fitted to: {error}") from error
    return fitted.model, report


def _require_observed_in_order(start: datetime | None, end: datetime | None) -> None:
    if start and end and end < start:
        raise CalibrationError("--until is before --from")


def _observed(
    report: v1.FitReport, read: SampleFile, start: datetime | None, end: datetime | None
) -> None:
    report.sample_sha256 = read.sha256
    if start:
        report.outcomes_from.CopyFrom(to_timestamp(start))
    if end:
        report.outcomes_until.CopyFrom(to_timestamp(end))
