"""A statement's length in words, whatever its script."""

import pytest

from concordat.federation.words import MOST_WORDS, count_words, require_few_words
from concordat.refusal import Refusal


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
    ],
)
def test_words_are_counted_in_every_script(text: str, count: int) -> None:
    assert count_words(text) == count


def test_two_hundred_words_are_few_and_one_more_is_not() -> None:
    assert MOST_WORDS == 200
    require_few_words("word " * 200)
    with pytest.raises(Refusal, match="201 words") as told:
        require_few_words("word " * 201)
    assert told.value.reason == 92  # REASON_WORDS_TOO_MANY
