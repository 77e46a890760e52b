"""The calendar of a run: rounds of thirty days with five moments each, and what is to be done at which.

Furnishers file at the first moment of a round. A notice that is read at a moment is reconfirmed at one within
the five days before its period is over, and is in force from the next on, whatever the profile.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum, auto

from benchmarks.chargeoffs.cases import Case

ROUND = timedelta(days=30)
_OFFSETS = (0, 5, 10, 20, 25)  # days
MOMENTS = len(_OFFSETS)
_SETTLING = (
    3 * MOMENTS
)  # moments that are visited after something was done, for what follows from it
_QUIET = 12 * MOMENTS  # one moment a year is visited where nothing happens


class Job(Enum):
    """What is to be done."""

    RULE = auto()
    DISPUTE = auto()
    SETTLE = auto()
    DUTIES = auto()  # of the furnisher whose debt it is
    FILE = auto()
    READ = auto()
    LOOK = auto()


class Agenda:
    """What is to be done, by moment."""

    def __init__(self, start: datetime, until: datetime) -> None:
        """Begin with nothing; nothing is done after the first moment of the last round before ``until``."""
        self.start = start
        self.last = (until - start) // ROUND * MOMENTS
        self._jobs: dict[tuple[int, Job], list[Case]] = defaultdict(list)
        self._visited = {*range(0, self.last, _QUIET), self.last}

    def time(self, moment: int) -> datetime:
        """Return when a moment is."""
        rounds, place = divmod(moment, MOMENTS)
        return self.start + rounds * ROUND + timedelta(days=_OFFSETS[place])

    def round_from(self, moment: datetime) -> int:
        """Return the first moment of the first round that begins at a time or later."""
        return max(0, -((self.start - moment) // ROUND)) * MOMENTS

    def first_from(self, moment: datetime, least: int) -> int:
        """Return the first moment at a time or later, ``least`` or later."""
        found = max(least, (moment - self.start) // ROUND * MOMENTS)
        while self.time(found) < moment:
            found += 1
        return found

    def add(self, moment: int, job: Job, case: Case) -> None:
        """Have something done, and the moments after it visited; nothing where that is after the end."""
        if moment > self.last:
            return
        moment = max(0, moment)
        self._jobs[moment, job].append(case)
        self._visited |= set(range(moment, min(self.last, moment + _SETTLING) + 1))

    def visit(self, moment: int) -> None:
        """Have a moment visited, for what time does."""
        self._visited.add(min(moment, self.last))

    def moments(self) -> Iterator[int]:
        """Yield the moments to visit, in order; what is done at one may add later ones."""
        for moment in range(self.last + 1):
            if moment in self._visited:
                yield moment

    def take(self, moment: int, job: Job) -> list[Case]:
        """Return about whom something is to be done, once."""
        return self._jobs.pop((moment, job), [])
