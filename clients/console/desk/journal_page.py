"""Who did what at this desk: its journal, the latest first."""

from datetime import datetime

from starlette.responses import Response

from clients.console.base import Visit
from clients.console.base.formats import moment
from clients.console.desk.journal_words import (
    about_words,
    act_words,
    how_words,
    outcome_words,
    role_words,
)
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
            moment(datetime.fromisoformat(each.at), seconds=True),
            role_words(each.role),
            each.key_id or NOTHING,
            how_words(each.how) or NOTHING,
            act_words(each.act),
            about_words(each.about),
            outcome_words(each.outcome),
        ]
        for each in reversed(acts[-_MOST:])
    ]
    table = Shown(tr("Acts at this desk, the latest first"), heads, rows)
    return visit.page("journal.html", table=table, count=len(acts))
