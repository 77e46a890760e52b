"""`concordat regulator statistics`: what the exchange tells of a day or a month, in tables."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
)
from clients.cli.moments import moment
from clients.regulator_report.grid import KEYS, Grid, facts_of, grid_of
from clients.regulator_report.wording import table_name
from clients.sdk.client import RegulatorClient
from clients.sdk.identity import load_identity
from concordat import v1
from concordat.federation.anchors import load_anchors

NAMES = [table_name(table) for table in v1.StatisticsTable.values() if table]
NOTE = (
    "<{smallest}*: fewer than {smallest}, or withheld as it would give such a number away. "
    "Others are rounded to multiples of {smallest}."
)
Regulator = Annotated[
    Path, typer.Option(help="The regulator's folder: signing.key, tls.crt, tls.key.")
]


def day_option(text: str) -> str:
    """Return a date as it is; raise ``typer.BadParameter`` for anything else."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise typer.BadParameter(f"{text} is no day; write it as 2026-10-31")
    return text


def month_option(text: str) -> str:
    """Return a month as it is; raise ``typer.BadParameter`` for anything else."""
    if not re.fullmatch(r"\d{4}-\d{2}", text):
        raise typer.BadParameter(f"{text} is no month; write it as 2026-10")
    return text


def table_option(text: str) -> str:
    """Return the name of a table; raise ``typer.BadParameter`` where there is none such."""
    if text not in NAMES:
        raise typer.BadParameter(f"there is no table {text}; one of {', '.join(NAMES)}")
    return text


def statistics(
    trust_bundle: TrustBundle,
    member: Regulator,
    day: Annotated[
        str | None, typer.Option(parser=day_option, metavar="DATE", help="A day, UTC: 2026-10-31.")
    ] = None,
    month: Annotated[
        str | None, typer.Option(parser=month_option, metavar="MONTH", help="A month: 2026-10.")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(parser=table_option, metavar="NAME", help="Show only this table."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show the statistics of a day or a month that is over.

    Aggregates alone, the same for everybody and for ever. Each table comes either by the day (traffic, and how
    many listings stand in which state) or by the month (what became of listings, disputes, cases). Your reading is
    logged.
    """
    if (day is None) == (month is None):
        raise typer.BadParameter("name either --day or --month")
    with failing("the statistics were not read", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        with RegulatorClient(anchors, identity) as client:
            read = client.read_statistics(day=day or "", month=month or "")
    tables = [each for each in read.tables if table in {None, table_name(each.table)}]
    if as_json:
        facts = [facts_of(each) for each in tables]
        echo_json(
            ok=True, federation=anchors.federation, read_at=moment(read.read_at), tables=facts
        )
        return
    console().print(f"Of the federation {anchors.federation}:")
    print_tables(tables)


def print_tables(tables: list[v1.Statistics]) -> None:
    """Print tables, with what their numbers mean."""
    if not tables:
        console().print("Nothing of the kind is kept of this period.")
        return
    for grid in (grid_of(each, brief=True) for each in tables):
        empty = f"{grid.title}, {grid.period}: nothing is told."
        console().print(_drawn(grid) if grid.rows else empty)
    console().print(NOTE.format(smallest=tables[0].smallest_cell))


def _drawn(grid: Grid) -> Table:
    drawn = Table(title=f"{grid.title}, {grid.period}", caption=grid.about, title_justify="left")
    for head in grid.heads:
        key = head in KEYS
        drawn.add_column(head, justify="left" if key else "right", no_wrap=key, overflow="fold")
    for row in grid.rows:
        drawn.add_row(*row)
    return drawn
