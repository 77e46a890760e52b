"""The desk as a site: its pages, its menu, and who may open which."""

from functools import partial

from clients.console.base import Action, Console, Page, Site, build_app
from clients.console.desk import (
    cases,
    home,
    journal_page,
    licences,
    log_page,
    members,
    orders,
    sign_in,
    supervision,
    traffic,
)
from clients.console.desk.office import DeskView, Office, for_officers
from clients.language import marked

_FILE_BYTES = 512 * 1024
_MENU = (
    ("/", marked("Our look-ups")),
    ("/members", marked("Members")),
    ("/licences", marked("Licences")),
    ("/traffic", marked("Traffic")),
    ("/latency", marked("Latency")),
    ("/revocations", marked("Revocations")),
    ("/disputes", marked("Disputes")),
    ("/listings", marked("Listings")),
    ("/fishing", marked("Signals")),
    ("/log", marked("Log")),
    ("/cases", marked("Cases")),
    ("/orders", marked("Orders")),
    ("/journal", marked("Journal")),
    ("/sign-in", marked("Signed in")),
)
_PAGES: dict[str, DeskView] = {
    "/": home.show,
    "/members": members.show,
    "/licences": licences.show,
    "/licences/{name}": licences.download,
    "/traffic": traffic.traffic,
    "/latency": traffic.latency,
    "/revocations": traffic.revocations,
    "/disputes": supervision.disputes,
    "/listings": supervision.listings,
    "/fishing": supervision.fishing,
    "/log": log_page.show,
    "/cases": cases.show,
    "/cases/{case}": cases.one,
    "/cases/{case}/file": cases.download,
    "/orders": orders.show,
    "/journal": journal_page.show,
}
_ACTIONS: dict[str, DeskView] = {
    "/sign-out": sign_in.sign_out,
    "/colleague": sign_in.colleague,
    "/members/ask": members.ask,
    "/licences/propose": licences.propose,
    "/licences/upload": licences.upload,
    "/licences/submit": licences.submit,
    "/licences/put-away": licences.put_away,
    "/log/verify": log_page.verify,
    "/cases/propose": cases.propose,
    "/cases/{case}/approve": cases.approve,
    "/cases/{case}/look-up": cases.look_up,
    "/orders/give": orders.give,
}


def build_desk(office: Office) -> Console:
    """Return the desk's site; all but the sign-in is for officers who have signed in."""
    name, federation = marked("The regulator's desk"), office.anchors.federation
    site = Site("desk", name, _MENU, "clients.console.desk", office.now, federation)
    routes: list[Page | Action] = [
        Page("/sign-in", partial(sign_in.show, office)),
        Page("/sign-in/challenge", partial(sign_in.challenge_file, office)),
        Action("/sign-in", partial(sign_in.sign_in, office)),
        Action("/sign-in/certificate", partial(sign_in.with_certificate, office)),
        *(Page(path, for_officers(office, view)) for path, view in _PAGES.items()),
        *(
            Action(path, for_officers(office, view), most_bytes=_FILE_BYTES)
            for path, view in _ACTIONS.items()
        ),
    ]
    console = build_app(routes, site)
    office.issue_link = console.issue_link
    return console
