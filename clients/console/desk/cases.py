"""Case look-ups: proposed here, approved offline by two officers who each sign in, looked up, and shown once."""

import secrets
from datetime import timedelta
from typing import cast

from starlette.responses import Response

from clients.console.base import PageRefused, Visit
from clients.console.base.downloads import attachment
from clients.console.base.formats import moment
from clients.console.desk.case_answer import answer_table
from clients.console.desk.home import LOOK_UP
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer, officer_of
from clients.console.desk.uploads import required_upload
from clients.console.desk.words import SCOPES, said
from clients.language import marked, tr
from clients.sdk.cases import CaseProposal, case_of, propose_case
from clients.sdk.errors import ClientError
from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import CaseScope
from concordat.verify.case import APPROVERS_NEEDED, CaseAnswered, open_case

_ONCE = "look-up-once"
_DAYS, _TELL_IN = 365, 180
_MOST_PAGES = 64
_SUBJECT_DIGITS = 64
_CASE_DIGITS = 32


def show(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show the cases of this desk, and the form for another."""
    rows = [_summary(each, office) for each in office.cases.all()]
    scopes = [(str(number), tr(name)) for number, name in SCOPES.items()]
    return visit.page("cases.html", officer=officer, cases=rows, scopes=scopes)


def propose(office: Office, visit: Visit, officer: Officer) -> Response:
    """Keep a case with no signature yet."""
    form, at = visit.form, office.now()
    days, tell_in = form.number("days", 90), form.number("tell_in", 30)
    if not (1 <= days <= _DAYS and tell_in <= min(_TELL_IN, days)):
        raise ClientError(
            tr(
                "A case ends within 365 days, and its subject is told within 180 and before it ends."
            )
        )
    proposal = CaseProposal(
        subject_ref=hex_of(form.one("subject"), _SUBJECT_DIGITS),
        legal_article=form.one("article"),
        case_reference=form.one("reference"),
        scopes=[_scope(each) for each in form.all("scope")],
        ends_at=at + timedelta(days=days),
        notice_at=at + timedelta(days=tell_in),
    )
    case = propose_case(proposal, office.identity.member_id, office.anchors.federation, at)
    office.journal.note(officer, "case-propose", _named(case))
    office.cases.save(case)
    return visit.go(f"/cases/{case_of(case).case_id.hex()}")


def one(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show a case: what it says, who approved it, and what can be done next."""
    case = _find(office, visit)
    visit.session.kept[_ONCE] = once = secrets.token_urlsafe(16)
    approved = len(case.signatures) >= APPROVERS_NEEDED
    return visit.page(
        "case.html",
        case=_summary(case, office),
        officer=officer,
        facts=_facts(case, office),
        mine=any(each.keyid == officer.key_id for each in case.signatures),
        approved=approved,
        open=case_of(case).ends_at.ToDatetime(office.now().tzinfo) > office.now(),
        scopes=[(str(each), said(SCOPES, each)) for each in case_of(case).scopes],
        once=once,
    )


def download(office: Office, visit: Visit, officer: Officer) -> Response:
    """Hand out a case, to be signed where an approver's key is."""
    case = _find(office, visit)
    office.journal.note(officer, "case-handed-out", _named(case))
    return attachment(case.SerializeToString(), f"case-{case_of(case).case_id.hex()}.env")


def approve(office: Office, visit: Visit, officer: Officer) -> Response:
    """Take the signature of the approver who has signed in from the file that it signed offline."""
    officer.require_approver()
    case, uploaded = _find(office, visit), required_upload(visit, "case")
    case_id, approvers = case_of(case).case_id, office.regulator().approvers
    try:
        count = office.cases.approve(case_id, uploaded, officer.key_id, approvers)
    except ClientError as error:
        office.journal.note(officer, "case-approve", _named(case), f"refused: {error}")
        raise
    office.journal.note(officer, "case-approve", _named(case))
    notice = tr("{count} of {needed} approvals.", count=count, needed=APPROVERS_NEEDED)
    return visit.go(f"/cases/{case_id.hex()}", notice=notice)


def look_up(office: Office, visit: Visit, officer: Officer) -> Response:
    """Look the named subject up, and show the answer in this very page: it is kept nowhere."""
    officer.require_desk()
    case, scope = _find(office, visit), _scope(visit.form.one("scope"))
    once = visit.session.kept.pop(_ONCE, None)
    if not isinstance(once, str) or not secrets.compare_digest(
        once.encode(), visit.form.one("once").encode()
    ):
        raise _shown_already()
    open_case(case, office.regulator(), office.anchors)
    about = f"{_named(case)} {CaseScope.Name(scope)}"
    office.journal.note(officer, LOOK_UP, about, "begun")
    try:
        answers = _pages(office, case, scope)
    except Exception as error:
        office.journal.note(officer, LOOK_UP, about, f"failed: {type(error).__name__}")
        raise
    office.journal.note(officer, LOOK_UP, about, f"answered, entry {answers[0].entry_index}")
    return visit.page(
        "answer.html",
        case=_summary(case, office),
        told_by=case_of(case).notice_at,
        read_at=answers[0].answer.issued_at,
        entries=[each.entry_index for each in answers],
        table=answer_table(answers, scope),
    )


def _pages(office: Office, case: v1.Envelope, scope: CaseScope.ValueType) -> list[CaseAnswered]:
    """Return every page of a scope; each is a look-up in the month's budget."""
    pages = [office.reader.look_up(case, scope)]
    while pages[-1].answer.cursor and len(pages) < _MOST_PAGES:
        pages.append(office.reader.look_up(case, scope, pages[-1].answer.cursor))
    return pages


def _find(office: Office, visit: Visit) -> v1.Envelope:
    return office.cases.find(hex_of(str(visit.path["case"]), _CASE_DIGITS))


def _named(case: v1.Envelope) -> str:
    """Return how the journal names a case: never by its subject."""
    said_ = case_of(case)
    return f"{said_.case_reference} {said_.case_id.hex()}"


def _summary(case: v1.Envelope, office: Office) -> dict[str, str]:
    held = case_of(case)
    ended = from_timestamp(held.ends_at) <= office.now()
    count = len(case.signatures)
    state = tr("{count} of {needed} approvals", count=count, needed=APPROVERS_NEEDED)
    return {
        "id": held.case_id.hex(),
        "reference": held.case_reference,
        "article": held.legal_article,
        "state": tr("ended") if ended else state,
        "told_by": moment(held.notice_at),
    }


def _facts(case: v1.Envelope, office: Office) -> list[tuple[str, str]]:
    held, regulator = case_of(case), office.regulator()
    signed = [officer_of(regulator, each.keyid, office.now()) for each in case.signatures]
    names = [
        officer.name if officer else each.keyid
        for officer, each in zip(signed, case.signatures, strict=True)
    ]
    return [
        (tr("legal article"), held.legal_article),
        (tr("subject"), held.subject_ref.hex()),
        (tr("looks at"), ", ".join(said(SCOPES, each) for each in held.scopes)),
        (tr("issued"), moment(held.issued_at)),
        (tr("ends"), moment(held.ends_at)),
        (tr("the subject is told by"), moment(held.notice_at)),
        (tr("approved by"), ", ".join(names) or tr("nobody yet")),
    ]


def _scope(text: str) -> CaseScope.ValueType:
    number = int(text) if text.isascii() and text.isdigit() and len(text) == 1 else 0
    if number not in SCOPES:
        raise ClientError(tr("Choose what the case looks at: listings, accesses or consents."))
    return cast("CaseScope.ValueType", number)


def hex_of(text: str, digits: int) -> bytes:
    """Return the bytes of exactly so many hex digits; raise ``ClientError``."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(text) != digits or len(raw) * 2 != digits:
        raise ClientError(
            tr("That is not {digits} hexadecimal digits: {given}", digits=digits, given=text)
        )
    return raw


def _shown_already() -> PageRefused:
    return PageRefused(
        409,
        marked("That answer was shown already"),
        marked(
            "An answer is shown once and kept nowhere; loading it again would be another look-up. Open the case, "
            "and look up again if you must: it is logged, counted and told."
        ),
    )
