"""The catalogs: complete, up to date, and each translation with the fields of its text."""

import pytest

from clients.console.base.catalogs import catalog_of
from clients.language import plural, speaking, tr
from tools import catalogs


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_no_translation_is_missing_or_out_of_date(language: str) -> None:
    folder = catalogs.LOCALES / language / "LC_MESSAGES"
    there = [path.stem for path in folder.glob("*.po")]
    assert {"base", "words", "wallet"} <= set(there)
    assert not list(catalogs.bring_up_to_date(language, there, check=True))


def test_what_no_catalog_has_is_said_in_english() -> None:
    with speaking(catalog_of("zh")):
        assert tr("My score") == "我的评分"
        assert plural("{number} point", "{number} points", 1) == "1 分"
        assert tr("no such text: {name}", name="x") == "no such text: x"
    assert tr("My score") == "My score"


def test_a_value_with_braces_is_not_a_field() -> None:
    assert tr("for: {purpose}", purpose="{purpose.__class__}") == "for: {purpose.__class__}"
