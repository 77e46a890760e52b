"""The freeze and the fraud alert: placed and lifted by me alone, at once."""

from starlette.responses import Response

from clients.cli.wallet_flags import change_flag, look
from clients.console.base import Action, Page, Visit
from clients.console.base.failures import unreadable
from clients.console.wallet.desk import Desk, outcome
from clients.language import marked, tr
from concordat.v1 import FlagKind

_KINDS = {"freeze": FlagKind.FLAG_KIND_FREEZE, "alert": FlagKind.FLAG_KIND_FRAUD_ALERT}
_DONE = {
    ("freeze", True): marked("Frozen: nothing is released to anyone until you lift it."),
    ("freeze", False): marked("Not frozen: your consents work again."),
    ("alert", True): marked("Fraud alert placed: lenders with your consent to flags are warned."),
    ("alert", False): marked("Fraud alert lifted."),
}


class SwitchPages:
    """Shows both switches as the exchange has them."""

    def __init__(self, desk: Desk) -> None:
        """Sign with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [Page("/switches", self.show), Action("/switches", self.change)]

    def show(self, visit: Visit) -> Response:
        """Show how they stand, and whether that is what this wallet signed."""
        with self._desk.sending(visit) as desk:
            told = desk.client.own_listings(desk.store)
        return visit.page("switches.html", told=told)

    def change(self, visit: Visit) -> Response:
        """Place or lift one; it is signed even where the exchange cannot be reached."""
        name, placed = visit.form.one("switch"), visit.form.one("placed") == "yes"
        if name not in _KINDS:
            raise unreadable()
        with self._desk.open() as desk:
            told = look(desk)
            posted = change_flag(desk, told, _KINDS[name], placed=placed)
        done = tr(_DONE[name, placed])
        return visit.go("/switches", notice=done if posted is None else outcome(posted, done))
