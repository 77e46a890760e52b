"""``concordat-provider``: the node of a provider, a furnisher or a court."""

import typer

from provider.commands.check import check
from provider.commands.init import init
from provider.commands.listings import app as listings
from provider.commands.load import load
from provider.commands.receipts import receipts
from provider.commands.serve import serve

app = typer.Typer(
    help="Run the node of a provider, a furnisher or a court of a Concordat federation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command()(check)
app.command()(init)
app.command()(load)
app.command()(receipts)
app.command()(serve)
app.add_typer(listings, name="listings")

if __name__ == "__main__":
    app(prog_name="concordat-provider")
