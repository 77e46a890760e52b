"""`concordat calibrate show`: what a calibration is, how well it does and for whom, and who signed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict

from clients.calibration.licensed import read_licensed
from clients.calibration.sealing import Signatures, read_calibration, signatures_of
from clients.cli.calibrate_options import File, SomeLicences
from clients.cli.calibrate_report import print_report
from clients.cli.console import Exit, JsonOption, console, echo_json, failing
from concordat import v1
from concordat.federation.anchors import Anchors, load_anchors
from concordat.statements import digest_of
from concordat.trust.keys import KeyRing


def show(
    file: File,
    trust_bundle: Annotated[
        Path | None,
        typer.Option(
            "--trust-bundle",
            "-t",
            envvar="CONCORDAT_TRUST_BUNDLE",
            help="Check who signed; exit code 1 where enough have not.",
        ),
    ] = None,
    licences: SomeLicences = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a calibration is, its report, and who signed it."""
    with failing(f"{file} was not shown", as_json=as_json):
        envelope, calibration = read_calibration(file)
        now = datetime.now(UTC)
        signed = None
        if trust_bundle:
            anchors = load_anchors(trust_bundle)
            anchors.require_federation(calibration.federation)
            signed = signatures_of(envelope, anchors, exchange_keys(licences, anchors, now), now)
    if as_json:
        _echo(envelope, calibration, signed)
    else:
        print_report(calibration)
        console().print(told_of(signed))
    if signed and not (signed.complete and signed.exchange is not False):
        raise typer.Exit(Exit.REFUSED)


def exchange_keys(licences: list[Path] | None, anchors: Anchors, at: datetime) -> KeyRing | None:
    """Return the exchange's keys, or None where no licences were given."""
    return read_licensed(licences, anchors, at).exchange_keys(anchors) if licences else None


def told_of(signed: Signatures | None) -> str:
    """Return who signed, in words."""
    if signed is None:
        return "signatures not checked: name a trust bundle with --trust-bundle"
    by_exchange = {
        None: "the exchange's signature was not checked: name its licence with --licences",
        True: "signed by the exchange",
        False: "NOT signed by the exchange",
    }[signed.exchange]
    enough = "enough" if signed.complete else "not enough yet"
    return f"{by_exchange}; {signed.roots} of {signed.needed} root signatures: {enough}"


def _echo(envelope: v1.Envelope, calibration: v1.Calibration, signed: Signatures | None) -> None:
    echo_json(
        ok=not signed or (signed.complete and signed.exchange is not False),
        digest=digest_of(envelope),
        version=calibration.version,
        signed_by_exchange=signed.exchange if signed else None,
        root_signatures=signed.roots if signed else None,
        roots_needed=signed.needed if signed else None,
        calibration=MessageToDict(calibration, preserving_proto_field_name=True),
    )
