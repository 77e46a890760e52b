"""``concordat-provider``: a provider's node."""

import typer

from provider.commands.check import check
from provider.commands.init import init
from provider.commands.load import load
from provider.commands.receipts import receipts
from provider.commands.serve import serve

app = typer.Typer(
    help="Run a provider's node of a Concordat federation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command()(check)
app.command()(init)
app.command()(load)
app.command()(receipts)
app.command()(serve)

if __name__ == "__main__":
    app(prog_name="concordat-provider")
