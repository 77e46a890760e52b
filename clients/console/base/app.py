"""A site: its pages and actions behind the guard, its sessions, and the link that opens it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients.console.base.catalogs import COOKIE, chosen, language_of
from clients.console.base.failures import PageRefused, no_such_page, not_open
from clients.console.base.formats import written_in
from clients.console.base.guard import Guard
from clients.console.base.limits import Bucket, Rate
from clients.console.base.pages import Menu, Pages
from clients.console.base.routes import Action, Page, failed, spend
from clients.console.base.sessions import ABSOLUTE, Links, Session, Sessions
from clients.console.base.visit import Visit

OPEN = "/open/"
STYLE = "/console.css"
STRANGERS = Rate(60, timedelta(minutes=1))
LINK_TRIES = Rate(10, timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Site:
    """What makes a site its own: its name, its title and menu (marked), and its templates' package."""

    name: str
    title: str
    menu: Menu
    package: str
    now: Callable[[], datetime]  # UTC, never going back
    federation: str = ""  # shown on every page, so that no sandbox is taken for what is real


class Console:
    """A site as an ASGI application."""

    def __init__(self, routes: Sequence[Page | Action], site: Site) -> None:
        """Serve ``routes``; with them come the style sheet, the one-time links, and the way out."""
        self.site = site
        self.pages = Pages(site.package, site.title, site.menu, site.federation)
        self.sessions = Sessions(site.now)
        self.strangers = Bucket(STRANGERS, site.now)
        self._links = Links(site.now)
        self._link_tries = Bucket(LINK_TRIES, site.now)
        self._style = (files("clients.console.base") / "static" / "console.css").read_bytes()
        own = [
            Route(STYLE, self._serve_style, methods=["GET"]),
            Route(OPEN + "{token}", self._open, methods=["GET"]),
            Action("/close", self._close).route(self),
        ]
        app = Starlette(
            routes=[*own, *(route.route(self) for route in routes)],
            exception_handlers={HTTPException: self._absent},
        )
        app.router.redirect_slashes = False
        self._guard = Guard(self._in_language(app), self._refuse, OPEN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._guard(scope, receive, send)

    def issue_link(self, address: str) -> str:
        """Return a link under ``address``, such as ``http://127.0.0.1:8000``, that opens the site once."""
        return f"{address}{OPEN}{self._links.issue()}"

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return f"concordat_{self.site.name}"

    def session_of(self, request: Request) -> Session | None:
        """Return the session of a request; None where there is none, or none any more."""
        return self.sessions.find(request.cookies.get(self.cookie, ""))

    async def _open(self, request: Request) -> Response:
        """Let in whoever has a fresh link; the page then loads the first one by itself."""
        try:
            if request.method != "GET" or "sec-purpose" in request.headers:
                raise no_such_page()  # a look ahead, which must not use the link up
            if not self._links.redeem(request.path_params["token"]):
                spend(self._link_tries)
                raise not_open()
        except PageRefused as refusal:
            return failed(self, request, None, refusal)
        # No redirect: after one that began on another page, a browser would keep the cookie back.
        answer = HTMLResponse(self.pages.render("open.html", request, None))
        answer.headers["refresh"] = "0; url=/"
        answer.set_cookie(
            self.cookie,
            self.sessions.open(),
            max_age=int(ABSOLUTE.total_seconds()),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    def _close(self, visit: Visit) -> Response:
        self.sessions.close(visit.request.cookies.get(self.cookie, ""))
        answer = HTMLResponse(self.pages.render("closed.html", visit.request, None))
        secure = visit.is_encrypted
        answer.delete_cookie(self.cookie, secure=secure, httponly=True, samesite="strict")
        return answer

    async def _serve_style(self, _: Request) -> Response:
        return Response(self._style, media_type="text/css")

    async def _absent(self, request: Request, error: Exception) -> Response:
        del error  # an unknown address, or a method that it does not take
        return failed(self, request, self.session_of(request), no_such_page())

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, refusal: PageRefused
    ) -> None:
        """Answer a request that the guard refuses, without a look at its session."""
        request = Request(scope)
        with written_in(language_of(request)):
            answer = failed(self, request, None, refusal)
        await answer(scope, receive, send)

    def _in_language(self, app: Starlette) -> ASGIApp:
        """Return ``app`` speaking each visitor's language, which it keeps in a cookie once it was chosen."""

        async def spoken(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            request = Request(scope)

            async def keeping(message: Message) -> None:
                language = chosen(request)
                if message["type"] == "http.response.start" and language is not None:
                    keep = (
                        f"{COOKIE}={language}; HttpOnly; Path=/; SameSite=Strict; Max-Age=31536000"
                    )
                    MutableHeaders(raw=message["headers"]).append("set-cookie", keep)
                await send(message)

            with written_in(language_of(request)):
                await app(scope, receive, keeping)

        return spoken


def build_app(routes: Sequence[Page | Action], site: Site) -> Console:
    """Return a site, to be served on loopback alone."""
    return Console(routes, site)
