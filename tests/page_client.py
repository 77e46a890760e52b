"""A browser's part towards a page that is served in this very process: cookies, headers, no network."""

import asyncio
import re
import ssl
from typing import Any

import httpx
from starlette.types import ASGIApp

from clients.console.base import Console

HOME = "http://127.0.0.1:8000"
OWN = {"origin": HOME, "sec-fetch-site": "same-origin"}
_TOKEN = re.compile(r'name="csrf" value="([\w-]+)"')


class InProcess(httpx.BaseTransport):
    """Hands requests to an application, each in an event loop of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        content = b"".join([piece async for piece in answer.stream])
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


class PageClient(httpx.Client):
    """A browser with its cookies; ``csrf`` is the token of the form that it last saw.

    With ``tls`` it goes to ``home`` over the network, on a connection of its own for each request.
    """

    def __init__(self, app: Console, home: str = HOME, tls: ssl.SSLContext | None = None) -> None:
        alone = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.HTTPTransport(verify=tls, limits=alone) if tls else InProcess(app)
        super().__init__(transport=transport, base_url=home)
        self.app = app
        self.own = OWN | {"origin": home}
        self.csrf = ""

    def enter(self) -> "PageClient":
        """Open the page by a fresh link."""
        assert self.get(self.app.issue_link("")).status_code == 200
        return self

    def see(self, path: str, **headers: str) -> httpx.Response:
        """Read a page, and remember its forms' token."""
        answer = self.get(path, headers=headers)
        if found := _TOKEN.search(answer.text):
            self.csrf = found[1]
        return answer

    def submit(self, path: str, *, files: Any = None, **fields: Any) -> httpx.Response:
        """Fill in a form, as its own page would send it."""
        form = {"csrf": self.csrf} | fields
        return self.post(path, data=form, files=files, headers=self.own)
