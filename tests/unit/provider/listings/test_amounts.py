"""Amounts are read strictly, in the decimals that their currency has, and never rounded."""

import pytest

from provider.listings.amounts import MAX_MINOR, format_amount, read_amount, read_minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1234.50", "EUR", 123_450),
        ("1234.5", "EUR", 123_450),
        ("0", "EUR", 0),
        ("0.01", "EUR", 1),
        ("1234", "JPY", 1234),
        ("1.234", "KWD", 1234),
        ("10000000000000.00", "EUR", MAX_MINOR),
    ],
)
def test_an_amount_is_read_to_the_minor_unit(text: str, currency: str, minor: int) -> None:
    assert read_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1.234", "EUR"),
        ("1.5", "JPY"),
        ("1.", "EUR"),
        (".5", "EUR"),
        ("01", "EUR"),
        ("-1", "EUR"),
        ("+1", "EUR"),
        ("1 000", "EUR"),
        ("1,000", "EUR"),
        ("1_000", "EUR"),
        ("1e3", "EUR"),
        ("NaN", "EUR"),
        ("१", "EUR"),
        ("", "EUR"),
        ("1\n", "EUR"),
        ("10000000000000.01", "EUR"),
        ("9" * 100, "EUR"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        read_amount(text, currency)


@pytest.mark.parametrize("text", ["1.0", "-1", "01", "", "1_0", "9" * 17])
def test_minor_units_are_whole(text: str) -> None:
    assert read_minor("1000") == 1000
    with pytest.raises(ValueError, match="amount"):
        read_minor(text)


def test_an_amount_is_shown_as_it_would_be_written() -> None:
    assert format_amount(123_450, "EUR") == "1,234.50 EUR"
    assert format_amount(1234, "JPY") == "1,234 JPY"
