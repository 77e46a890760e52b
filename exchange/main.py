"""``concordat-exchange``: the exchange of a federation."""

import typer

from exchange.commands.backup import backup
from exchange.commands.check import check
from exchange.commands.init import init
from exchange.commands.restore import restore
from exchange.commands.rotate_keys import rotate_keys
from exchange.commands.serve import serve

app = typer.Typer(
    help="Run the exchange of a Concordat federation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command()(init)
app.command()(serve)
app.command()(check)
app.command()(backup)
app.command()(restore)
app.command("rotate-keys")(rotate_keys)

if __name__ == "__main__":
    app(prog_name="concordat-exchange")
