"""``concordat-provider check``: look at everything that the node needs, and change nothing."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from provider.checks import Examination
from provider.commands.shared import (
    EXIT_FAILED,
    EXIT_OK,
    OUT,
    ConfigOption,
    advising,
    read_settings,
)

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def check(
    config: ConfigOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check keys, TLS files, database, exchange, licence and scores; a node may be running.

    Exit codes: 0 all is well, warnings or not; 1 a check failed; 2 the settings are wrong.
    """
    with advising():
        findings = list(Examination(read_settings(config)).run())
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("check", "state", "detail", box=None)
        for finding in findings:
            colour = _COLOURS[finding.state]
            table.add_row(finding.check, f"[{colour}]{finding.state}[/]", escape(finding.detail))
        OUT.print(table)
    failed = any(finding.state in {"failed", "skipped"} for finding in findings)
    raise typer.Exit(EXIT_FAILED if failed else EXIT_OK)
