"""Templates: escaped always, nothing undefined, and what each of them may use."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from clients.console.base import formats
from clients.console.base.catalogs import LANGUAGES, TAGS, language_of
from clients.console.base.failures import Failure
from clients.console.base.sessions import Session
from clients.language import plural, tr

Menu = Sequence[tuple[str, str]]  # path and marked title


class Pages:
    """Renders the templates of a site, and of the base where the site has none of that name."""

    def __init__(self, package: str, title: str, menu: Menu, federation: str = "") -> None:
        """Read templates from ``package``'s folder ``templates``; ``title`` is marked."""
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("clients.console.base")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {"tr": tr, "plural": plural} | formats.IN_TEMPLATES
        self._title = title
        self._menu = menu
        self._federation = federation

    def render(
        self, template: str, request: Request, session: Session | None, /, **context: Any
    ) -> str:
        """Return a page's HTML in the language spoken; it takes the session's notices along."""
        language = language_of(request)
        notices = [] if session is None else session.notices[:]
        if session is not None:
            session.notices.clear()
        return self._environment.get_template(template).render(
            site_title=tr(self._title),
            federation=self._federation if session is not None else "",
            menu=self._menu if session is not None else (),
            here=request.url.path,
            here_in=lambda code: _address_in(code, request),
            csrf="" if session is None else session.csrf,
            notices=notices,
            language=language,
            language_tag=TAGS[language],
            languages=LANGUAGES,
            **context,
        )

    def failure(self, request: Request, session: Session | None, failure: Failure) -> str:
        """Return the page of a failure."""
        return self.render("failure.html", request, session, failure=failure)


def _address_in(language: str, request: Request) -> str:
    """Return where a page is read in a language, with what was chosen on it; the first one for what is no page."""
    path, asked = request.url.path, request.query_params.multi_items()
    if request.method != "GET" or path.startswith(("/open/", "//")):  # // names another host
        path, asked = "/", []
    kept = [(name, value) for name, value in asked if name != "lang"]
    return f"{path}?{urlencode([*kept, ('lang', language)])}"
