"""A statement's length in words, whatever its script."""

import pytest

from concordat.federation.words import MOST_WORDS, count_words, require_few_words, require_plain
from concordat.refusal import Refusal
from concordat.v1 import Reason


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("  \n ", 0),
        ("I paid on 3 March.", 5),
        ("don't  count\ttwice", 3),
        ("我已还清", 4),
        ("我在 2026年 还清 loan", 7),
        ("ありがとう", 5),
        ("我已还清\u3002谢谢\uff0c您\uff01", 7),
        ("\U00020000\U0002a6d6\U00030000", 3),  # ideographs outside the basic plane
        ("빚을 모두 갚았습니다", 3),
        ("ฉันจ่ายแล้ว", 3),  # 11 letters with no spaces between words
        ("Я заплатил 3 марта", 4),
        ("دفعت الدين", 2),
    ],
)
def test_words_are_counted_in_every_script(text: str, count: int) -> None:
    assert count_words(text) == count


@pytest.mark.parametrize(
    "run", ["我", "\U00020000", "ｶ", "ส", "ក", "ꦲ"], ids=lambda run: f"U+{ord(run):04X}"
)
def test_no_script_without_spaces_gets_round_the_limit(run: str) -> None:
    with pytest.raises(Refusal) as told:
        require_few_words(run * 2000)
    assert told.value.reason == Reason.REASON_WORDS_TOO_MANY


@pytest.mark.parametrize("bent", ["\0", "a\x1b[2Jb", "\x07", "\x7f", "\x85", "line\x0cfeed"])
def test_a_text_with_control_characters_is_refused(bent: str) -> None:
    with pytest.raises(Refusal) as told:
        require_plain(bent)
    assert told.value.reason == Reason.REASON_MESSAGE_INVALID


def test_a_text_may_have_lines_and_tabs_and_any_script() -> None:
    require_plain("Dear reader,\r\n\tI paid. 我已还清。 \u200fدفعت\u200f 🙂\n")


def test_two_hundred_words_are_few_and_one_more_is_not() -> None:
    assert MOST_WORDS == 200
    require_few_words("word " * 200)
    with pytest.raises(Refusal, match="201 words") as told:
        require_few_words("word " * 201)
    assert told.value.reason == Reason.REASON_WORDS_TOO_MANY
