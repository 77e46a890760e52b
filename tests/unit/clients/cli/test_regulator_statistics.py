"""`concordat regulator statistics` and `report` as a regulator's officer types them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from concordat.federation.anchors import save_bundle
from concordat.refusal import Refusal
from concordat.v1 import Reason
from tests.builders import REGULATOR
from tests.fake_supervision import Supervised
from tests.statistics_builders import MONTH, standing_table, whole_month
from tests.unit.clients.cli.conftest import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("COLUMNS", "200")
    with Supervised(datetime.now(UTC)) as fake:
        fake.statistics = whole_month()
        save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
        yield Desk(fake, tmp_path)


@pytest.fixture
def supervised(desk: Desk) -> Supervised:
    assert isinstance(desk.fake, Supervised)
    return desk.fake


@pytest.fixture
def regulator(desk: Desk) -> tuple[object, ...]:
    return (*desk.trust, "--member", desk.member(REGULATOR))


def test_a_month_is_shown_in_tables_with_what_is_suppressed(
    desk: Desk, regulator: tuple[object, ...]
) -> None:
    shown = desk.run("regulator", "statistics", *regulator, "--month", MONTH).output
    assert f"Of the federation {desk.fake.federation.anchors.federation}:" in shown
    assert "Listings, 2026-10" in shown
    assert "<10*: fewer than 10, or withheld" in shown
    assert "33.3 %" in shown
    assert "1 to 9" in shown
    assert "Notices by mail, 2026-10: nothing is told." in shown


def test_one_table_of_a_day_is_shown_as_json(desk: Desk, regulator: tuple[object, ...]) -> None:
    options = ("--day", f"{MONTH}-01", "--table", "queries")
    told = desk.json("regulator", "statistics", *regulator, *options)
    assert told["federation"] == desk.fake.federation.anchors.federation
    (table,) = told["tables"]
    assert (table["table"], table["period"], table["smallest_cell"]) == (
        "queries",
        f"{MONTH}-01",
        10,
    )
    cells = table["rows"][0]["cells"]
    assert cells == {"answered": {"count": 100}, "unanswered": None, "refused": None}


def test_how_many_listings_stand_in_which_state_is_shown_of_a_day(
    desk: Desk, supervised: Supervised, regulator: tuple[object, ...]
) -> None:
    day = f"{MONTH}-31"
    supervised.statistics[day] = [standing_table(day)]
    shown = desk.run("regulator", "statistics", *regulator, "--day", day).output
    for words in (f"Listings by state, {day}", "drafted", "effective", "under review", "130"):
        assert words in shown


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--day", f"{MONTH}-01", "--month", MONTH),
        ("--day", "yesterday"),
        ("--month", "2026-10-01"),
        ("--month", MONTH, "--table", "people"),
    ],
)
def test_what_is_no_period_or_table_is_a_wrong_command(
    desk: Desk, regulator: tuple[object, ...], supervised: Supervised, options: tuple[str, ...]
) -> None:
    assert desk.run("regulator", "statistics", *regulator, *options).exit_code == 2
    assert supervised.read == []


def test_a_period_that_is_not_over_is_told_with_the_reason(
    desk: Desk, regulator: tuple[object, ...], supervised: Supervised
) -> None:
    supervised.refusal = Refusal(Reason.REASON_PERIOD_NOT_OVER)
    told = desk.json("regulator", "statistics", *regulator, "--month", MONTH, code=1)
    assert told["reason"] == "PERIOD_NOT_OVER"


def test_the_report_of_a_month_is_written_with_its_tables_and_figures(
    desk: Desk, regulator: tuple[object, ...], supervised: Supervised
) -> None:
    out = desk.folder / "report"
    told = desk.json("regulator", "report", *regulator, "--month", MONTH, "--out", out)
    assert told["days"] == 30
    assert len(supervised.read) == 32  # the month and each of its days, one of which is not kept
    names = {str(path.relative_to(out)) for path in out.rglob("*.*")}
    assert {"report.html", "tables/cases.csv", "tables/queries.csv"} <= names
    assert {"figures/traffic.svg", "figures/listings.svg"} <= names
    assert f"Of the federation {desk.fake.federation.anchors.federation};" in (
        out / "report.html"
    ).read_text("utf-8")
    again = desk.run("regulator", "report", *regulator, "--month", MONTH, "--out", out)
    assert again.exit_code == 2  # it writes over nothing


def test_a_month_that_is_not_kept_makes_no_report(
    desk: Desk, regulator: tuple[object, ...]
) -> None:
    out = desk.folder / "report"
    told = desk.json("regulator", "report", *regulator, "--month", "2020-01", "--out", out, code=2)
    assert "keeps nothing" in told["advice"]
    assert not out.exists()
