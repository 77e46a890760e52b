"""What the pages stand on: who may ask, sessions, forms, languages, templates, charts.

A site is a list of routes and a ``Site``:

    def show(visit: Visit) -> Response:
        return visit.page("score.html", score=...)

    app = build_app([Page("/", show), Action("/freeze", freeze)], site)
    link = app.issue_link("http://127.0.0.1:8000")

A ``Page`` is a GET and changes nothing; an ``Action`` is a POST, with the session's token in its form. Both run
on a worker thread, in the visitor's language, and let typed errors pass: they become a page.
"""

from clients.console.base.app import Console, Site, build_app
from clients.console.base.failures import PageRefused
from clients.console.base.forms import Form, Upload
from clients.console.base.routes import Action, Page
from clients.console.base.visit import Visit

__all__ = [
    "Action",
    "Console",
    "Form",
    "Page",
    "PageRefused",
    "Site",
    "Upload",
    "Visit",
    "build_app",
]
