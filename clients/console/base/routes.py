"""Pages and actions: the session found, the form read and its token checked, then the view on a worker thread."""

import logging
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from clients.console.base.failures import (
    failure_of,
    not_open,
    stale_form,
    too_often,
)
from clients.console.base.forms import read_form
from clients.console.base.limits import Bucket
from clients.console.base.sessions import Session
from clients.console.base.visit import Visit

if TYPE_CHECKING:
    from clients.console.base.app import Console

MOST_BYTES = 64 * 1024
View = Callable[[Visit], Response]
_log = logging.getLogger(__name__)


class Page:
    """A GET, which changes nothing; ``view`` answers it."""

    def __init__(self, path: str, view: View) -> None:
        """Serve ``view`` under ``path`` to whoever has a session."""
        self.path = path
        self.view = view

    def route(self, console: "Console") -> Route:
        """Return it as Starlette serves it."""

        async def visit(request: Request, session: Session) -> Response:
            spend(session.pages)
            made = Visit(request, console.pages, session)
            return await run_in_threadpool(self.view, made)

        return _route(self.path, "GET", console, visit)


class Action:
    """A POST, whose form carries the session's token; ``most_bytes`` bounds its body."""

    def __init__(self, path: str, view: View, *, most_bytes: int = MOST_BYTES) -> None:
        """Serve ``view`` under ``path`` to whoever has a session and fills in its form."""
        self.path = path
        self.view = view
        self.most_bytes = most_bytes

    def route(self, console: "Console") -> Route:
        """Return it as Starlette serves it."""

        async def visit(request: Request, session: Session) -> Response:
            spend(session.actions)
            form = await read_form(request, self.most_bytes)
            if not session.owns(form.one("csrf")):
                raise stale_form()
            made = Visit(request, console.pages, session, form)
            return await run_in_threadpool(self.view, made)

        return _route(self.path, "POST", console, visit)


def _route(
    path: str,
    method: str,
    console: "Console",
    visit: Callable[[Request, Session], Awaitable[Response]],
) -> Route:
    """Return a route for those who have a session; what goes wrong becomes a page."""

    async def answer(request: Request) -> Response:
        session = console.session_of(request)
        try:
            return await visit(request, _let_in(console, session))
        except Exception as error:  # noqa: BLE001 - the edge: nothing unforeseen is shown to anybody
            return failed(console, request, session, error)

    return Route(path, answer, methods=[method])


def _let_in(console: "Console", session: Session | None) -> Session:
    if session is None:
        spend(console.strangers)
        raise not_open()
    return session


def failed(
    console: "Console", request: Request, session: Session | None, error: Exception
) -> Response:
    """Return the page of an error; one that nobody foresaw goes to the log, with all there is to it."""
    failure = failure_of(error)
    if failure.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("a page failed: %s", request.url.path, exc_info=error)
    html = console.pages.failure(request, session, failure)
    headers = {"retry-after": str(failure.wait)} if failure.wait else None
    return HTMLResponse(html, failure.status, headers)


def spend(bucket: Bucket) -> None:
    """Take one from a bucket; raise ``PageRefused`` where none is left."""
    wait = bucket.take()
    if wait is not None:
        raise too_often(math.ceil(wait.total_seconds()))
