"""The table of a day about listings: how many stand in which state, by who filed them first."""

from collections.abc import Mapping

from sqlalchemy import and_, func, select

from concordat import v1
from concordat.v1 import Role
from concordat.v1 import StatisticsMeasure as M
from exchange.listings.machine.listing import (
    APPEAL,
    CONTESTED,
    DRAFT,
    EFFECTIVE,
    NOTICED,
    SETTLED,
    UNDER_REVIEW,
    State,
)
from exchange.listings.table import listing, listing_source
from exchange.supervision.statistics.cells import Measure, by_member, column, names
from exchange.supervision.statistics.sources import Sources

STATES: Mapping[State, Measure] = {
    DRAFT: M.STATISTICS_MEASURE_STANDS_DRAFT,
    NOTICED: M.STATISTICS_MEASURE_STANDS_NOTICED,
    CONTESTED: M.STATISTICS_MEASURE_STANDS_CONTESTED,
    EFFECTIVE: M.STATISTICS_MEASURE_STANDS_EFFECTIVE,
    UNDER_REVIEW: M.STATISTICS_MEASURE_STANDS_UNDER_REVIEW,
    APPEAL: M.STATISTICS_MEASURE_STANDS_APPEAL,
    SETTLED: M.STATISTICS_MEASURE_STANDS_SETTLED,
}
"""The states that are told. Ends are not: they only add up, so that a step down would show an erasure."""

_LISTING, _SOURCE = listing.c, listing_source.c
_STANDING = (
    select(_SOURCE.source, _LISTING.state, func.count().label("total"))
    .select_from(listing)
    .join(
        listing_source,
        and_(
            _SOURCE.subject_ref == _LISTING.subject_ref,
            _SOURCE.listing_id == _LISTING.listing_id,
            _SOURCE.place == 0,  # who filed it first
        ),
    )
    .where(_LISTING.state.in_(STATES))
    .group_by(_SOURCE.source, _LISTING.state)
)


def listings_by_state(sources: Sources) -> list[v1.StatisticsRow]:
    """Return how many listings stand in each state now, by who filed them first.

    None where too much may have moved since the period's end: what stands now is another day's.
    """
    if not sources.current:
        return []
    found = {(each.source, each.state): each.total for each in sources.rows(_STANDING)}
    known = sources.of(Role.ROLE_FURNISHER, Role.ROLE_COURT)
    members = names(known, [member for member, _ in found])
    columns = [
        column(measure, [found.get((each, state), 0) for each in members], sources.smallest)
        for state, measure in STATES.items()
    ]
    return by_member(members, columns)
