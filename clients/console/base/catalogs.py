"""The catalogs, and which language a visitor reads: by ``?lang=``, then the cookie, then the browser's wish.

The texts in the code are English, so that only other languages have a catalog. The ``.po`` files are compiled
when they are first needed: what is read is what is spoken.
"""

import gettext
import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from babel import Locale
from babel.core import parse_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import Request

COOKIE = "concordat_language"
LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}
TAGS: Mapping[str, str] = {"en": "en", "zh": "zh-Hans"}  # BCP 47, of the `lang` attribute
_LOCALES = {"en": "en", "zh": "zh_Hans_CN"}
_DEFAULT = "en"


@cache
def locale_of(language: str) -> Locale:
    """Return how a language writes times, numbers and money."""
    return Locale.parse(_LOCALES[language])


@cache
def catalog_of(language: str) -> gettext.NullTranslations:
    """Return the texts of a language: all of its ``.po`` files, those of each site and the shared ones."""
    whole = gettext.NullTranslations()
    if language == _DEFAULT:
        return whole
    folder = files("clients.console") / "locales" / language / "LC_MESSAGES"
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".po"):
            continue
        compiled = io.BytesIO()
        with entry.open("rb") as source:
            write_mo(compiled, read_po(source, locale=language))
        compiled.seek(0)
        one = gettext.GNUTranslations(compiled)
        one.add_fallback(whole)
        whole = one
    return whole


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
    return min(found, key=lambda each: each[0])[1] if found else _DEFAULT
