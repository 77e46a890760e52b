"""Times, numbers and money as a language writes them; times are in UTC, and say so.

Where no language was chosen they are written as commands print them, which programs may read: ISO 8601 days,
and amounts with the currency's code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from babel import Locale, dates, numbers
from google.protobuf.timestamp_pb2 import Timestamp

from clients.catalogs import DEFAULT, catalog_of, locale_of
from clients.language import ENGLISH, speaking
from concordat import v1
from concordat.clock import from_timestamp

WHOLE = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND"})  # no minor units (ISO 4217)
_locale: ContextVar[Locale | None] = ContextVar("locale", default=None)


@contextmanager
def written_in(language: str) -> Iterator[None]:
    """Speak a language, and write times and numbers as it does."""
    token = _locale.set(locale_of(language))
    try:
        with speaking(catalog_of(language)):
            yield
    finally:
        _locale.reset(token)


@contextmanager
def written_for_programs() -> Iterator[None]:
    """Speak English, and write times and numbers as commands do, whatever the language around it."""
    token = _locale.set(None)
    try:
        with speaking(ENGLISH):
            yield
    finally:
        _locale.reset(token)


def _written() -> Locale:
    return _locale.get() or locale_of(DEFAULT)


def moment(when: datetime | Timestamp, *, seconds: bool = False) -> str:
    """Return a time in UTC, to the minute; to the second with ``seconds``, or where no language was chosen."""
    locale = _locale.get()
    if locale is None:
        return f"{_aware(when):%Y-%m-%d %H:%M:%S} UTC"
    date = "y年M月d日" if locale.language == "zh" else "d MMM y"
    pattern = f"{date} {'HH:mm:ss' if seconds else 'HH:mm'}"
    return f"{dates.format_datetime(_aware(when), pattern, UTC, locale=locale)} UTC"


def day(when: datetime | Timestamp) -> str:
    """Return the day of a time, in UTC."""
    date, locale = _aware(when).date(), _locale.get()
    return date.isoformat() if locale is None else dates.format_date(date, "long", locale=locale)


def period(name: str) -> str:
    """Return a day that is named as 2026-10-31, or a month as 2026-10; as named where no language was chosen."""
    locale = _locale.get()
    if locale is None:
        return name
    is_day = len(name) == len("2026-10-31")
    date = datetime.fromisoformat(name if is_day else f"{name}-01").date()
    if locale.language == "zh":
        return dates.format_date(date, "y年M月d日" if is_day else "y年M月", locale=locale)
    return dates.format_date(date, "d MMM y" if is_day else "MMMM y", locale=locale)


def iso(when: datetime | Timestamp) -> str:
    """Return a time for programs (ISO 8601), for the ``datetime`` of a ``time`` element."""
    return _aware(when).isoformat(timespec="seconds")


def number(value: int) -> str:
    """Return a whole number with its thousands apart."""
    return numbers.format_decimal(value, locale=_written())


def points(value: int) -> str:
    """Return points gained or lost, with their sign."""
    return f"{value:+d}".replace("-", "\N{MINUS SIGN}")


def percent(ppm: int) -> str:
    """Return parts per million as a percentage."""
    share = Decimal(ppm) / 1_000_000
    return numbers.format_percent(share, "#,##0.00%", locale=_written())


def money(amount: v1.Money) -> str:
    """Return an amount with its currency."""
    digits = 0 if amount.currency in WHOLE else 2
    value, locale = Decimal(amount.minor).scaleb(-digits), _locale.get()
    if locale is None:
        return f"{value:,.{digits}f} {amount.currency}"
    pattern = "¤#,##0.00" if digits else "¤#,##0"
    return numbers.format_currency(
        value, amount.currency, pattern, locale=locale, currency_digits=False
    )


def length(span: timedelta) -> str:
    """Return how long something takes, roughly."""
    return dates.format_timedelta(span, locale=_written())


def _aware(when: datetime | Timestamp) -> datetime:
    return (from_timestamp(when) if isinstance(when, Timestamp) else when).astimezone(UTC)
