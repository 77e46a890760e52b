"""`concordat calibrate countersign`: a regulator reads the report, and puts its root's signature to it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from clients.calibration.errors import CalibrationError
from clients.calibration.sealing import countersign as add_signatures
from clients.calibration.sealing import read_calibration
from clients.cli.calibrate_options import File, SomeLicences
from clients.cli.calibrate_report import print_report
from clients.cli.calibrate_show import exchange_keys, told_of
from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
)
from concordat.federation.anchors import load_anchors
from concordat.statements import digest_of
from concordat.trust.keys import Ed25519Signer


def countersign(
    file: File,
    key: Annotated[list[Path], typer.Option(help="A root key. Repeatable.")],
    trust_bundle: TrustBundle,
    licences: SomeLicences = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: the report was read already.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show the report, ask, and add a root's signature to a calibration."""
    with failing(f"{file} was not signed", as_json=as_json):
        if as_json and not yes:
            raise CalibrationError("--json asks nothing: read the report first, then add --yes")
        anchors, now = load_anchors(trust_bundle), datetime.now(UTC)
        signers = [Ed25519Signer.load(path, read_passphrase(passphrase_file)) for path in key]
        keys = exchange_keys(licences, anchors, now)
        envelope, calibration = read_calibration(file)
        if not as_json:
            print_report(calibration)
        if not yes:
            typer.confirm("Sign this calibration?", abort=True)
        signed = add_signatures(file, signers, anchors, keys, now, read=digest_of(envelope))
    if as_json:
        echo_json(
            ok=True,
            file=file,
            version=calibration.version,
            signed_by_exchange=signed.exchange,
            root_signatures=signed.roots,
            roots_needed=signed.needed,
            complete=signed.complete,
        )
        return
    console().print(f"{file}: {told_of(signed)}")
