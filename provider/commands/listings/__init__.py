"""``concordat-provider listings``: file debts, follow them up, mirror a court's register."""

import typer

from provider.commands.listings.correct import correct
from provider.commands.listings.debt_token import debt_token
from provider.commands.listings.duties import duties
from provider.commands.listings.file import file
from provider.commands.listings.mirror import mirror
from provider.commands.listings.prolong import prolong
from provider.commands.listings.reconfirm import reconfirm
from provider.commands.listings.settle import settle
from provider.commands.listings.status import status
from provider.commands.listings.withdraw import withdraw

app = typer.Typer(
    help="File debts, follow them up, mirror a court's register. A node may be running: what is handed in "
    "then is sent by the node, else by the command itself.",
    no_args_is_help=True,
    add_completion=False,
)
app.command()(file)
app.command()(reconfirm)
app.command()(settle)
app.command()(withdraw)
app.command()(correct)
app.command()(prolong)
app.command()(duties)
app.command()(status)
app.command("debt-token")(debt_token)
app.command()(mirror)
