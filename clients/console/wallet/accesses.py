"""Who looked and why: every entry of the log about me, and the proof of each, to open and to take along."""

from starlette.responses import Response

from clients.cli.access_words import told
from clients.console.base import Page, Visit
from clients.console.base.downloads import attachment
from clients.console.base.failures import no_such_page
from clients.console.base.formats import moment
from clients.console.wallet.desk import Desk
from clients.sdk.accesses import AccessList
from clients.sdk.own_accesses import list_and_keep
from concordat.verify.receipt import open_receipt
from concordat.verify.receipt_file import SUFFIX, dump_receipt


class AccessPages:
    """Lists the entries anew with every look: none is shown that was not proved just now."""

    def __init__(self, desk: Desk) -> None:
        """Ask with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page]:
        """Return its pages."""
        return [
            Page("/accesses", self.all),
            Page("/accesses/{sequence:int}", self.one),
            Page("/accesses/{sequence:int}/receipt", self.receipt),
        ]

    def all(self, visit: Visit) -> Response:
        """Show every entry, the newest first."""
        listed = self._listed()
        rows = [(entry, *told(entry)) for entry in reversed(listed.entries)]
        seen, quorum = len(listed.checkpoint.cosignatures), self._quorum()
        return visit.page("accesses.html", listed=listed, rows=rows, seen=seen, quorum=quorum)

    def one(self, visit: Visit) -> Response:
        """Show an entry's proof, verified here and now."""
        listed, place = self._found(visit)
        entry, receipt = listed.entries[place], listed.receipts[place]
        if entry.record is not None:
            open_receipt(receipt, self._desk.held.anchors)
        who, what, about = told(entry)
        return visit.page(
            "access.html",
            entry=entry,
            receipt=receipt,
            checkpoint=listed.checkpoint,
            witnesses=[each.name for each in listed.checkpoint.cosignatures],
            who=who,
            what=what,
            about=about,
            when=moment(entry.entry.logged_at),
        )

    def receipt(self, visit: Visit) -> Response:
        """Hand out the receipt, as anybody can check it."""
        listed, place = self._found(visit)
        name = f"entry-{listed.entries[place].index}{SUFFIX}"
        return attachment(dump_receipt(listed.receipts[place]), name)

    def _found(self, visit: Visit) -> tuple[AccessList, int]:
        listed, place = self._listed(), int(visit.path["sequence"]) - 1
        if not 0 <= place < len(listed.entries):
            raise no_such_page()
        return listed, place

    def _listed(self) -> AccessList:
        with self._desk.open() as desk:
            return list_and_keep(desk.client, desk.store.held)

    def _quorum(self) -> int:
        return self._desk.held.anchors.bundle.witness_quorum
