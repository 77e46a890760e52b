"""This wallet: its key's binding, and what is for the command line."""

from starlette.responses import Response

from clients.console.base import Page, Visit
from clients.console.wallet.desk import Desk
from clients.language import marked, tr
from concordat import v1

# What can be done with a wallet and not on its page: the command, and what for.
COMMANDS = (
    (
        "concordat wallet rebind",
        marked(
            "The key was lost, or somebody else may have it: have the registrar bind a new one. The old one is "
            "dead within a second. It takes a new code from the registrar, who checks again who you are."
        ),
    ),
    ("concordat wallet new, concordat wallet bind", marked("Make another wallet, for a new key.")),
    (
        "concordat wallet report --provider PROVIDER, --no-score",
        marked("Ask some of the providers alone, or have a report without a score."),
    ),
    (
        "concordat wallet report --from FILE",
        marked("Show a copy of your report again, checked, and write it in the other language."),
    ),
    (
        "concordat wallet report-check FILE",
        marked("Check a report's page that somebody hands you; it takes no wallet."),
    ),
    (
        "concordat wallet accesses --receipt FILE",
        marked("Hold a lender's or a provider's receipt against the entries about you."),
    ),
    (
        "concordat wallet listings --against-log",
        marked("Hold what your listings show against the public log, too."),
    ),
)


class MorePages:
    """Says what the wallet is, and what the page leaves to commands."""

    def __init__(self, desk: Desk) -> None:
        """Show ``desk``'s wallet."""
        self._desk = desk

    def routes(self) -> list[Page]:
        """Return its page."""
        return [Page("/more", self.show)]

    def show(self, visit: Visit) -> Response:
        """Show it; nobody is asked for anything."""
        held = self._desk.held
        binding = v1.SubjectBinding.FromString(held.key().binding.payload)
        commands = [(command, tr(what)) for command, what in COMMANDS]
        return visit.page("more.html", held=held, binding=binding, commands=commands)
