"""`concordat calibrate outcomes`: a lender tells what became of its credits, in counts alone."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.calibrate_options import day
from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
)
from clients.cli.lender_options import LenderFolder
from clients.sdk.client import LenderClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import load_identity
from clients.sdk.outcomes import SMALLEST_CELL, Counted, Period, count_outcomes, read_outcomes
from concordat.clock import Clock
from concordat.federation.anchors import Anchors, load_anchors
from concordat.verify.bundle import SUFFIX, parse_bundle
from concordat.verify.view import VerifiedView, verify_view_bundle


def outcomes(
    views: Annotated[Path, typer.Argument(help="Folder of your saved view bundles (.cbundle).")],
    outcomes: Annotated[
        Path,
        typer.Option(
            help="CSV with `view_id` and `outcome`: 1 where the credit defaulted, 0 where not."
        ),
    ],
    begin: Annotated[
        datetime,
        typer.Option(
            "--from", parser=day, metavar="DATE", help="Views made from then, such as 2027-01-01."
        ),
    ],
    end: Annotated[
        datetime, typer.Option("--until", parser=day, metavar="DATE", help="Views made before.")
    ],
    trust_bundle: TrustBundle,
    member: LenderFolder,
    smallest_cell: Annotated[
        int, typer.Option(min=1, help="Bins with fewer credits are left out.")
    ] = SMALLEST_CELL,
    send: Annotated[
        bool, typer.Option("--send", help="Sign the counts and hand them in; else only show them.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Count what became of credits by bins of each provider's scores; with --send, tell the exchange.

    Each view is verified first. Only counts leave your house: no view, no person, no score. A period that you
    told before is replaced; it may not overlap another.
    """
    with failing("the outcomes were not reported", as_json=as_json):
        anchors, now = load_anchors(trust_bundle), Clock().now()
        if not begin < end <= now:
            raise ClientError("the period must end after it begins, and not in the future")
        known = read_outcomes(outcomes)
        counted = count_outcomes(
            _verified(views, anchors), known, Period(begin, end), now, smallest_cell
        )
        replaced = _send(counted, anchors, member, passphrase_file) if send else None
    if as_json:
        told = replaced or [None] * len(counted)
        reports = [_facts(each, was) for each, was in zip(counted, told, strict=True)]
        echo_json(ok=True, sent=send, reports=reports)
    else:
        _print(counted, sent=send)


def _verified(folder: Path, anchors: Anchors) -> Iterator[VerifiedView]:
    """Verify every bundle of a folder; raise ``ClientError`` where there is none."""
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        raise ClientError(f"{folder} holds no {SUFFIX} file; keep them with: view request --out")
    for file in files:
        yield verify_view_bundle(parse_bundle(file.read_bytes()), anchors)


def _send(
    counted: Sequence[Counted], anchors: Anchors, member: Path, passphrase_file: Path | None
) -> list[bool | None]:
    """Hand counts in, one provider after the other; return for each whether it replaced earlier ones."""
    identity = load_identity(member, anchors, read_passphrase(passphrase_file))
    with LenderClient(anchors, identity) as client:
        return [
            client.report_outcomes(each.counts) if each.counts is not None else None
            for each in counted
        ]


def _print(counted: Sequence[Counted], *, sent: bool) -> None:
    if not counted:
        console().print(
            "Nothing to count: no view of that period has a known outcome, the full score, and a calibration "
            "that was fitted."
        )
        return
    table = Table("provider", "calibration", "bin", "credits", "defaults")
    for column in table.columns[2:]:
        column.justify = "right"
    for each in counted:
        name, version = each.provider, str(each.calibration_version)
        for one in each.counts.bins if each.counts is not None else ():
            table.add_row(name, version, str(one.bin), str(one.subjects), str(one.defaults))
            name = version = ""
        if each.left_out:
            table.add_row(name, version, "", f"{each.left_out} left out: too few in a bin", "")
    console().print(table)
    if sent:
        console().print("The exchange has these counts, and nothing else.", style="green")
    else:
        console().print("Not sent: --send hands them in.")


def _facts(each: Counted, replaced: bool | None) -> dict[str, Any]:
    """Return the JSON of what was counted; its keys stay as they are."""
    bins = each.counts.bins if each.counts is not None else ()
    return {
        "provider": each.provider,
        "calibration_version": each.calibration_version,
        "bins": [
            {"bin": one.bin, "subjects": one.subjects, "defaults": one.defaults} for one in bins
        ],
        "left_out": each.left_out,
        "replaced": replaced,
    }
