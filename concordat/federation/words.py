"""How many words a text has, in any script."""

import re

from concordat.refusal import Refusal
from concordat.v1 import Reason

MOST_WORDS = 200  # R16

# A Chinese or Japanese character counts as a word; elsewhere a word is what stands between white space.
_IDEOGRAPH = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{_IDEOGRAPH}]|[^\\s{_IDEOGRAPH}]+")


def count_words(text: str) -> int:
    """Return the number of words."""
    return len(_WORD.findall(text))


def require_few_words(text: str) -> None:
    """Raise ``Refusal`` (REASON_WORDS_TOO_MANY) where a subject's statement is too long."""
    if (count := count_words(text)) > MOST_WORDS:
        raise Refusal(Reason.REASON_WORDS_TOO_MANY, f"{count} words")
