"""How disputes ended, counted by month and by the members whose listings they were about: no person."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from concordat import v1
from concordat.v1 import ListingAction, ListingActKind, RulingOutcome
from exchange.supervision.orders.table import dispute_tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from exchange.listings.announcements import Change

_RIGHT = frozenset(
    {
        RulingOutcome.RULING_OUTCOME_UPHELD,
        RulingOutcome.RULING_OUTCOME_RECTIFIED,
        RulingOutcome.RULING_OUTCOME_UNVERIFIABLE,
    }
)
_C = dispute_tally.c
_COUNTS = ("decided", "upheld", "ran_out")


def month_of(at: datetime) -> int:
    """Return the month (UTC) as months since the year 0."""
    return 12 * at.year + at.month - 1


def count(connection: Connection, changes: Sequence[Change], at: datetime) -> None:
    """Count the rulings among changes, and the disputes that ran out, for each source of their listings."""
    counted: dict[str, Counter[str]] = {}
    for change in changes:
        how = ended(change)
        for member in vouching(change) if how else ():
            counted.setdefault(member, Counter()).update(how)
    if counted:
        rows = [
            {"month": month_of(at), "furnisher": member, **{name: n[name] for name in _COUNTS}}
            for member, n in sorted(counted.items())
        ]
        connection.execute(_ADD[connection.dialect.name], rows)


def of_month(connection: Connection, month: int) -> Mapping[str, tuple[int, int, int]]:
    """Return (decided, upheld, ran out) of each member that has any in a month."""
    rows = connection.execute(select(dispute_tally).where(_C.month == month))
    return {row.furnisher: (row.decided, row.upheld, row.ran_out) for row in rows}


def vouching(change: Change) -> list[str]:
    """Return the members whose listing it was before a change: a dispute that ends counts for each of them."""
    return [] if change.before is None else [each.member_id for each in change.before.live_sources]


def ended(change: Change) -> dict[str, int]:
    """Return how a change ended a dispute: ``decided`` and whether ``upheld``, or ``ran_out``; empty for no end.

    The one rule of what oversight and the statistics tell: of two they could be subtracted from each other.
    """
    cause = change.cause
    if cause.kind == ListingActKind.LISTING_ACT_KIND_RULED:
        said = cause.statement
        right = isinstance(said, v1.Ruling) and said.outcome in _RIGHT
        return {"decided": 1, "upheld": int(right)}
    if cause.action == ListingAction.LISTING_ACTION_TIME_OUT:
        return {"ran_out": 1}
    return {}


def _added() -> dict[str, Any]:
    """Return by dialect the statement that adds to a member's counts of a month."""
    statements: dict[str, Any] = {}
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert)):
        statement: Any = insert(dispute_tally)
        sums = {each: _C[each] + statement.excluded[each] for each in _COUNTS}
        statements[name] = statement.on_conflict_do_update(
            index_elements=["month", "furnisher"], set_=sums
        )
    return statements


_ADD = _added()
