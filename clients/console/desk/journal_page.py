"""Who did what at this desk: its journal, the latest first."""

from starlette.responses import Response

from clients.console.base import Visit
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer
from clients.console.desk.words import NOTHING, Shown
from clients.language import tr

_MOST = 500


def show(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show the latest acts, each with the key that it was done with."""
    del officer
    acts = office.journal.read()
    heads = [
        tr("when"),
        tr("role"),
        tr("key"),
        tr("signed in by"),
        tr("act"),
        tr("about"),
        tr("outcome"),
    ]
    rows = [
        [
            each.at,
            each.role,
            each.key_id or NOTHING,
            each.how or NOTHING,
            each.act,
            each.about,
            each.outcome,
        ]
        for each in reversed(acts[-_MOST:])
    ]
    table = Shown(tr("Acts at this desk, the latest first"), heads, rows)
    return visit.page("journal.html", table=table, count=len(acts))
