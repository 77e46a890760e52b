"""One request of somebody who has been let in, and the answers to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from clients.console.base.forms import Form
from clients.console.base.sessions import Session

if TYPE_CHECKING:
    from clients.console.base.pages import Pages


@dataclass(frozen=True, slots=True)
class Visit:
    """What a view is called with; its answers are made here."""

    request: Request
    pages: "Pages"
    session: Session
    form: Form = field(default_factory=Form)

    @property
    def path(self) -> Mapping[str, Any]:
        """The parts of the address that its route names."""
        return self.request.path_params

    def asked(self, name: str) -> str:
        """Return a value of the address's query; empty where it is absent."""
        return self.request.query_params.get(name, "")

    @property
    def certificate(self) -> bytes | None:
        """The certificate that the browser proved on this connection to hold, PEM; None where it showed none."""
        tls = self.request.scope.get("extensions", {}).get("tls", {})
        return next((each.encode("ascii") for each in tls.get("client_cert_chain", ())), None)

    @property
    def is_encrypted(self) -> bool:
        """Whether the page is served over HTTPS."""
        return self.request.url.scheme == "https"

    def page(self, template: str, /, *, status: int = 200, **context: Any) -> Response:
        """Return a page made from a template."""
        html = self.pages.render(template, self.request, self.session, **context)
        return HTMLResponse(html, status)

    def go(self, path: str, *, notice: str = "") -> Response:
        """Return that it is done: the browser goes to a page, which tells ``notice`` once."""
        if notice:
            self.session.notices.append(notice)
        return RedirectResponse(path, 303)
