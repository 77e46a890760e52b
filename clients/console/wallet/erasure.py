"""What would be erased if I asked for it, and what a law keeps for now."""

from starlette.responses import Response

from clients.cli import wallet_erase as words
from clients.console.base import Action, Page, Visit
from clients.console.wallet.desk import Desk, keep, kept
from clients.language import tr
from concordat import v1


class ErasurePages:
    """Shows a preview; the erasure itself is asked for with the command, which asks once more."""

    def __init__(self, desk: Desk) -> None:
        """Ask with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [Page("/erasure", self.show), Action("/erasure", self.preview)]

    def show(self, visit: Visit) -> Response:
        """Show the preview that was asked for last."""
        outcome = kept(visit, v1.ErasureOutcome)
        ask_them = ""
        if outcome is not None and outcome.ask_too:
            ask_them = tr(words.ASK_THEM, members=", ".join(outcome.ask_too))
        return visit.page(
            "erasure.html",
            outcome=outcome,
            what=words.what,
            why=words.why,
            ask_them=ask_them,
        )

    def preview(self, visit: Visit) -> Response:
        """Ask what would go; nothing does."""
        with self._desk.open() as desk:
            keep(visit, desk.client.erase(desk.store.key, preview=True))
        return visit.go("/erasure")
