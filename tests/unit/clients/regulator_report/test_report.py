"""The report of a month: the regulator's own look-ups first, no script, each plot with its table."""

import csv
import io
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from clients.regulator_report import plots
from clients.regulator_report.grid import cell_words, grid_of, length_words
from clients.regulator_report.month import Month, days_of, month_of, providers_grid, traffic_grid
from clients.regulator_report.plots import Series
from clients.regulator_report.render import csv_of, parts_of, write_report
from clients.regulator_report.wording import COLUMNS, TABLES
from concordat import v1
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T
from tests.builders import AT, PROVIDERS, REGULATOR
from tests.statistics_builders import (
    MONTH,
    cell,
    month_tables,
    standing_table,
    table_of,
    whole_month,
)

FEDERATION = "test.concordat"
HOSTILE = '=1+1<script>alert("x")</script>'


def october(article: str = "Art. 12(1)") -> Month:
    told = whole_month()
    days = {period: tables for period, tables in told.items() if period != MONTH}
    return month_of(MONTH, month_tables(article), days)


def page_of(folder: Path, article: str = "Art. 12(1)") -> str:
    write_report(folder, october(article), REGULATOR, FEDERATION, AT)
    return (folder / "report.html").read_text("utf-8")


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "onload"}]


def test_the_report_tells_how_listings_stood_on_the_last_day_and_its_file_of_all(
    tmp_path: Path,
) -> None:
    days = {day: [standing_table(day)] for day in ("2026-10-30", "2026-10-31")}
    days["2026-10-31"][0].rows[0].cells[1].count = 140
    write_report(tmp_path, month_of(MONTH, (), days), REGULATOR, FEDERATION, AT)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Listings by state, 2026-10-31" in page
    assert "Listings by state, 2026-10-30" not in page
    rows = (tmp_path / "tables/listings-by-state.csv").read_text("utf-8").splitlines()
    assert [row.split(",")[-2] for row in rows] == ["effective", "130", "140"]


def test_days_alone_say_below_what_nothing_is_told() -> None:
    told = table_of(T.STATISTICS_TABLE_QUERIES, "2026-10-31")
    told.smallest_cell = 25
    assert month_of(MONTH, (), {"2026-10-31": [told]}).smallest == 25
    assert month_of(MONTH, (), {}).smallest == 10


def test_the_first_page_is_the_regulators_own_look_ups(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    first = page[: page.index("</section>")]
    assert first.index("Our own case look-ups") < first.index("Of all regulators")
    for words in (
        REGULATOR,
        "60",
        "1 to 9",
        "1,050",
        "budget of the month",
        "2,000",
        "about 950",
        "Art. 12(1)",
    ):
        assert words in first
    assert "990" not in first  # another regulator's
    assert "break-after: page" in page


def test_the_page_prints_and_stands_alone(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    tags = Tags(page)
    assert "@page" in page
    assert "script" not in tags.found
    assert tags.links == []
    assert "default-src 'none'" in page


def test_every_plot_has_its_table() -> None:
    parts = list(parts_of(october()))
    plotted = [part for part in parts if part.plot]
    assert len(plotted) >= 4
    assert all(part.grid.rows for part in plotted)
    for part in plotted:
        assert ET.fromstring(str(part.plot)).tag.endswith("svg")


def test_words_of_others_are_words_on_the_page_and_no_formula_in_a_file(tmp_path: Path) -> None:
    page = page_of(tmp_path, HOSTILE)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    rows = list(csv.reader(io.StringIO((tmp_path / "tables/cases.csv").read_text("utf-8"))))
    assert rows[1][1] == f"'{HOSTILE}"


def test_files_hold_numbers_without_separators(tmp_path: Path) -> None:
    page_of(tmp_path)
    rows = list(csv.reader(io.StringIO((tmp_path / "tables/cases.csv").read_text("utf-8"))))
    assert rows[0][:3] == ["period", "article", "member"]
    assert rows[-1][3] == "1050"
    queries = (tmp_path / "tables/queries.csv").read_text("utf-8").splitlines()
    assert len(queries) == 31
    assert (
        queries[1]
        == "2026-10,2026-10-01,credit application,lendwell,100,fewer than 10*,fewer than 10*"
    )


def test_days_are_put_together_as_they_are_told() -> None:
    month = october()
    grid = traffic_grid(month)
    assert list(grid.rows[0]) == [f"{MONTH}-01", "100", "fewer than 10*", "fewer than 10*"]
    (provider,) = providers_grid(month).rows
    scored = sum(100 + 10 * nth for nth in range(30))
    assert list(provider[:3]) == [PROVIDERS[0], f"{scored:,}", "fewer than 10*"]
    assert list(provider[4:]) == ["1 to 9 on 30 days", "fewer than 10*", "none"]
    assert len(days_of(MONTH)) == 31
    assert len(days_of("2027-02")) == 28


def test_a_month_with_nothing_told_is_a_report_too(tmp_path: Path) -> None:
    empty = month_of(MONTH, [table_of(T.STATISTICS_TABLE_CASES, MONTH)], {})
    write_report(tmp_path, empty, REGULATOR, FEDERATION, AT)
    assert "Nothing is told" in (tmp_path / "report.html").read_text("utf-8")
    assert csv_of(grid_of(empty.tables[T.STATISTICS_TABLE_CASES])) == "period,of\r\n"


def test_what_is_not_told_is_left_open_in_a_plot() -> None:
    line = plots.lines("x", ["1", "2", "3", "4"], [Series("a", [10, 20, None, 30])])
    drawn = ET.fromstring(str(line))
    assert len(drawn.findall("{*}polyline")) == 1
    assert len(drawn.findall("{*}circle")) == 1
    bar = str(plots.bars("x", ["m"], [Series("a", [None])], "fewer"))
    assert "fewer" in bar
    for unit in ("", "ms"):
        assert "<svg" in plots.lines("x", ["1"], [Series("a", [None])], unit)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "fewer than 10*"),
        ({"none": True}, "none"),
        ({"few": True}, "1 to 9"),
        ({"count": 1230}, "1,230"),
        ({"rate_ppm": 125_000}, "12.5 %"),
        ({"up_to_ms": 21_600_000}, "6 h"),
        ({"above_ms": 366 * 86_400_000}, "over 366 d"),
        ({"setting": 200}, "200"),
    ],
)
def test_each_kind_of_cell_has_its_words(told: dict[str, int], words: str) -> None:
    assert cell_words(cell(M.STATISTICS_MEASURE_FILED, **told), 10) == words


def test_every_table_and_measure_has_a_name() -> None:
    assert set(TABLES) == {each for each in v1.StatisticsTable.values() if each}
    assert set(COLUMNS) == {each for each in v1.StatisticsMeasure.values() if each}
    assert length_words(500) == "500 ms"
