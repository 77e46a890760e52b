"""Bars of what a month's table tells of each member. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clients.console.base.charts import Chart, Told
from clients.console.desk.series import Bar, bar_chart
from clients.console.desk.words import cell_words
from clients.language import tr
from clients.regulator_report.wording import COLUMNS
from concordat import v1


@dataclass(frozen=True, slots=True)
class Bars:
    """Which measures of a table are drawn, a bar for each member; of several those alone that were seen."""

    table: int  # StatisticsTable
    measures: Sequence[int]  # StatisticsMeasure
    title: str

    def chart(self, told: v1.Statistics) -> Chart:
        """Return the drawing of a table; with no rows where nobody is told of."""
        bars = list(self._bars(told))
        description = tr("A bar for each of {number}; what is not told has none.", number=len(bars))
        heads = (tr("of"), tr(COLUMNS[self.measures[0]]) if self._one else tr("how often"))
        rows = [(label, figure) for label, _, figure, _ in bars]
        return bar_chart(
            Told(f"t{self.table}m{self.measures[0]}", self.title, description, heads, rows), bars
        )

    @property
    def _one(self) -> bool:
        return len(self.measures) == 1

    def _bars(self, told: v1.Statistics) -> Iterator[Bar]:
        for row in told.rows:
            for cell in row.cells:
                if cell.measure in self.measures and row.member and (self._one or not cell.none):
                    name = tr(COLUMNS[cell.measure])
                    label = row.member if self._one else f"{row.member}: {name}"
                    yield label, *_drawn(cell, told.smallest_cell)


def _drawn(cell: v1.StatisticsCell, smallest: int) -> tuple[int | None, str, bool]:
    """Return how long a cell's bar is, if it has one, its figure, and whether that is the most it can be."""
    figure = cell_words(cell, smallest)
    if cell.WhichOneof("told") == "few":
        return smallest - 1, figure, True
    return (cell.count if cell.WhichOneof("told") == "count" else None), figure, False
