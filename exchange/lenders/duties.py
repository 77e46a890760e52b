"""What lenders owe after an access: its outcome within 30 days (R18), reviewed by a person if not granted (R17).

What is owed is counted in the transaction that lets the answer out, by lender and day, and what was told in the
transaction that takes the event in; so nobody has to count accesses. A day's accesses are overdue once the whole
day (UTC) lies 30 days back; each access by itself is, to its subject, 30 days after it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import from_micros, to_micros
from concordat.v1 import Purpose
from exchange.lenders import outcome_table as table
from exchange.lenders import released
from exchange.vault import sealing

TERM = timedelta(days=30)
REMIND_AFTER = timedelta(days=20)
KEEP = timedelta(days=400)
WINDOW = timedelta(days=30)  # of accesses whose term has run out lately, for the signal

OWED = frozenset(
    {
        Purpose.PURPOSE_CREDIT_APPLICATION,
        Purpose.PURPOSE_GUARANTOR_CHECK,
        Purpose.PURPOSE_DEPOSIT_WAIVER,
    }
)
"""Purposes after which a decision is told in any case; after others, where the lender acts on what it was told."""

_DAY = to_micros(from_micros(0) + timedelta(days=1))
PAGE = 100


class Access(NamedTuple):
    """What the counts need of an access: who looked, and when it was let in (microseconds)."""

    lender: str
    recorded_at: int


@dataclass(frozen=True, slots=True)
class Due:
    """An access whose outcome is owed and was not told."""

    subject_ref: bytes
    access_id: bytes
    answer_digest: bytes
    purpose: Purpose.ValueType
    recorded_at: int

    @property
    def place(self) -> bytes:
        """Where a page that ends with it is continued."""
        return self.recorded_at.to_bytes(8) + self.access_id


def day_of(micros: int) -> int:
    """Return the day (since 1970, UTC) of a time."""
    return micros // _DAY


class Counts:
    """What a transaction adds to the counts, which it writes together."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._added: dict[table.Day, list[int]] = {}

    def add(
        self,
        access: Access | released.Released,
        *,
        due: int = 0,
        told: int = 0,
        unreviewed: int = 0,
    ) -> None:
        """Add to the counts of the day and lender of an access."""
        day = (access.lender, day_of(access.recorded_at))
        added = self._added.setdefault(day, [0, 0, 0])
        for place, more in enumerate((due, told, unreviewed)):
            added[place] += more

    def write(self, connection: Connection) -> None:
        """Write them."""
        table.add(connection, self._added)


def owe(connection: Connection, accesses: Iterable[Access]) -> None:
    """Count accesses that go out for the first time, and need an outcome."""
    counts = Counts()
    for access in accesses:
        counts.add(access, due=1)
    counts.write(connection)


# For the regulator's statistics, and the limits ---------------------------------------------------


def missing_lately(connection: Connection, at: datetime) -> dict[str, tuple[int, int]]:
    """Return of how many accesses the outcome came due in the 30 days to ``at``, and of how many none was told."""
    since, until = (day_of(to_micros(at - TERM - back)) for back in (WINDOW, timedelta()))
    rows = table.counts_by_lender(connection, since, until)
    return {row.lender: (int(row.due), missing_of(row.due, row.told)) for row in rows if row.due}


def missing_of(due: int, told: int) -> int:
    """Return how many outcomes of those due are missing; one that is told before it is due counts as told."""
    return max(int(due) - int(told), 0)


# For lenders --------------------------------------------------------------------------------------


def outcomes_due(connection: Connection, lender: str, at: datetime, after: bytes) -> list[Due]:
    """Return up to 100 accesses of a lender, 20 days old or older, whose outcome was not told; the oldest first.

    ``after`` is the ``place`` of the last one of the page before; empty for the first.
    """
    last = to_micros(at - REMIND_AFTER)
    begin = min(int.from_bytes(after[:8]), last)
    found: list[Due] = []
    for day in table.open_days(connection, lender, day_of(last)):
        place = (max(begin, day * _DAY), after[8:] if begin >= day * _DAY else b"")
        until = min((day + 1) * _DAY - 1, last)
        while len(found) < PAGE:
            rows = released.released_by(connection, lender, place, until, PAGE)
            found += _not_told(connection, rows)
            if len(rows) < PAGE:
                break
            place = (rows[-1].recorded_at, rows[-1].access_id)
        if len(found) >= PAGE:
            break
    return found[:PAGE]


def _not_told(connection: Connection, rows: Iterable[released.Released]) -> list[Due]:
    owed = [
        Due(row.subject_ref, row.access_id, row.view_digest, row.purpose, row.recorded_at)
        for row in rows
        if row.purpose in OWED
    ]
    told = table.events_of(connection, [(each.subject_ref, each.access_id) for each in owed])
    return [each for each in owed if (each.subject_ref, each.access_id) not in told]


# For subjects -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutcomeOfAccess:
    """What is known of the outcome of one access; ``due_by`` is None where none has to be told."""

    access_id: bytes
    lender: str
    purpose: Purpose.ValueType
    accessed_at: datetime
    due_by: datetime | None
    event: v1.Envelope | None

    def is_overdue(self, at: datetime) -> bool:
        """Tell whether the lender had to tell by ``at`` what it decided, and did not."""
        return self.event is None and self.due_by is not None and self.due_by <= at


def outcomes_of(connection: Connection, subject_ref: bytes) -> list[OutcomeOfAccess]:
    """Return what is known of the outcome of each access to a subject's data that needs or has one, by time.

    An event that was sealed under a key that is erased is absent.
    """
    events = table.events_about(connection, subject_ref)
    opened = sealing.unseal_many(
        connection, [(subject_ref, row.envelope) for row in events.values()]
    )
    envelopes = dict(zip(events, opened, strict=True))
    return [
        _outcome(row, envelopes.get(row.access_id))
        for row in released.released_about(connection, subject_ref)
        if row.purpose in OWED or row.access_id in events
    ]


def _outcome(row: released.Released, envelope: bytes | None) -> OutcomeOfAccess:
    accessed = from_micros(row.recorded_at)
    return OutcomeOfAccess(
        row.access_id,
        row.lender,
        row.purpose,
        accessed,
        accessed + TERM if row.purpose in OWED else None,
        v1.Envelope.FromString(envelope) if envelope is not None else None,
    )


# Erasure, and time --------------------------------------------------------------------------------


def release_from(connection: Connection, subject_ref: bytes, access_ids: Collection[bytes]) -> None:
    """Delete the events of accesses that are about to be erased; nobody owes what it cannot tell any more."""
    if not access_ids:
        return
    goes = frozenset(access_ids)
    events = table.events_about(connection, subject_ref)
    counts = Counts()
    for row in released.released_about(connection, subject_ref):
        if row.access_id in goes and row.purpose in OWED and row.access_id not in events:
            counts.add(row, told=1)
    counts.write(connection)
    gone = sorted(goes & events.keys())
    for start in range(0, len(gone), PAGE):
        table.forget_accesses(connection, subject_ref, gone[start : start + PAGE])


def forget(connection: Connection, at: datetime, keep_days: int) -> None:
    """Delete counts that no rule looks back to any more, and events older than the entries of the log are kept."""
    table.forget_days(connection, day_of(to_micros(at - KEEP)))
    table.forget_events(connection, to_micros(at - timedelta(days=keep_days)))
