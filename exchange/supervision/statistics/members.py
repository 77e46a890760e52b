"""The tables of a month about lenders: outcomes they owe, and signals of fishing."""

from concordat import v1
from concordat.v1 import Role
from concordat.v1 import StatisticsMeasure as M
from exchange.lenders.duties import TERM, missing_of
from exchange.lenders.outcome_table import counts_by_lender
from exchange.supervision.statistics.cells import by_member, failings, lone_cell, names
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.sources import Sources

_SIGNALS = (
    M.STATISTICS_MEASURE_SIGNAL_NO_MATCH,
    M.STATISTICS_MEASURE_SIGNAL_OTHERS_CONSENTS,
    M.STATISTICS_MEASURE_SIGNAL_ONE_SUBJECT,
    M.STATISTICS_MEASURE_SIGNAL_OUT_OF_HOURS,
    M.STATISTICS_MEASURE_SIGNAL_MISSING_OUTCOMES,
)


def outcomes(sources: Sources) -> list[v1.StatisticsRow]:
    """Return the outcomes due in the month: those not told by now, and refusals that nobody reviewed (R17)."""
    first, end = sources.period.days
    rows = counts_by_lender(sources.connection, first - TERM.days, end - TERM.days)
    due = {row.lender: int(row.due) for row in rows}
    missing = {row.lender: missing_of(row.due, row.told) for row in rows}
    unreviewed = {row.lender: int(row.unreviewed) for row in rows}
    lenders = names(sources.of(Role.ROLE_LENDER), due)
    measure, smallest = M.STATISTICS_MEASURE_OUTCOMES_DUE, sources.smallest
    cells = [lone_cell(measure, due.get(lender, 0), smallest) for lender in lenders]
    missed = failings(M.STATISTICS_MEASURE_OUTCOMES_MISSING, lenders, missing, smallest)
    flagged = failings(M.STATISTICS_MEASURE_OUTCOMES_UNREVIEWED, lenders, unreviewed, smallest)
    return by_member(lenders, [(cells, None), missed, flagged])


def fishing(sources: Sources) -> list[v1.StatisticsRow]:
    """Return how often each signal was newly seen of each lender."""
    found = sources.counted(Series.FISHING)
    lenders = names(sources.of(Role.ROLE_LENDER), found)
    columns = [
        failings(
            measure,
            lenders,
            {lender: counts.get(measure, 0) for lender, counts in found.items()},
            sources.smallest,
        )
        for measure in _SIGNALS
    ]
    return by_member(lenders, columns)
