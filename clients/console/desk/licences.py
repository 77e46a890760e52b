"""The flow of licences: drafts made here, signed offline by the roots, and put in force."""

from datetime import datetime

from starlette.responses import Response

from clients.cli.regulator_changes import changes_of, title_of
from clients.console.base import Visit
from clients.console.base.downloads import attachment
from clients.console.desk.drafts import DraftFiles
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer
from clients.console.desk.uploads import required_upload
from clients.console.desk.words import Shown
from clients.language import tr
from clients.pki.drafts import (
    BEFORE_SUFFIX,
    Draft,
    before_path,
    require_complete,
    root_name,
    signatures_of,
)
from clients.pki.errors import PkiError
from clients.pki.files import DRAFT_SUFFIX
from clients.pki.proposals import InForce, new_status, renewal
from concordat import v1
from concordat.v1 import Standing

_STANDINGS = {
    "suspend": Standing.STANDING_SUSPENDED,
    "reinstate": Standing.STANDING_ACTIVE,
    "revoke": Standing.STANDING_REVOKED,
}
_MOST_DAYS = 3650


def show(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show the drafts that wait for roots, and the forms that make one."""
    at, files = office.now(), _files(office)
    drafts = [_draft(each, office, at) for each in files.all(at)]
    names = [(member.member_id, member.member_id) for member, _ in office.members()]
    return visit.page("licences.html", officer=officer, drafts=drafts, members=names)


def propose(office: Office, visit: Visit, officer: Officer) -> Response:
    """Write a draft: a renewal, a suspension, its end, or a revocation."""
    member_id, act = visit.form.one("member"), visit.form.one("act")
    office.members()
    now = InForce.of(office.reader.book.directory, member_id)
    statement = _statement(now, act, visit, office)
    office.journal.note(officer, f"propose-{act}", member_id)
    name = _files(office).propose(statement, now)
    return visit.go("/licences", notice=tr("Proposed: {name}. Roots sign it offline.", name=name))


def _statement(
    now: InForce, act: str, visit: Visit, office: Office
) -> v1.Licence | v1.LicenceStatus:
    if act == "renew":
        days = visit.form.number("days")
        if not 1 <= days <= _MOST_DAYS:
            raise PkiError(tr("Name 1 to 3650 days."))
        return renewal(now, days, office.now())
    if act not in _STANDINGS:
        raise PkiError(tr("Choose what is to be proposed."))
    basis = visit.form.one("basis")
    return new_status(now, _STANDINGS[act], basis, office.anchors, office.now())


def upload(office: Office, visit: Visit, officer: Officer) -> Response:
    """Take in a draft that roots signed, or that was proposed elsewhere."""
    name = _files(office).take(required_upload(visit, "draft"), office.now())
    office.journal.note(officer, "draft-taken-in", name)
    return visit.go("/licences", notice=tr("Taken in: {name}.", name=name))


def download(office: Office, visit: Visit, officer: Officer) -> Response:
    """Hand out a draft, or what was in force when it was proposed."""
    name = str(visit.path["name"])
    wanted = name.removesuffix(BEFORE_SUFFIX) + DRAFT_SUFFIX if name.endswith(BEFORE_SUFFIX) else ""
    draft = _files(office).find(wanted or name, office.now())
    office.journal.note(officer, "draft-handed-out", name)
    path = draft.path.with_name(name) if wanted else draft.path
    return attachment(path.read_bytes(), path.name)


def submit(office: Office, visit: Visit, officer: Officer) -> Response:
    """Put in force what enough roots signed."""
    officer.require_desk()
    at, name = office.now(), visit.form.one("name")
    draft = _files(office).find(name, at)
    require_complete(draft, office.anchors, at)
    office.journal.note(officer, "submit", name, "begun")
    if isinstance(draft.statement, v1.Licence):
        office.registry.submit_licence(draft.envelope)
    else:
        office.registry.submit_status(draft.envelope)
    office.forget_members()
    office.journal.note(officer, "submit", name)
    _files(office).remove(name, at)
    return visit.go("/members", notice=tr("In force: {name}.", name=draft.statement.member_id))


def put_away(office: Office, visit: Visit, officer: Officer) -> Response:
    """Put a draft away."""
    name = visit.form.one("name")
    _files(office).remove(name, office.now())
    office.journal.note(officer, "draft-put-away", name)
    return visit.go("/licences", notice=tr("Put away: {name}.", name=name))


def _files(office: Office) -> DraftFiles:
    return DraftFiles(office.folder / "drafts", office.anchors)


def _draft(draft: Draft, office: Office, at: datetime) -> dict[str, object]:
    """Return what the page tells of a draft: what it changes, and who has signed."""
    found = signatures_of(draft.envelope, office.anchors, at)
    name = draft.path.name
    before = before_path(draft.path).name
    changes = changes_of(draft.statement, draft.now.before(draft.statement) if draft.now else None)
    return {
        "name": name,
        "before": before if draft.now is not None and name.endswith(DRAFT_SUFFIX) else "",
        "title": title_of(draft),
        "table": Shown(
            tr("What it changes"), [tr("what"), tr("in force"), tr("proposed")], list(changes)
        ),
        "signed": [root_name(each, office.anchors) for each in found.signed],
        "count": len(found.signed),
        "needed": found.needed,
        "complete": found.complete and not found.faults,
        "faults": list(found.faults),
    }
