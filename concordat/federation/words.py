"""What people write in their own words: how many words a text has, in any script, and that it is plain text."""

import re

from concordat.refusal import Refusal
from concordat.v1 import Reason

MOST_WORDS = 200  # R16

# A Chinese or Japanese character counts as a word, and their punctuation as white space. Every five letters,
# begun, of a script that sets no spaces between words count as one (Thai, Lao, Tibetan, Burmese, Khmer).
# Elsewhere a word is what stands between white space.
_IDEOGRAPH = (
    "\u3005-\u3007\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9d\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1980-\u19df\u1a20-\u1aaf\ua980-\ua9df\uaa60-\uaa7f"
)
_PUNCTUATION = (
    "\u3001-\u3004\u3008-\u3020\u3030\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
_WORD = re.compile(
    f"[{_IDEOGRAPH}]|[{_UNSPACED}]{{1,5}}|[^\\s{_IDEOGRAPH}{_UNSPACED}{_PUNCTUATION}]+"
)

# All control characters but tabs and line breaks: they move a terminal's cursor, and some databases hold none.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def count_words(text: str) -> int:
    """Return the number of words."""
    return len(_WORD.findall(text))


def require_few_words(text: str) -> None:
    """Raise ``Refusal`` (REASON_WORDS_TOO_MANY) where a subject's statement is too long."""
    if (count := count_words(text)) > MOST_WORDS:
        raise Refusal(Reason.REASON_WORDS_TOO_MANY, f"{count} words")


def require_plain(text: str) -> None:
    """Raise ``Refusal`` (REASON_MESSAGE_INVALID) where a text has control characters other than line breaks."""
    if (found := _CONTROL.search(text)) is not None:
        raise Refusal(
            Reason.REASON_MESSAGE_INVALID, f"control character U+{ord(found.group()):04X} in a text"
        )
