"""What is counted of released views, and what never is."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import DisclosureKind, Reason
from exchange.drift.table import day_of
from exchange.tables import drift_level, outcome_count, score_count, subject_flag
from tests.builders import PROVIDERS, Federation
from tests.drift_builders import fitted
from tests.exchange_builders import ExchangeDesk, stall
from tests.exchange_services import ExchangeServices
from tests.own_view_builders import own_request

ALDER, BIRCH, CEDAR = PROVIDERS
Row = tuple[str, int, int]


@pytest.fixture
def make_desk() -> Iterator[Callable[..., ExchangeDesk]]:
    made: list[ExchangeDesk] = []

    def make(federation: Federation) -> ExchangeDesk:
        made.append(ExchangeDesk(federation=federation, provider_seconds=0.5))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def desk(make_desk: Callable[..., ExchangeDesk]) -> ExchangeDesk:
    return make_desk(fitted())


def answering(desk: ExchangeDesk, provider: str, **fields: Any) -> None:
    async def answer(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        return [
            v1.ScoreResult(
                statement=desk.federation.score_statement(provider, one.view_request, **fields)
            )
            for one in message.requests
        ]

    desk.links.answers[provider] = answer


def counted(desk: ExchangeDesk) -> list[Row]:
    """Return (provider, bin, scores) of everything that was counted."""
    rows = desk.store.run(lambda connection: connection.execute(select(score_count)).all())
    assert {row.day for row in rows} <= {day_of(desk.federation.at)}
    return sorted((row.provider, row.bin, row.scores) for row in rows)


def test_each_score_of_a_released_view_is_counted_in_its_bin(desk: ExchangeDesk) -> None:
    answering(desk, BIRCH, score=601)
    answering(desk, CEDAR, score=300)
    assert isinstance(desk.ask(desk.grant()), v1.RequestViewResponse)
    assert counted(desk) == [(ALDER, 2, 1), (BIRCH, 2, 1), (CEDAR, 0, 1)]
    assert isinstance(desk.ask(desk.grant()), v1.RequestViewResponse)
    assert counted(desk) == [(ALDER, 2, 2), (BIRCH, 2, 2), (CEDAR, 0, 2)]


@pytest.mark.parametrize(
    "disclosure",
    [
        v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_FULL),
        v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_BAND),
        v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=560),
    ],
    ids=["full", "band", "threshold"],
)
def test_what_the_lender_is_told_changes_nothing(
    desk: ExchangeDesk, disclosure: v1.Disclosure
) -> None:
    assert isinstance(desk.ask(desk.grant(disclosure=disclosure)), v1.RequestViewResponse)
    assert counted(desk) == [(provider, 2, 1) for provider in PROVIDERS]


def test_a_view_that_is_read_again_counts_once(desk: ExchangeDesk) -> None:
    granted = desk.grant()
    request = desk.federation.view_request(granted)
    for _ in range(3):
        assert isinstance(desk.ask(granted, request), v1.RequestViewResponse)
    assert counted(desk) == [(provider, 2, 1) for provider in PROVIDERS]


def test_the_same_request_twice_at_once_counts_once(desk: ExchangeDesk) -> None:
    granted = desk.grant()
    ask = desk.federation.ask(granted, desk.federation.view_request(granted))
    results = asyncio.run(desk.answer([ask, ask]))
    assert all(isinstance(result, v1.RequestViewResponse) for result in results)
    assert counted(desk) == [(provider, 2, 1) for provider in PROVIDERS]


def test_who_states_no_score_is_not_counted(desk: ExchangeDesk) -> None:
    answering(desk, ALDER, absence=v1.Absence.ABSENCE_NO_RECORD)
    desk.links.answers[BIRCH] = stall
    assert isinstance(desk.ask(desk.grant()), v1.RequestViewResponse)
    assert counted(desk) == [(CEDAR, 2, 1)]


def test_a_view_that_may_not_go_out_any_more_is_not_counted(desk: ExchangeDesk) -> None:
    granted = desk.grant()

    async def freezing(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        row = {"subject_ref": granted.person.ref, "frozen": True, "fraud_alert": False}
        row |= {"sequence": 1, "digest": bytes(32), "envelope": b""}
        await desk.store.arun(lambda connection: connection.execute(insert(subject_flag), row))
        return await desk.links.honest(ALDER)(message)

    desk.links.answers[ALDER] = freezing
    refused = desk.ask(granted)
    assert isinstance(refused, Refusal)
    assert refused.reason == Reason.REASON_SUBJECT_FROZEN
    assert counted(desk) == []


def test_a_calibration_without_baselines_counts_nothing(
    make_desk: Callable[..., ExchangeDesk],
) -> None:
    desk = make_desk(Federation())
    assert isinstance(desk.ask(desk.grant()), v1.RequestViewResponse)
    assert counted(desk) == []


def test_people_who_look_at_their_own_score_are_never_counted(desk: ExchangeDesk) -> None:
    """R27: no retaliation, not by a statistic either."""
    services = ExchangeServices(desk)
    person = desk.federation.subject()
    request = v1.RequestOwnViewRequest(
        request=own_request(desk.federation, person), binding=person.binding
    )
    answer = services.call(services.subjects.RequestOwnView, request)
    assert len(answer.statements) == len(PROVIDERS)
    assert counted(desk) == []


def test_no_table_of_drift_can_hold_a_person_or_a_score() -> None:
    assert {column.name for column in score_count.columns} == {
        "day",
        "calibration_version",
        "provider",
        "bin",
        "process",
        "scores",
    }
    for table in (score_count, outcome_count, drift_level):
        assert not {"subject_ref", "access_id", "score", "points"} & set(table.columns.keys())


def test_providers_that_have_drifted_are_marked_in_views(desk: ExchangeDesk) -> None:
    stale, unset = (
        v1.CalibrationStanding.CALIBRATION_STANDING_STALE,
        v1.CalibrationStanding.CALIBRATION_STANDING_UNSPECIFIED,
    )

    def view() -> v1.View:
        granted = desk.grant()
        request = desk.federation.view_request(granted)
        return desk.verify(granted, request, desk.ask(granted, request)).view

    before = view()
    assert {each.calibration for each in before.providers} == {unset}
    desk.drift._stale = {2: frozenset({BIRCH}), 1: frozenset({CEDAR})}
    after = view()
    assert [each.calibration for each in after.providers] == [unset, stale, unset]
    assert after.complete == before.complete  # a mark changes no number
