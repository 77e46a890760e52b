"""My inbox: fetched when I say so, for a notice that is fetched has reached me."""

from dataclasses import dataclass

from starlette.responses import Response

from clients.cli.console import said
from clients.console.base import Action, Page, Visit
from clients.console.wallet.desk import Desk, keep, kept
from concordat import v1


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was in the inbox, the newest first; ``fresh`` are the ids that were not read before."""

    messages: tuple[v1.InboxMessage, ...]
    fresh: frozenset[bytes]


class InboxPages:
    """Fetches the inbox, and shows what was fetched until the session ends."""

    def __init__(self, desk: Desk) -> None:
        """Ask with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [Page("/inbox", self.show), Action("/inbox", self.fetch)]

    def show(self, visit: Visit) -> Response:
        """Show what was fetched last."""
        return visit.page("inbox.html", fetched=kept(visit, Fetched), kind_of=_kind)

    def fetch(self, visit: Visit) -> Response:
        """Fetch it: the time in which a listing can be contested begins then."""
        with self._desk.sending(visit) as desk:
            seen = desk.store.memory().inbox_seen
            messages = desk.client.read_inbox(desk.store)
        fresh = frozenset(each.message_id for each in messages if each.message_id > seen)
        keep(visit, Fetched(tuple(reversed(messages)), fresh))
        return visit.go("/inbox")


def _kind(message: v1.InboxMessage) -> str:
    return said(v1.InboxKind.Name(message.kind), "INBOX_KIND_")
