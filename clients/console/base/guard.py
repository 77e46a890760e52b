"""What stands before every page: who may ask at all, and the headers of every answer, errors too."""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients.console.base.failures import PageRefused, foreign
from clients.language import marked

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_OWN_SITE = frozenset({"same-origin", "none"})
_READS = frozenset({"GET", "HEAD"})
POLICY = (
    "default-src 'none'; script-src 'none'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not `no-referrer`: with it a browser says `Origin: null` of this page's own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}

Refuse = Callable[[Scope, Receive, Send, PageRefused], Awaitable[None]]


class Guard:
    """Checks where a request comes from, before anything reads it, and dresses every answer."""

    def __init__(self, app: ASGIApp, refuse: Refuse, open_path: str) -> None:
        """Stand before ``app``; ``refuse`` answers those who may not ask.

        ``open_path`` begins the addresses of one-time links, which may be followed from anywhere.
        """
        self._app = app
        self._refuse = refuse
        self._open_path = open_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; there are no web sockets."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            require_loopback(scope)
            require_own_site(scope, self._open_path)
        except PageRefused as refusal:
            await self._refuse(scope, receive, dressed, refusal)
        else:
            await self._app(scope, receive, dressed)


def require_loopback(scope: Scope) -> None:
    """Refuse a name that is not this machine's own: a foreign one may have been pointed here (DNS rebinding)."""
    host = Headers(scope=scope).getlist("host")
    name, _, port = _split(host[0]) if len(host) == 1 else ("", "", "")
    server = scope.get("server") or ("", None)
    listens = str(server[1] or "")
    usual = "443" if scope["scheme"] == "https" else "80"
    if name not in LOOPBACK or (port or usual) != listens:
        raise PageRefused(
            421,
            marked("That is not this page's address"),
            marked("Open the link exactly as it was printed where the page was started."),
        )


def _split(host: str) -> tuple[str, str, str]:
    """Return name, colon and port of a ``Host``; an IPv6 name keeps its brackets."""
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        return name + bracket, rest[:1], rest[1:]
    return host.partition(":")


def require_own_site(scope: Scope, open_path: str) -> None:
    """Refuse what another site's page sends; a change needs the browser's word that it is this page's own."""
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    own = f"{scope['scheme']}://{headers.get('host', '')}"
    if scope["method"] in _READS:
        follows_link = scope["path"].startswith(open_path)
        if not follows_link and site is not None and site not in _OWN_SITE:
            raise foreign()
        return
    if origin is None and site is None:
        raise foreign()
    if (origin is not None and origin != own) or (site is not None and site != "same-origin"):
        raise foreign()
