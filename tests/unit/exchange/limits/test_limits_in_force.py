"""A lender's limits hold whatever it calls: a view, a check, a screening; and the subject sees the attempts."""

from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.errors import name_of
from concordat.v1 import DataCategory
from exchange.limits.settings import LimitSettings
from tests.builders import LENDER, Federation
from tests.exchange_builders import ExchangeDesk, rpc_error
from tests.exchange_services import reason_of
from tests.listing_desk import ListingDesk

SCORE = DataCategory.DATA_CATEGORY_SCORE
FEW = LimitSettings(per_minute=3)
WARY = LimitSettings(least_asks=5)


def _desk(limits: LimitSettings) -> ListingDesk:
    return ListingDesk(ExchangeDesk(Federation(), limits=limits))


@pytest.fixture
def few() -> Iterator[ListingDesk]:
    desk = _desk(FEW)
    yield desk
    desk.close()


@pytest.fixture
def wary() -> Iterator[ListingDesk]:
    desk = _desk(WARY)
    yield desk
    desk.close()


def view(desk: ListingDesk) -> str:
    """Ask for a view under a fresh consent; return why it was refused, or nothing."""
    result = desk.desk.ask(desk.consent(data_categories=[SCORE]))
    return name_of(result.reason) if isinstance(result, Refusal) else ""


def check(desk: ListingDesk) -> str:
    """Ask for a check under a fresh consent; return why it was refused, or nothing."""
    return reason_of(desk.check)


def fish(desk: ListingDesk, attempts: int) -> None:
    """Try consents that were never granted here."""
    for number in range(attempts):
        stranger = desk.federation.subject(f"stranger-{number}")
        desk.desk.ask(desk.federation.consent(stranger))
    evaluate(desk)


def evaluate(desk: ListingDesk) -> None:
    """Look at what lenders did, and let a moment pass, in which every process has heard of it."""
    desk.desk.store.run(lambda c: desk.desk.gate.evaluate(c, desk.federation.at))
    desk.federation.at += timedelta(seconds=2)


def test_views_and_checks_are_counted_against_one_quota(few: ListingDesk) -> None:
    assert [view(few), check(few), view(few)] == ["", "", ""]
    assert view(few) == "QUOTA_EXCEEDED"
    assert check(few) == "QUOTA_EXCEEDED"
    few.federation.at += timedelta(minutes=1)
    assert view(few) == ""


def test_a_refusal_for_a_quota_says_when_to_ask_again(few: ListingDesk) -> None:
    for _ in range(3):
        view(few)
    refused = few.desk.ask(few.consent(data_categories=[SCORE]))
    assert isinstance(refused, Refusal)
    assert refused.retry_after is not None
    assert timedelta() < refused.retry_after <= timedelta(minutes=1)


def test_asking_again_with_the_same_bytes_uses_up_no_quota(few: ListingDesk) -> None:
    granted = few.consent(data_categories=[SCORE])
    request = few.federation.view_request(granted)
    for _ in range(10):
        assert not isinstance(few.desk.ask(granted, request), Refusal)
    assert view(few) == ""


def test_the_subject_sees_the_attempts_of_a_lender_beyond_its_quota(few: ListingDesk) -> None:
    for _ in range(4):
        view(few)
    refusals = [record.refusal for record in few.history() if record.WhichOneof("act") == "refusal"]
    assert [name_of(each.reason) for each in refusals] == ["QUOTA_EXCEEDED"]
    assert refusals[0].lender == LENDER


def test_a_lender_that_tries_consents_of_others_must_bring_fresh_ones(wary: ListingDesk) -> None:
    old = wary.consent(data_categories=[SCORE])
    wary.federation.at += timedelta(minutes=11)
    fish(wary, 5)
    refused = wary.desk.ask(old)
    assert isinstance(refused, Refusal)
    assert name_of(refused.reason) == "LENDER_STEPPED_UP"
    assert view(wary) == ""  # granted just now
    assert check(wary) == ""


def test_a_lender_that_is_limited_screens_nobody_on_old_consents(wary: ListingDesk) -> None:
    old = wary.periodic()
    wary.federation.at += timedelta(minutes=11)
    fish(wary, 5)
    answer = wary.screen(old)
    assert [name_of(v1.Reason.ValueType(each)) for each in answer.results] == ["LENDER_STEPPED_UP"]


def test_providers_that_are_down_make_nobody_look_like_a_fisher(wary: ListingDesk) -> None:
    async def down(_message: v1.RequestScoresRequest) -> list[v1.ScoreResult]:
        raise rpc_error(grpc.StatusCode.UNAVAILABLE)

    for provider in wary.federation.providers:
        wary.desk.links.answers[provider] = down
    for _ in range(6):
        view(wary)
    evaluate(wary)
    for provider in wary.federation.providers:
        del wary.desk.links.answers[provider]
    assert view(wary) == ""
