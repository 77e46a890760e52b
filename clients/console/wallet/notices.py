"""Which regulators looked at me in a case; and whether the exchange kept that from me, by the witnesses."""

from starlette.responses import Response

from clients.cli.console import said
from clients.cli.wallet_notices import ToldNotices, ask_for_notices
from clients.console.base import Action, Page, Visit
from clients.console.base.formats import moment
from clients.console.wallet.desk import Desk, keep, kept
from clients.language import plural, tr
from clients.sdk.cases_custody import CollectedNotice, custodians_of
from concordat import v1
from concordat.rpc.errors import CATALOG

Row = tuple[str, str, str, str, str, str, str]


class NoticePages:
    """Reads the notices when I say so, for it reads my inbox; and shows them until the session ends."""

    def __init__(self, desk: Desk) -> None:
        """Ask with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [Page("/notices", self.show), Action("/notices", self.read)]

    def show(self, visit: Visit) -> Response:
        """Show what was read last."""
        told = kept(visit, ToldNotices)
        return visit.page(
            "notices.html",
            told=told,
            rows=[_row(each) for each in told.notices] if told is not None else [],
            witnesses=len(custodians_of(self._desk.held.anchors)),
        )

    def read(self, visit: Visit) -> Response:
        """Read them at the exchange, and ask the witnesses too if that was chosen."""
        with self._desk.sending(visit) as desk:
            keep(visit, ask_for_notices(desk, self._desk.held, collect=_collects(visit)))
        return visit.go("/notices")


def _collects(visit: Visit) -> bool:
    return visit.form.one("collect") == "yes"


def _row(each: CollectedNotice) -> Row:
    """Return when, who, at what, by which article, in which case, told by whom, and the entry of the log."""
    notice, number = each.notice, len(each.custodians)
    looked = moment(notice.looked_at)
    if notice.refusal:
        why = tr(CATALOG[notice.refusal].message) if notice.refusal in CATALOG else ""
        looked = tr("{when}, refused: {why}", when=looked, why=why)
    scopes = ", ".join(said(v1.CaseScope.Name(scope), "CASE_SCOPE_") for scope in notice.scopes)
    by = plural("{number} witness", "{number} witnesses", number) if number else tr("the exchange")
    article, case = notice.legal_article, notice.case_reference
    return looked, notice.regulator, scopes, article, case, by, str(each.logged.index)
