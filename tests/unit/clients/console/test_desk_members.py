"""Members and their health: no more than the statistics tell, and who is heard of now, asked from here."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from clients.console.base.formats import period, written_in
from clients.console.desk.health import Availability, availability
from clients.console.desk.hearing import Heard, hearing
from concordat import v1
from concordat.v1 import Role
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T
from tests.builders import EXCHANGE, LENDER, PROVIDERS, REGULATOR
from tests.desk_builders import DeskHouse
from tests.fake_federation import FakeFederation
from tests.statistics_builders import cell, day_tables, month_tables, row, standing_table, table_of

FAILURES = (
    M.STATISTICS_MEASURE_TIMED_OUT,
    M.STATISTICS_MEASURE_UNREACHABLE,
    M.STATISTICS_MEASURE_INVALID,
)


@pytest.fixture
def house(tmp_path: Path) -> DeskHouse:
    return DeskHouse(tmp_path)


# Availability -----------------------------------------------------------------------------------


def cells(
    scored: int | None, *failed: dict[str, Any], no_record: int | None = None
) -> dict[int, v1.StatisticsCell]:
    """Return a provider's cells: counts or None for what is not told, then each kind of failing."""
    counts = {M.STATISTICS_MEASURE_SCORED: scored, M.STATISTICS_MEASURE_NO_RECORD: no_record}
    told = [cell(measure, **({} if n is None else {"count": n})) for measure, n in counts.items()]
    told += [cell(measure, **one) for measure, one in zip(FAILURES, failed, strict=True)]
    return {each.measure: each for each in told}


NONE: dict[str, Any] = {"none": True}
FEW: dict[str, Any] = {"few": True}


def test_availability_is_exact_where_nothing_failed() -> None:
    assert availability(cells(120, NONE, NONE, NONE), 10) == Availability(100, at_least=False)


