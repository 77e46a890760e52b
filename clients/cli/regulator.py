"""`concordat regulator`: the supervisor's desk."""

import typer

from clients.cli.console import CODES

app = typer.Typer(
    help="License and supervise: members, cases, statistics, orders, the monthly report.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
