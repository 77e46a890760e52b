"""Days and months that statistics are of: whole ones, UTC. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.v1 import Reason

SETTLES_IN = timedelta(minutes=10)
"""How long after its end a period is told: by then all that was under way has ended."""

CURRENT_FOR = timedelta(hours=1)
"""How long after its end what stands may be told as what stood then."""

CATCH_UP = timedelta(days=62)
"""How long after its end a period is still made; later too much may have been erased to count by."""


@dataclass(frozen=True, slots=True)
class Period:
    """A whole day or a whole calendar month, UTC."""

    start: datetime
    end: datetime  # not in it
    name: str  # 2026-10-31, or 2026-10

    @classmethod
    def day(cls, text: str) -> Self:
        """Return a day by its date; raise ``Refusal`` (REASON_PERIOD_NOT_OVER) where there is none such."""
        return cls._of_day(_date(text))

    @classmethod
    def month(cls, text: str) -> Self:
        """Return a month by its year and number, such as 2026-10; raise ``Refusal`` likewise."""
        return cls._of_month(_date(f"{text}-01"))

    @classmethod
    def day_before(cls, at: datetime) -> Self:
        """Return the last day that is told at ``at``."""
        return cls._of_day((at - SETTLES_IN).date() - timedelta(days=1))

    @classmethod
    def month_before(cls, at: datetime) -> Self:
        """Return the last month that is told at ``at``."""
        first = (at - SETTLES_IN).date().replace(day=1)
        return cls._of_month((first - timedelta(days=1)).replace(day=1))

    @classmethod
    def _of_day(cls, day: date) -> Self:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return cls(start, start + timedelta(days=1), day.isoformat())

    @classmethod
    def _of_month(cls, first: date) -> Self:
        start = datetime(first.year, first.month, 1, tzinfo=UTC)
        after = (start + timedelta(days=31)).replace(day=1)
        return cls(start, after, f"{first:%Y-%m}")

    @property
    def is_month(self) -> bool:
        """Whether it is a month."""
        return len(self.name) == len("2026-10")

    @property
    def micros(self) -> tuple[int, int]:
        """Return its start and end, microseconds since 1970."""
        return to_micros(self.start), to_micros(self.end)

    @property
    def days(self) -> tuple[int, int]:
        """Return its first day and the one after its last, counted from 1970."""
        day = timedelta(days=1) // timedelta(microseconds=1)
        return self.micros[0] // day, self.micros[1] // day

    def require_over(self, at: datetime) -> None:
        """Raise ``Refusal`` (REASON_PERIOD_NOT_OVER) where it has not ended, or only just."""
        if at < self.end + SETTLES_IN:
            raise Refusal(Reason.REASON_PERIOD_NOT_OVER, f"{self.name} is told from {self.end}")

    def is_current(self, at: datetime) -> bool:
        """Tell whether what stands at a time may be told as what stood at its end."""
        return at < self.end + CURRENT_FOR

    def is_countable(self, at: datetime) -> bool:
        """Tell whether it may still be made, where it was not."""
        return at < self.end + CATCH_UP


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise Refusal(Reason.REASON_PERIOD_NOT_OVER, f"{text!r} is no date") from error
    if not 2000 <= found.year <= 9000:  # noqa: PLR2004 - what times are kept of
        raise Refusal(Reason.REASON_PERIOD_NOT_OVER, f"{text!r} is out of range")
    return found
