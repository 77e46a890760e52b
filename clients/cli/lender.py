"""`concordat lender`: what a lender owes after an access, and what changes about those whom it may watch."""

import typer

from clients.cli.console import CODES
from clients.cli.lender_outcome import app as outcome
from clients.cli.lender_watch import watch

app = typer.Typer(
    help="Say what came of accesses; watch subjects who gave a periodic consent.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(outcome, name="outcome")
app.command(epilog=CODES)(watch)
