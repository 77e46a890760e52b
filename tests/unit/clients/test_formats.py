"""Times, numbers and money, to the letter: a report's page that was handed on is rendered again and compared."""

from datetime import UTC, datetime

import pytest

from clients import formats
from clients.cli.moments import moment
from concordat import v1
from concordat.clock import to_timestamp

AT = datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)
WRITTEN = {
    "en": ("2 Mar 2026 09:05 UTC", "2 Mar 2026 09:05:07 UTC", "March 2, 2026", "1,234", "2.50%"),
    "zh": (
        *("2026年3月2日 09:05 UTC", "2026年3月2日 09:05:07 UTC", "2026年3月2日", "1,234", "2.50%"),
    ),
}
MONEY = {
    "en": {"USD": "$1,234.50", "EUR": "€1,234.50", "CNY": "CN¥1,234.50", "JPY": "¥123,450"},
    "zh": {"USD": "US$1,234.50", "EUR": "€1,234.50", "CNY": "¥1,234.50", "JPY": "JP¥123,450"},
}


@pytest.mark.parametrize("language", WRITTEN)
def test_a_language_writes_them_so_whatever_the_library_thinks_tomorrow(language: str) -> None:
    with formats.written_in(language):
        seconds = moment(to_timestamp(AT))
        written = (formats.moment(AT), seconds, formats.day(AT), formats.number(1234))
        assert (*written, formats.percent(25_000)) == WRITTEN[language]
        for currency, text in MONEY[language].items():
            assert formats.money(v1.Money(currency=currency, minor=123_450)) == text


PERIODS = {"en": ("2 Mar 2026", "March 2026"), "zh": ("2026年3月2日", "2026年3月")}


@pytest.mark.parametrize("language", PERIODS)
def test_days_and_months_are_named_as_a_language_names_them(language: str) -> None:
    with formats.written_in(language):
        assert (formats.period("2026-03-02"), formats.period("2026-03")) == PERIODS[language]
    assert formats.period("2026-03") == "2026-03"


def test_where_no_language_was_chosen_programs_can_read_them() -> None:
    with formats.written_in("zh"), formats.written_for_programs():
        assert moment(to_timestamp(AT)) == "2026-03-02 09:05:07 UTC"
        assert formats.day(AT) == "2026-03-02"
        assert formats.money(v1.Money(currency="USD", minor=123_450)) == "1,234.50 USD"
        assert formats.money(v1.Money(currency="JPY", minor=1_234)) == "1,234 JPY"
