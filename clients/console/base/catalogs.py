"""Which language a visitor reads: by ``?lang=``, then the cookie, then the browser's wish."""

from babel.core import parse_locale
from starlette.requests import Request

from clients.catalogs import DEFAULT, LANGUAGES, TAGS, catalog_of

__all__ = ["COOKIE", "LANGUAGES", "TAGS", "catalog_of", "chosen", "language_of"]

COOKIE = "concordat_language"


def chosen(request: Request) -> str | None:
    """Return the language that the visitor asks for in this very address; None for none that there is."""
    wanted = request.query_params.get("lang", "")
    return wanted if wanted in LANGUAGES else None


def language_of(request: Request) -> str:
    """Return the language to answer in."""
    kept = request.cookies.get(COOKIE, "")
    if kept not in LANGUAGES:
        kept = _wished(request.headers.get("accept-language", ""))
    return chosen(request) or kept


def _wished(header: str) -> str:
    """Return the best of an ``Accept-Language`` (RFC 9110, 12.5.4) that there is."""
    found: list[tuple[float, str]] = []
    for item in header[:512].split(","):
        tag, _, weight = item.partition(";q=")
        try:
            language = parse_locale(tag.strip(), sep="-")[0]
            quality = float(weight or 1)
        except ValueError:
            continue
        if language in LANGUAGES and quality > 0:
            found.append((-quality, language))
    return min(found, key=lambda each: each[0])[1] if found else DEFAULT
