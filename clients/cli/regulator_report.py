"""`concordat regulator report`: the report of a month, to read, to print, and as tables."""

from pathlib import Path
from typing import Annotated

import typer

from clients.cli.calibrate_progress import progress_shown
from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    new_folder,
    read_passphrase,
)
from clients.cli.regulator_statistics import Regulator, month_option
from clients.regulator_report.month import Month, days_of, month_of
from clients.regulator_report.render import write_report
from clients.sdk.client import RegulatorClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import load_identity
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors


def report(
    trust_bundle: TrustBundle,
    member: Regulator,
    month: Annotated[
        str,
        typer.Option(parser=month_option, metavar="MONTH", help="A month that is over: 2026-10."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="A new folder for the report and its tables.")
    ],
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a month: report.html to read and print, a CSV file a table, the figures.

    It begins with your own case look-ups. The month and each of its days are read, and each reading is logged.
    """
    new_folder(out)
    with failing("the report was not written", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        with RegulatorClient(anchors, identity) as client:
            read = _read(client, month)
        files = write_report(out, read, identity.member_id, anchors.federation, Clock().now())
    if as_json:
        echo_json(ok=True, month=month, days=len(read.days), files=files)
        return
    console().print(f"Wrote {out / 'report.html'} and {len(files) - 1} tables and figures.")


def _read(client: RegulatorClient, month: str) -> Month:
    """Read a month and those of its days that are kept; raise ``ClientError`` where the month is not."""
    tables = client.read_statistics(month=month).tables
    if not tables:
        raise ClientError(
            f"the exchange keeps nothing of {month}; reports are of the last 36 months"
        )
    days = {}
    dates = days_of(month)
    with progress_shown() as tell:
        for nth, day in enumerate(dates):
            tell(f"reading {day}", nth / len(dates))
            if found := client.read_statistics(day=day).tables:
                days[day] = found
    return month_of(month, tables, days)
