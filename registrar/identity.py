"""Identity numbers: one form of each, however a person or a provider's system writes it."""

import re
import unicodedata
from dataclasses import dataclass
from re import Pattern

_ASCII_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
# White space, the hyphen, and its look-alikes U+2010 to U+2015 and U+2212.
_SEPARATORS = re.compile("[\\s\\-\u2010-\u2015\u2212]")


@dataclass(frozen=True, slots=True)
class IdentityForm:
    """The federation's rule for identity numbers."""

    pattern: Pattern[str]
    strip_separators: bool = True

    def normalise(self, written: bytes) -> bytes | None:
        """Return the one form (UTF-8) of an identity number, or None for what is none.

        NFKC, ASCII letters in upper case, surrounding white space off, and inner spaces and hyphens
        too unless told otherwise. Only ASCII letters change case: the full rules would make ``I``
        of a dotless i, and so two people one.
        """
        try:
            text = unicodedata.normalize("NFKC", written.decode("utf-8")).strip()
        except UnicodeDecodeError:
            return None
        text = text.translate(_ASCII_UPPER)
        if self.strip_separators:
            text = _SEPARATORS.sub("", text)
        return text.encode() if self.pattern.fullmatch(text) else None
