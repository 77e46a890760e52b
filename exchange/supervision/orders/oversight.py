"""Disputes and orders by furnisher, as of the last midnight: computed once a day, and kept as told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.v1 import OrderStage as Stage
from concordat.v1 import StatisticsMeasure as M
from exchange.drift.table import day_of, start_of_day
from exchange.listings.table import listing, listing_source, listing_step
from exchange.supervision.orders.as_told import Counts, told_of
from exchange.supervision.orders.table import correction_order, oversight_told
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.periods import SETTLES_IN
from exchange.supervision.statistics.table import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

_KEEP_DAYS = 400
_MOST = 4096  # of ``ReadOversightResponse.furnishers``
_ENDED = (
    M.STATISTICS_MEASURE_DECIDED,
    M.STATISTICS_MEASURE_UPHELD,
    M.STATISTICS_MEASURE_OVERDUE,
)
_L, _S, _T, _O = listing.c, listing_source.c, listing_step.c, correction_order.c


@dataclass(frozen=True, slots=True)
class Period:
    """Until when is told: a midnight, and the last month that was over by then. All UTC."""

    midnight: datetime
    month_from: datetime
    month_until: datetime

    @classmethod
    def at(cls, at: datetime) -> Period:
        """Return the period that is told of at a time."""
        midnight = start_of_day(day_of(at))
        until = datetime(midnight.year, midnight.month, 1, tzinfo=UTC)
        before = until - timedelta(days=1)
        return cls(midnight, datetime(before.year, before.month, 1, tzinfo=UTC), until)


def told_on(at: datetime) -> int:
    """Return the day (since 1970, UTC) whose oversight is told at a time: a new one once statistics are made, too.

    Until then acts of the old one may still be under way, and would be counted in the one and not in the other.
    """
    return day_of(at - SETTLES_IN)


def oversight_of(
    connection: Connection, members: Iterable[str], smallest: int, at: datetime
) -> v1.ReadOversightResponse:
    """Return what regulators are told today of ``members`` (ids), and of whoever else there are counts of.

    It is computed when it is first asked for once midnight has settled, by the timer as a rule, and told unchanged
    for a day: asking before and after something shows nothing of it.
    """
    day = told_on(at)
    kept = _kept(connection, day)
    if kept is None:
        period = Period.at(start_of_day(day))
        _keep(connection, day, _computed(connection, members, smallest, period))
        kept = _kept(connection, day)
        assert kept is not None  # noqa: S101 - just kept, by this or another process
    return v1.ReadOversightResponse.FromString(kept)


def _computed(
    connection: Connection, members: Iterable[str], smallest: int, period: Period
) -> v1.ReadOversightResponse:
    counts: dict[str, Counts] = defaultdict(Counts)
    for member in members:
        counts[member] = Counts()
    for member, open_ in _open_disputes(connection, period.midnight).items():
        counts[member].open = open_
    for member, ended in _ended_disputes(connection, period).items():
        counts[member].decided, counts[member].upheld, counts[member].ran_out = ended
    for member, orders in _orders(connection, period).items():
        counts[member].given, counts[member].complied, counts[member].overdue = orders
    return v1.ReadOversightResponse(
        as_of=to_timestamp(period.midnight),
        month_from=to_timestamp(period.month_from),
        month_until=to_timestamp(period.month_until),
        smallest_cell=smallest,
        furnishers=[told_of(each, counts[each], smallest) for each in sorted(counts)[:_MOST]],
    )


def _open_disputes(
    connection: Connection, midnight: datetime
) -> dict[str, tuple[int, int, int, int]]:
    """Return each source's open disputes raised before midnight, by time left: most, some, little, none."""
    left = _L.dispute_due_at - to_micros(midnight)
    three, ten = (timedelta(days=n) // timedelta(microseconds=1) for n in (3, 10))
    buckets = (
        left > ten,
        and_(left <= ten, left >= three),
        and_(left < three, left > 0),
        left <= 0,
    )
    query = (
        select(_S.source, *(func.sum(case((bucket, 1), else_=0)) for bucket in buckets))
        .select_from(listing)
        .join(
            listing_source,
            and_(_S.subject_ref == _L.subject_ref, _S.listing_id == _L.listing_id),
        )
        .join(
            listing_step,
            and_(
                _T.subject_ref == _L.subject_ref,
                _T.listing_id == _L.listing_id,
                _T.statement_id == _L.dispute_id,
            ),
        )
        # Whoever decides, or nobody yet: every open dispute, by the index.
        .where(_L.dispute_reviewer >= "", _S.live, _T.at < to_micros(midnight))
        .group_by(_S.source)
    )
    return {member: tuple(map(int, rest)) for member, *rest in connection.execute(query)}  # type: ignore[misc]  # four


def _ended_disputes(connection: Connection, period: Period) -> dict[str, tuple[int, int, int]]:
    """Return each source's disputes that ended in the month: decided, of those upheld, and run out.

    They are what the statistics are made of, so that nothing is left when one is subtracted from the other.
    """
    days = day_of(period.month_from), day_of(period.month_until)
    found = counted(connection, Series.LISTING, days)
    ended = {member: tuple(of.get(how, 0) for how in _ENDED) for member, of in found.items()}
    return {member: counts for member, counts in ended.items() if any(counts)}  # type: ignore[misc]  # three


def _orders(connection: Connection, period: Period) -> dict[str, tuple[int, int, int]]:
    """Return each furnisher's orders: given and obeyed in the month, and past due at midnight."""
    midnight = to_micros(period.midnight)
    first, end = to_micros(period.month_from), to_micros(period.month_until)
    given = and_(_O.given_at >= first, _O.given_at < end)
    complied = and_(_O.stage == Stage.ORDER_STAGE_COMPLIED, _O.ended_at >= first, _O.ended_at < end)
    overdue = and_(_O.due_at <= midnight, or_(_O.ended_at.is_(None), _O.ended_at >= midnight))
    sums = (func.sum(case((each, 1), else_=0)) for each in (given, complied, overdue))
    query = (
        select(_O.furnisher, *sums)
        .where(or_(_O.given_at >= first, _O.ended_at.is_(None), _O.ended_at >= first))
        .group_by(_O.furnisher)
    )
    return {member: tuple(map(int, rest)) for member, *rest in connection.execute(query)}  # type: ignore[misc]  # three


def _kept(connection: Connection, day: int) -> bytes | None:
    query = select(oversight_told.c.answer).where(oversight_told.c.day == day)
    answer = connection.execute(query).scalar_one_or_none()
    return None if answer is None else bytes(answer)


def _keep(connection: Connection, day: int, answer: v1.ReadOversightResponse) -> None:
    """Keep the day's answer unless another process has, and forget those of more than 400 days ago."""
    insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    statement = insert[connection.dialect.name](oversight_told).on_conflict_do_nothing()
    row = {"day": day, "answer": answer.SerializeToString(deterministic=True)}
    connection.execute(statement, row)
    connection.execute(delete(oversight_told).where(oversight_told.c.day < day - _KEEP_DAYS))
