"""The catalogs: which languages people are spoken to in, and the texts of each.

The texts in the code are English, so that only other languages have a catalog. The ``.po`` files are compiled
when they are first needed: what is read is what is spoken.
"""

import gettext
import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

DEFAULT = "en"
LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}
TAGS: Mapping[str, str] = {"en": "en", "zh": "zh-Hans"}  # BCP 47, of the `lang` attribute
_LOCALES = {"en": "en", "zh": "zh_Hans_CN"}


@cache
def locale_of(language: str) -> Locale:
    """Return how a language writes times, numbers and money."""
    return Locale.parse(_LOCALES[language])


def name_of(language: str) -> str:
    """Return what a language is called in English."""
    return locale_of(language).get_language_name(DEFAULT) or language


@cache
def catalog_of(language: str) -> gettext.NullTranslations:
    """Return the texts of a language: all of its ``.po`` files, those of each site and the shared ones."""
    whole = gettext.NullTranslations()
    if language == DEFAULT:
        return whole
    folder = files("clients") / "console" / "locales" / language / "LC_MESSAGES"
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
