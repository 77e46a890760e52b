"""`concordat calibrate declare`: a calibration from the licences alone, while there are no outcomes yet."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from datetime import UTC, datetime
from typing import Annotated

import typer

from clients.calibration.errors import CalibrationError
from clients.calibration.licensed import read_licensed
from clients.calibration.sealing import Terms, make_calibration, seal_to
from clients.cli.calibrate_options import (
    ExchangeKey,
    Licences,
    NotBefore,
    Out,
    StaleFrom,
    Version,
    in_order,
    new_file,
)
from clients.cli.calibrate_written import tell_written
from clients.cli.console import JsonOption, PassphraseFile, TrustBundle, failing, read_passphrase
from concordat import v1
from concordat.federation.anchors import load_anchors
from concordat.pooling import declare as declared_model
from concordat.pooling.declared import METHOD
from concordat.trust.keys import Ed25519Signer


def declare(
    licences: Licences,
    out: Out,
    version: Version,
    not_before: NotBefore,
    stale_from: StaleFrom,
    key: ExchangeKey,
    trust_bundle: TrustBundle,
    base_default_ppm: Annotated[
        int,
        typer.Option(
            min=1,
            max=999_999,
            help="Share of subjects that default, parts per million, as believed.",
        ),
    ] = 50_000,
    dependence_permille: Annotated[
        int,
        typer.Option(min=0, max=900, help="How far providers repeat each other: 0 not at all."),
    ] = 300,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Believe every provider's licence, fit nothing, and sign as the exchange."""
    in_order(not_before, stale_from)
    new_file(out)
    with failing("no calibration was declared", as_json=as_json):
        anchors, now = load_anchors(trust_bundle), datetime.now(UTC)
        licensed = read_licensed(licences, anchors, now)
        keys = licensed.exchange_keys(anchors)
        signer = Ed25519Signer.load(key, read_passphrase(passphrase_file))
        if not licensed.scales:
            raise CalibrationError("there is no provider's licence in force among those given")
        model = declared_model(
            licensed.scales,
            base_default_ppm=base_default_ppm,
            dependence_permille=dependence_permille,
        )
        terms, report = Terms(version, not_before, stale_from), v1.FitReport(method=METHOD)
        calibration = make_calibration(anchors.federation, terms, model, report, now)
        seal_to(out, calibration, signer, keys)
    tell_written(out, calibration, as_json=as_json)
