"""The tables of a month about listings: filed, contested, disputed, noticed, recalled, shown."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select

from concordat import v1
from concordat.v1 import ListingState, Role
from concordat.v1 import StatisticsMeasure as M
from exchange.listings.machine.listing import ENDS
from exchange.listings.notices.mail_table import notice_mail
from exchange.listings.table import listing, listing_step, listing_told, retraction
from exchange.supervision.statistics.cells import (
    Cell,
    Measure,
    by_member,
    column,
    count_cell,
    failing_cell,
    failings,
    lone_cell,
    names,
    rate_cell,
    time_cells,
)
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.sources import Sources, bucket_column
from exchange.supervision.suppression import told, told_pairs

_TOLD, _LISTING, _STEP, _RECALL = listing_told.c, listing.c, listing_step.c, retraction.c


class _Furnishers:
    """What was counted of listings in the period, by who filed them."""

    def __init__(self, sources: Sources) -> None:
        found = sources.counted(Series.LISTING)
        known = sources.of(Role.ROLE_FURNISHER, Role.ROLE_COURT)
        self.members = names(known, found)
        self._found = found

    def counts(self, measure: Measure) -> list[int]:
        return [self._found.get(member, {}).get(measure, 0) for member in self.members]


def listings(sources: Sources) -> list[v1.StatisticsRow]:
    """Return the listings filed, that took effect, and that ended, by who filed them."""
    furnishers = _Furnishers(sources)
    measures = (
        M.STATISTICS_MEASURE_FILED,
        M.STATISTICS_MEASURE_EFFECTIVE,
        M.STATISTICS_MEASURE_ENDED,
    )
    columns = [column(each, furnishers.counts(each), sources.smallest) for each in measures]
    return by_member(furnishers.members, columns)


def contests(sources: Sources) -> list[v1.StatisticsRow]:
    """Return how many listings were contested before they took effect."""
    furnishers = _Furnishers(sources)
    faced = sum(furnishers.counts(M.STATISTICS_MEASURE_FACED))
    contested = sum(furnishers.counts(M.STATISTICS_MEASURE_CONTESTED))
    cells = _pair(
        (M.STATISTICS_MEASURE_FACED, told([faced], sources.smallest)[0]),
        (M.STATISTICS_MEASURE_CONTESTED, told_pairs([(faced, contested)], sources.smallest)[0]),
        M.STATISTICS_MEASURE_CONTEST_RATE,
    )
    return [v1.StatisticsRow(total=True, cells=cells)]


def disputes(sources: Sources) -> list[v1.StatisticsRow]:
    """Return the disputes raised, decided, upheld and overdue, by who filed the listing."""
    furnishers, smallest = _Furnishers(sources), sources.smallest
    decided = furnishers.counts(M.STATISTICS_MEASURE_DECIDED)
    upheld = furnishers.counts(M.STATISTICS_MEASURE_UPHELD)
    overdue = furnishers.counts(M.STATISTICS_MEASURE_OVERDUE)
    raised, total = column(
        M.STATISTICS_MEASURE_DISPUTED, furnishers.counts(M.STATISTICS_MEASURE_DISPUTED), smallest
    )
    pairs = list(zip(decided, upheld, strict=True))
    shown = zip(
        furnishers.members,
        raised,
        told(decided, smallest),
        told_pairs(pairs, smallest),
        overdue,
        strict=True,
    )
    rows = [
        v1.StatisticsRow(
            member=member,
            cells=[
                raised_cell,
                *_pair(
                    (M.STATISTICS_MEASURE_DECIDED, whole),
                    (M.STATISTICS_MEASURE_UPHELD, part),
                    M.STATISTICS_MEASURE_UPHELD_RATE,
                ),
                failing_cell(M.STATISTICS_MEASURE_OVERDUE, late, smallest),
            ],
        )
        for member, raised_cell, whole, part, late in shown
    ]
    return [*rows, v1.StatisticsRow(total=True, cells=[total])]


def _pair(
    whole: tuple[Measure, int | None], part: tuple[Measure, int | None], rate: Measure
) -> Sequence[Cell]:
    """Return a count, a part of it, and their rate, each as far as it is told."""
    shown = part[1] if whole[1] is not None else None
    return count_cell(*whole), count_cell(part[0], shown), rate_cell(rate, shown, whole[1])


def notices(sources: Sources) -> list[v1.StatisticsRow]:
    """Return the notices put in the mail, and those of them that no mail server took."""
    mail = notice_mail.c
    failed = and_(mail.failure.is_not(None), mail.next_try_at.is_(None), mail.accepted_at.is_(None))
    query = select(func.count().label("mailed"), _sum_of(failed).label("failed")).where(
        sources.within(mail.enqueued_at)
    )
    (found,) = sources.rows(query)
    cells = [
        lone_cell(M.STATISTICS_MEASURE_MAILED, found.mailed, sources.smallest),
        failing_cell(M.STATISTICS_MEASURE_UNDELIVERED, int(found.failed or 0), sources.smallest),
    ]
    return [v1.StatisticsRow(total=True, cells=cells)]


def recalls(sources: Sources) -> list[v1.StatisticsRow]:
    """Return which lenders did not acknowledge recalls in time, and how soon all of them did."""
    late = or_(_RECALL.acknowledged_at.is_(None), _RECALL.acknowledged_at > _RECALL.due_at)
    missing = (
        select(_RECALL.lender, func.count().label("total"))
        .where(sources.within(_RECALL.due_at), late)
        .group_by(_RECALL.lender)
    )
    found = {each.lender: each.total for each in sources.rows(missing)}
    bucket = bucket_column(_RECALL.acknowledged_at - _RECALL.issued_at).label("bucket")
    lag = (
        select(bucket, func.count().label("total"))
        .where(sources.within(_RECALL.acknowledged_at))
        .group_by(bucket)
    )
    buckets = {each.bucket: each.total for each in sources.rows(lag)}
    lenders = names(sources.of(Role.ROLE_LENDER), found)
    missed = failings(M.STATISTICS_MEASURE_UNACKNOWLEDGED, lenders, found, sources.smallest)
    done = sum(buckets.values())
    total = [
        lone_cell(M.STATISTICS_MEASURE_ACKNOWLEDGED, done, sources.smallest),
        *time_cells(buckets, sources.smallest),
    ]
    return [*by_member(lenders, [missed]), v1.StatisticsRow(total=True, cells=total)]


def expired_visible(sources: Sources) -> list[v1.StatisticsRow]:
    """Check again every listing that lenders were shown in the month: had it taken effect, and not ended?

    An end that was brought forward later, by a correction, counts for nothing that was shown before.
    """
    (found,) = sources.rows(shown_wrongly(sources.within(_TOLD.told_at)))
    cells = [
        lone_cell(M.STATISTICS_MEASURE_SHOWN, found.shown, sources.smallest),
        failing_cell(M.STATISTICS_MEASURE_SHOWN_ENDED, int(found.bad or 0), sources.smallest),
    ]
    return [v1.StatisticsRow(total=True, cells=cells)]


def shown_wrongly(within: ColumnElement[bool]) -> Select[int, int]:
    """Return the query of how many listings were ``shown``, and how many of them wrongly (``bad``, or NULL)."""
    of_listing = and_(_STEP.subject_ref == _TOLD.subject_ref, _STEP.listing_id == _TOLD.listing_id)
    ended_before = exists().where(of_listing, _STEP.state.in_(ENDS), _STEP.at < _TOLD.told_at)
    moved_later = exists().where(
        of_listing,
        _STEP.at > _TOLD.told_at,
        _STEP.state != ListingState.LISTING_STATE_EXPIRED,
    )
    past_end = and_(_TOLD.told_at >= _LISTING.expires_at, ~moved_later)
    early = or_(_LISTING.effective_at.is_(None), _TOLD.told_at < _LISTING.effective_at)
    return (
        select(
            func.count().label("shown"), _sum_of(or_(ended_before, past_end, early)).label("bad")
        )
        .select_from(listing_told)
        .join(
            listing,
            and_(
                _LISTING.subject_ref == _TOLD.subject_ref,
                _LISTING.listing_id == _TOLD.listing_id,
            ),
        )
        .where(within)
    )


def _sum_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
