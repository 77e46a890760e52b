"""Signing in by a key challenge, signing out, and a link for a colleague's window."""

from starlette.responses import Response

from clients.console.base import PageRefused, Visit
from clients.console.base.downloads import attachment
from clients.console.desk.challenge import Challenge
from clients.console.desk.office import OFFICER, Office
from clients.console.desk.officers import Officer, officer_of
from clients.language import marked, tr

_CHALLENGE = "challenge"


def show(office: Office, visit: Visit) -> Response:
    """Show a fresh challenge, or who has signed in."""
    officer = office.officer(visit)
    challenge = None
    if officer is None:
        challenge = office.challenges.issue(origin_of(visit))
        visit.session.kept[_CHALLENGE] = challenge
    return visit.page("sign_in.html", officer=officer, challenge=challenge)


def challenge_file(office: Office, visit: Visit) -> Response:
    """Return the challenge that was shown last, as a file to carry to where the key is."""
    del office
    challenge = visit.session.kept.get(_CHALLENGE)
    if not isinstance(challenge, Challenge):
        return visit.go("/sign-in")
    return attachment(f"{challenge.text}\n".encode(), "challenge.txt", "text/plain; charset=utf-8")


def sign_in(office: Office, visit: Visit) -> Response:
    """Let in whoever signed the challenge with a key of the licence; tried or not, it never counts again."""
    challenge = visit.session.kept.pop(_CHALLENGE, None)
    visit.session.kept.clear()
    regulator = office.regulator()
    try:
        keyid = office.challenges.check(
            challenge if isinstance(challenge, Challenge) else None,
            visit.form.one("answer"),
            (regulator.keys, regulator.approvers),
        )
        officer = _required(officer_of(regulator, keyid, office.now()))
    except PageRefused as refusal:
        office.journal.note(None, "sign-in", outcome=f"refused: {refusal.title}")
        raise
    office.journal.note(officer, "sign-in")
    visit.session.change_hands()
    visit.session.kept[OFFICER] = officer.key_id
    return visit.go("/", notice=tr("You are signed in as {name}.", name=officer.name))


def sign_out(office: Office, visit: Visit, officer: Officer) -> Response:
    """End the officer's session; the page stays open for another to sign in."""
    office.journal.note(officer, "sign-out")
    visit.session.change_hands()
    return visit.go("/sign-in")


def colleague(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show a link that opens a window of its own once, for another officer to sign in there."""
    office.journal.note(officer, "link")
    return visit.page("colleague.html", link=office.issue_link(origin_of(visit)))


def origin_of(visit: Visit) -> str:
    """Return where this page is served; the guard has checked that it is this machine."""
    return f"{visit.request.url.scheme}://{visit.request.headers['host']}"


def _required(officer: Officer | None) -> Officer:
    if officer is None:
        raise PageRefused(
            403, marked("That key does not open this desk"), marked("Its licence has just changed.")
        )
    return officer
