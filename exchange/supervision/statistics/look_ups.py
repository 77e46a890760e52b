"""The table of a month about the regulators' own look-ups in cases: theirs to answer for, told as failings are."""

from sqlalchemy import func, select

from concordat import v1
from concordat.v1 import Role
from concordat.v1 import StatisticsMeasure as M
from exchange.supervision.cases.table import case_notice
from exchange.supervision.statistics.cells import (
    Cell,
    by_member,
    count_cell,
    failing_cell,
    failings,
    names,
)
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.sources import Sources
from exchange.supervision.suppression import told

_ACTS = (M.STATISTICS_MEASURE_LOOK_UPS, M.STATISTICS_MEASURE_REFUSED)


def cases(sources: Sources) -> list[v1.StatisticsRow]:
    """Return the look-ups by article and by regulator, and of all: refused ones, notices, the budget."""
    found = sources.counted(Series.CASE)
    regulators = names(sources.of(Role.ROLE_REGULATOR), found)
    by_act = [{member: counts.get(act, 0) for member, counts in found.items()} for act in _ACTS]
    columns = [
        failings(act, regulators, counts, sources.smallest)
        for act, counts in zip(_ACTS, by_act, strict=True)
    ]
    total = [
        failing_cell(act, sum(counts.values()), sources.smallest)
        for act, counts in zip(_ACTS, by_act, strict=True)
    ]
    cells = [*total, *_notices(sources), *_budget(sources)]
    return [
        *_by_article(sources),
        *by_member(regulators, columns),
        v1.StatisticsRow(total=True, cells=cells),
    ]


def _by_article(sources: Sources) -> list[v1.StatisticsRow]:
    """Return the look-ups of each article of which enough were made.

    Articles are in no list. One that nobody named is counted as well, so that nothing shows whether a seldom one
    was named.
    """
    found = sources.counted(Series.CASE_ARTICLE)
    articles = sorted(found)
    counts = [sum(found[article].values()) for article in articles]
    shown = told([*counts, 0], sources.smallest)[:-1]
    return [
        v1.StatisticsRow(
            legal_article=article, cells=[count_cell(M.STATISTICS_MEASURE_LOOK_UPS, count)]
        )
        for article, count in zip(articles, shown, strict=True)
    ]


def _notices(sources: Sources) -> list[Cell]:
    notice = case_notice.c
    return [
        failing_cell(
            measure,
            int(sources.rows(select(func.count()).where(sources.within(column)))[0][0]),
            sources.smallest,
        )
        for measure, column in (
            (M.STATISTICS_MEASURE_NOTICES_DUE, notice.due_at),
            (M.STATISTICS_MEASURE_NOTICES_DELIVERED, notice.delivered_at),
        )
    ]


def _budget(sources: Sources) -> list[Cell]:
    if sources.budget is None:
        return []
    return [Cell(measure=M.STATISTICS_MEASURE_BUDGET, setting=sources.budget)]