def test_availability_is_the_least_that_rounded_and_few_can_mean() -> None:
    few = availability(cells(120, FEW, NONE, NONE), 10)
    assert few == Availability(115 * 100 // (115 + 9), at_least=True)
    counted = availability(cells(100, {"count": 30}, FEW, NONE, no_record=20), 10)
    assert counted == Availability(110 * 100 // (110 + 34 + 9), at_least=True)
    assert str(few) == "at least 92%"


@pytest.mark.parametrize("failed", [0, 1, 9, 10, 14, 15, 31])
def test_no_provider_was_less_available_than_it_says(failed: int) -> None:
    said = NONE if not failed else FEW if failed < 10 else {"count": (failed + 5) // 10 * 10}
    for answered in range(10, 60):
        found = availability(cells((answered + 5) // 10 * 10, said, NONE, NONE), 10)
        assert found is not None
        assert found.percent <= answered * 100 / (answered + failed)


def test_where_nothing_is_told_no_availability_is() -> None:
    assert availability(cells(None, NONE, NONE, NONE), 10) is None
    assert availability({}, 10) is None


# The page ---------------------------------------------------------------------------------------


def tell_health(house: DeskHouse) -> str:
    """Have the exchange tell of yesterday, with all of what a provider is told of."""
    day = (house.now() - timedelta(days=1)).date().isoformat()
    provider = row(
        *cells(120, FEW, NONE, NONE).values(),
        cell(M.STATISTICS_MEASURE_PROVIDER_REFUSED),
        cell(M.STATISTICS_MEASURE_P50, up_to_ms=20),
        cell(M.STATISTICS_MEASURE_P99, up_to_ms=500),
        member=PROVIDERS[0],
    )
    tables = [each for each in day_tables(day, 120) if each.table != T.STATISTICS_TABLE_PROVIDERS]
    tables.append(table_of(T.STATISTICS_TABLE_PROVIDERS, day, provider))
    month = (house.now().replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    house.reader.told = {day: tables, month: month_tables()}
    return day


def test_health_is_of_the_last_day_that_is_told(house: DeskHouse) -> None:
    day = tell_health(house)
    page = house.officer(REGULATOR).get("/members").text
    with written_in("en"):
        told = f"Health on {period(day)}"
    assert told in page
    table = page[page.index(told) :]
    assert table.index(PROVIDERS[0]) < table.index("at least 92%") < table.index("500 ms")
    assert LENDER in table
    assert page.count("<svg") == 1  # of the one provider that is told of


def test_without_statistics_the_page_has_its_members_and_no_picture(house: DeskHouse) -> None:
    page = house.officer(REGULATOR).get("/members").text
    assert "Nothing is told." in page
    assert "<svg" not in page
    assert LENDER in page


def test_what_months_tell_is_drawn_and_what_they_hide_has_no_bar(house: DeskHouse) -> None:
    tell_health(house)
    browser = house.officer(REGULATOR)
    listings = browser.get("/listings").text
    assert listings.count("<svg") == 2
    assert listings.count("<rect") == 2
    assert browser.get("/disputes").text.count("<rect") == 1


@pytest.mark.parametrize(("language", "head"), [("en", "under review"), ("zh", "复核中")])
def test_how_listings_stood_yesterday_comes_first_whichever_month_is_chosen(
    house: DeskHouse, language: str, head: str
) -> None:
    day = tell_health(house)
    house.reader.told[day] = [*house.reader.told[day], standing_table(day)]
    with written_in(language):
        told = period(day)
    month = house.office.reading.months(3)[-1]
    page = house.officer(REGULATOR).get(f"/listings?month={month}&lang={language}").text
    assert page.count("<svg") == 2
    assert page.count("<rect") == 2  # effective, under review
    assert page.index(told) < page.index(head)
    assert 'class="figure">130</td>' in page


def test_members_are_asked_when_the_button_is_pressed_and_that_is_journalled(
    house: DeskHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def hear(members: Any) -> dict[str, Heard]:
        asked.extend(each.member_id for each in members)
        fast = timedelta(milliseconds=7)
        return {PROVIDERS[0]: Heard("a:1", True, fast), PROVIDERS[1]: Heard("b:1", False, fast)}

    monkeypatch.setattr("clients.console.desk.members.hearing", lambda *_: hear)
    house.federation.suspend(PROVIDERS[2])
    browser = house.officer(REGULATOR)
    assert "Heard of" not in browser.see("/members").text
    assert asked == []
    page = browser.submit("/members/ask").text
    assert page.index("answered within 7 ms") < page.index("silent")
    assert PROVIDERS[0] in asked
    assert PROVIDERS[2] not in asked
    assert house.acts()[-1] == ("members-ask", "desk", "1 of 2 serve")


class Serving(FakeFederation):
    """Whose servers tell of their health, as gRPC has it."""

    def add_services(self, server: grpc.Server, member_id: str) -> None:
        del member_id
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)


def test_who_serves_answers_who_is_gone_is_silent_and_who_has_no_port_is_not_asked() -> None:
    with Serving() as fake:
        fed, provider = fake.federation, Role.ROLE_PROVIDER
        fed.enrol(EXCHANGE, Role.ROLE_EXCHANGE, version=2, endpoint=fed.bundle.exchange_endpoint)
        fed.enrol(PROVIDERS[0], provider, version=3, endpoint="127.0.0.1:1")
        fed.enrol(PROVIDERS[1], provider, version=3, endpoint=fed.bundle.exchange_endpoint)
        members = [fed.member(each) for each in (EXCHANGE, PROVIDERS[0], PROVIDERS[1], LENDER)]
        heard = hearing(fake.anchors, fake.identity(REGULATOR).tls)(members)
    assert {name: each.serves for name, each in heard.items()} == {
        EXCHANGE: True,
        PROVIDERS[0]: False,
        PROVIDERS[1]: False,  # there answers another, whose certificate is not its own
    }
