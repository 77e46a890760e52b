"""The language in which a person is spoken to: English, unless whoever speaks sets another for a while.

Texts are written in English where they are used, and are looked up by it:

    tr("{name} took {points} points", name=name, points=3)

``marked`` is for texts in tables, which are looked up where they are used: ``tr(_STATES[state])``.
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ENGLISH = gettext.NullTranslations()
_spoken: ContextVar[gettext.NullTranslations] = ContextVar("spoken", default=ENGLISH)


def marked(text: str) -> str:
    """Return a text as it is; a catalog holds its translation."""
    return text


def tr(text: str, **values: object) -> str:
    """Return a text in the language spoken, its ``{name}`` filled in; in English where no catalog has it."""
    said = _spoken.get().gettext(text) if text else ""
    return said.format(**values) if values else said


def plural(one: str, many: str, number: int, **values: object) -> str:
    """Return the form of a text for ``number``, which it may name as ``{number}``."""
    said = _spoken.get().ngettext(one, many, number)
    return said.format(number=number, **values)


@contextmanager
def speaking(catalog: gettext.NullTranslations) -> Iterator[None]:
    """Speak the language of a catalog in this context, and in threads that are started with it."""
    token = _spoken.set(catalog)
    try:
        yield
    finally:
        _spoken.reset(token)
