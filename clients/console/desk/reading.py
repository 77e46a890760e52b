"""Statistics as the exchange tells them: read once each, as tables never change and each reading is logged."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

from clients.regulator_report.month import Month, month_of
from concordat import v1

MADE_AFTER = timedelta(minutes=10)
ASK_AGAIN = timedelta(minutes=10)
_KEPT_UNMADE = timedelta(days=62)  # after that a period stays unmade


class Read(Protocol):
    """Asks the exchange for a period's tables."""

    def __call__(self, *, day: str = "", month: str = "") -> v1.ReadStatisticsResponse:
        """Return the tables of a day or of a month."""


class Reading:
    """The statistics that this desk has read."""

    def __init__(self, read: Read, now: Callable[[], datetime]) -> None:
        """Start with none."""
        self._read = read
        self._now = now
        self._told: dict[str, tuple[datetime, list[v1.Statistics]]] = {}
        self._lock = Lock()

    def days(self, count: int) -> Month:
        """Return the last ``count`` days that are over, oldest first, as the days of a nameless month."""
        last = self._over()
        names = [(last - timedelta(days=back)).date().isoformat() for back in range(count, 0, -1)]
        return month_of("", (), {name: self._period(day=name) for name in names})

    def latest(self, table: int) -> v1.Statistics | None:
        """Return a table of the last day that is over; None where that day has none."""
        (day,) = self.days(1).days.values()
        return day.get(table)

    def month(self, name: str) -> Mapping[int, v1.Statistics]:
        """Return the tables of a month that is over, such as 2026-10; none where nothing is kept of it."""
        return {each.table: each for each in self._period(month=name)}

    def months(self, count: int) -> list[str]:
        """Return the names of the last months that are over, the latest first."""
        first, names = self._over().replace(day=1), []
        for _ in range(count):
            first = (first - timedelta(days=1)).replace(day=1)
            names.append(first.strftime("%Y-%m"))
        return names

    def _over(self) -> datetime:
        """Return the time up to which days are over and made."""
        return self._now() - MADE_AFTER

    def _period(self, *, day: str = "", month: str = "") -> list[v1.Statistics]:
        at, name = self._now(), day or month
        with self._lock:
            asked = self._told.get(name)
            if asked is not None and (asked[1] or at - asked[0] < ASK_AGAIN or _old(name, at)):
                return asked[1]
            tables = list(self._read(day=day, month=month).tables)
            self._told[name] = (at, tables)
            return tables


def _old(name: str, at: datetime) -> bool:
    """Tell whether a period is past the time in which its tables could still be made."""
    return name < (at - _KEPT_UNMADE).strftime("%Y-%m-%d")[: len(name)]
