"""Times, numbers and money as the visitor's language writes them; times are in UTC, and say so."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from babel import Locale, dates, numbers
from google.protobuf.timestamp_pb2 import Timestamp

from clients.cli.listing_words import WHOLE
from clients.console.base.catalogs import catalog_of, locale_of
from clients.language import speaking
from concordat import v1
from concordat.clock import from_timestamp

_locale: ContextVar[Locale] = ContextVar("locale", default=Locale("en"))  # noqa: B039 - never changed


@contextmanager
def written_in(language: str) -> Iterator[None]:
    """Speak a language, and write times and numbers as it does."""
    token = _locale.set(locale_of(language))
    try:
        with speaking(catalog_of(language)):
            yield
    finally:
        _locale.reset(token)


def moment(when: datetime | Timestamp) -> str:
    """Return a time to the minute, in UTC."""
    locale = _locale.get()
    pattern = "y年M月d日 HH:mm" if locale.language == "zh" else "d MMM y HH:mm"
    return f"{dates.format_datetime(_aware(when), pattern, UTC, locale=locale)} UTC"


def day(when: datetime | Timestamp) -> str:
    """Return the day of a time, in UTC."""
    return dates.format_date(_aware(when).astimezone(UTC).date(), "long", locale=_locale.get())


def iso(when: datetime | Timestamp) -> str:
    """Return a time for programs (ISO 8601), for the ``datetime`` of a ``time`` element."""
    return _aware(when).astimezone(UTC).isoformat(timespec="seconds")


def number(value: int) -> str:
    """Return a whole number with its thousands apart."""
    return numbers.format_decimal(value, locale=_locale.get())


def points(value: int) -> str:
    """Return points gained or lost, with their sign."""
    return f"{value:+d}".replace("-", "\N{MINUS SIGN}")


def percent(ppm: int) -> str:
    """Return parts per million as a percentage."""
    share = Decimal(ppm) / 1_000_000
    return numbers.format_percent(share, "#,##0.00%", locale=_locale.get())


def money(amount: v1.Money) -> str:
    """Return an amount with its currency."""
    digits = 0 if amount.currency in WHOLE else 2
    pattern = "¤#,##0.00" if digits else "¤#,##0"
    value = Decimal(amount.minor).scaleb(-digits)
    return numbers.format_currency(
        value, amount.currency, pattern, locale=_locale.get(), currency_digits=False
    )


def length(span: timedelta) -> str:
    """Return how long something takes, roughly."""
    return dates.format_timedelta(span, locale=_locale.get())


def _aware(when: datetime | Timestamp) -> datetime:
    return from_timestamp(when) if isinstance(when, Timestamp) else when


IN_TEMPLATES = {
    "moment": moment,
    "day": day,
    "iso": iso,
    "number": number,
    "points": points,
    "percent": percent,
    "money": money,
    "length": length,
}
