"""Signing in by a key challenge or a client certificate, signing out, and a link for a colleague's window."""

from starlette.responses import Response

from clients.console.base import PageRefused, Visit
from clients.console.base.downloads import attachment
from clients.console.desk.certificates import (
    CertificateRefused,
    ShownCertificate,
    fingerprint_of,
)
from clients.console.desk.challenge import Challenge
from clients.console.desk.office import OFFICER, Office, SignedIn
from clients.console.desk.officers import Officer, officer_of
from clients.language import marked, tr

_CHALLENGE = "challenge"
_TOLD = "refused certificate"


def show(office: Office, visit: Visit) -> Response:
    """Show whose certificate the browser has, and a fresh challenge; or who has signed in."""
    officer = office.officer(visit)
    if officer is not None:
        return visit.page("sign_in.html", officer=officer)
    shown, refused = _shown(office, visit)
    challenge = office.challenges.issue(origin_of(visit))
    visit.session.kept[_CHALLENGE] = challenge
    return visit.page(
        "sign_in.html",
        officer=None,
        challenge=challenge,
        shown=shown,
        refused=refused,
        encrypted=visit.is_encrypted,
    )


def _shown(
    office: Office, visit: Visit
) -> tuple[ShownCertificate | None, CertificateRefused | None]:
    """Return the certificate that the browser shows, or why it does not count; the journal is told that once."""
    try:
        return office.shown(visit), None
    except CertificateRefused as refusal:
        if visit.session.kept.get(_TOLD) != refusal.title:
            _note_refused(office, refusal, visit.certificate)
            visit.session.kept[_TOLD] = refusal.title
        return None, refusal


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
        _note_refused(office, refusal)
        raise
    return _let_in(office, visit, officer)


def with_certificate(office: Office, visit: Visit) -> Response:
    """Let in whoever has the certificate that the browser shows, for as long as it shows that one."""
    visit.session.kept.clear()
    try:
        shown = office.shown(visit)
        if shown is None:
            raise _none_shown()
    except CertificateRefused as refusal:
        _note_refused(office, refusal, visit.certificate)
        raise
    return _let_in(office, visit, shown.officer, shown.fingerprint)


def _let_in(office: Office, visit: Visit, officer: Officer, certificate: str = "") -> Response:
    office.journal.note(officer, "sign-in")
    visit.session.change_hands()
    visit.session.kept[OFFICER] = SignedIn(officer.key_id, certificate)
    return visit.go("/", notice=tr("You are signed in as {name}.", name=officer.name))


def _note_refused(office: Office, refusal: PageRefused, certificate: bytes | None = None) -> None:
    about = f"certificate {fingerprint_of(certificate)}" if certificate else ""
    office.journal.note(None, "sign-in", about, f"refused: {refusal.title}")


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


def _none_shown() -> CertificateRefused:
    return CertificateRefused(
        marked("The browser shows no certificate"),
        marked(
            "Put yours into the browser, start it anew, and choose the certificate when it asks; or sign the "
            "challenge."
        ),
    )


def _required(officer: Officer | None) -> Officer:
    if officer is None:
        raise PageRefused(
            403, marked("That key does not open this desk"), marked("Its licence has just changed.")
        )
    return officer
