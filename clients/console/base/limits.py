"""How often something may be asked: buckets that fill again with time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many again ``within`` that time."""

    most: int
    within: timedelta


class Bucket:
    """What is left of a rate."""

    def __init__(self, rate: Rate, now: Callable[[], datetime]) -> None:
        """Start full."""
        self._rate = rate
        self._now = now
        self._left = float(rate.most)
        self._at = now()

    def take(self) -> timedelta | None:
        """Take one; return None, or how long to wait where none is left."""
        at = self._now()
        gained = (at - self._at) / self._rate.within * self._rate.most
        self._left = min(float(self._rate.most), self._left + max(gained, 0.0))
        self._at = at
        if self._left >= 1:
            self._left -= 1
            return None
        return self._rate.within * ((1 - self._left) / self._rate.most)
