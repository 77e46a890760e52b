"""The log and its witnesses, with a button that proves before the viewer that the log only grew."""

from starlette.responses import Response

from clients.auditor.errors import AuditorError, Contradiction
from clients.console.base import Visit
from clients.console.desk.log_check import LogCheck, LogDesk
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer


def show(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show the checkpoint that this desk remembers; nothing is fetched."""
    del officer
    desk = _desk(office)
    with office.open_log() as source:
        try:
            older, error = desk.remembered(source), None
        except AuditorError as unusable:
            older, error = None, unusable
    check = LogCheck(older, None, error=error)
    return _page(visit, desk, check, checked=False)


def verify(office: Office, visit: Visit, officer: Officer) -> Response:
    """Fetch the checkpoint and prove that it goes on from the remembered one."""
    desk = _desk(office)
    with office.open_log() as source:
        check = desk.check(source)
    outcome = check.error.reason if check.error else "holds"
    size = f"{check.newer.size} entries" if check.newer else ""
    office.journal.note(officer, "log-verify", size, outcome)
    return _page(visit, desk, check, checked=True)


def _page(visit: Visit, desk: LogDesk, check: LogCheck, *, checked: bool) -> Response:
    alarm = check.error if isinstance(check.error, Contradiction) else None
    return visit.page(
        "log.html",
        check=check,
        checked=checked,
        alarm=alarm,
        notes=[_text(alarm.older), _text(alarm.newer)] if alarm else [],
        witnesses=desk.witnesses(check.newer or check.older),
        proof=[each.hex() for each in check.proof],
    )


def _text(note: bytes) -> str:
    return note.decode("utf-8", "replace")


def _desk(office: Office) -> LogDesk:
    return LogDesk(office.anchors, office.folder / "log")
