"""`concordat regulator`: the supervisor's desk."""

import typer

from clients.cli.console import CODES
from clients.cli.regulator_case import app as case

app = typer.Typer(
    help="License and supervise: members, cases, statistics, orders, the monthly report.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(case, name="case")
