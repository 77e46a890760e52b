"""A lender that tries to find out more of a score than the yes or no, or the band, that it is told.

It has a subject who signs whatever it is shown, so that no consent ever stops it.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item
from concordat.statements import digest_of
from concordat.v1 import DataCategory, DisclosureKind, Purpose, Reason
from exchange.limits.settings import LimitSettings
from tests.builders import DAY, LENDER, PROVIDERS, Federation, Granted, Subject
from tests.exchange_builders import ExchangeDesk, put_on_record, stall
from tests.exchange_services import ExchangeServices
from tests.history_builders import HistoryHouse
from tests.view_builders import Failed, ViewBuilder, failed_check

ALDER, BIRCH, CEDAR = PROVIDERS
BAND = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_BAND)
SCORE, FLAGS = DataCategory.DATA_CATEGORY_SCORE, DataCategory.DATA_CATEGORY_FLAGS


def reaching(points: int) -> v1.Disclosure:
    return v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=points)


@pytest.fixture
def desk() -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk()
    yield desk
    desk.close()


def stating(desk: ExchangeDesk, provider: str, **fields: Any) -> None:
    """Have a provider state this, with a salt as real ones have."""

    async def answer(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        made = desk.federation.score_statement
        return [
            v1.ScoreResult(
                statement=made(provider, one.view_request, salt=os.urandom(16), **fields)
            )
            for one in message.requests
        ]

    desk.links.answers[provider] = answer


def ask(
    desk: ExchangeDesk, disclosure: v1.Disclosure, person: Subject | None = None, **fields: Any
) -> v1.View | Refusal:
    """Ask under a new consent; every view is verified."""
    granted = desk.grant(person, disclosure=disclosure, **fields)
    request = desk.federation.view_request(granted)
    result = desk.ask(granted, request)
    return result if isinstance(result, Refusal) else desk.verify(granted, request, result).view


def reason(result: v1.View | v1.RequestViewResponse | Refusal) -> str:
    found = Reason.Name(result.reason) if isinstance(result, Refusal) else ""
    return found.removeprefix("REASON_")


# Asking again -------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [420, 640, 800])
def test_bisecting_ends_at_the_second_threshold(desk: ExchangeDesk, score: int) -> None:
    for provider in PROVIDERS:
        stating(desk, provider, score=score)
    low, high, told = 100, 900, 0
    for _ in range(10):
        middle = (low + high) // 2
        view = ask(desk, reaching(middle))
        if isinstance(view, Refusal):
            assert view.reason == Reason.REASON_THRESHOLD_MOVED
            continue
        told += 1
        low, high = (middle, high) if view.complete.threshold.reached else (low, middle)
    assert told == 2
    assert high - low == 200


def test_no_provider_is_asked_for_a_threshold_that_moved(desk: ExchangeDesk) -> None:
    for points in (600, 650):
        assert not reason(ask(desk, reaching(points)))
    before = len(desk.links.sent)
    refusal = ask(desk, reaching(625))
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after == 90 * DAY
    assert len(desk.links.sent) == before


def test_all_thresholds_in_one_message_are_no_way_around(desk: ExchangeDesk) -> None:
    asks = [
        desk.federation.ask(desk.grant(disclosure=reaching(points)))
        for points in range(500, 900, 10)
    ]
    results = asyncio.run(desk.answer(asks))
    assert [reason(each) for each in results] == ["", ""] + ["THRESHOLD_MOVED"] * 38


def test_neither_a_band_nor_another_purpose_is_a_way_around(desk: ExchangeDesk) -> None:
    assert not reason(ask(desk, BAND))
    for purpose in (Purpose.PURPOSE_DEPOSIT_WAIVER, Purpose.PURPOSE_GUARANTOR_CHECK):
        assert not reason(ask(desk, reaching(600), purpose=purpose))  # the band told that
        assert reason(ask(desk, reaching(610), purpose=purpose)) == "THRESHOLD_MOVED"


def test_fewer_providers_under_the_same_threshold_are_no_way_around(desk: ExchangeDesk) -> None:
    """Each set of them pools to another number; all sets together tell each provider's score."""
    sets = [PROVIDERS, PROVIDERS[:2], PROVIDERS[1:], PROVIDERS[:1], PROVIDERS[1:2], PROVIDERS[2:]]
    found = [reason(ask(desk, reaching(600), providers=each)) for each in sets]
    assert found == ["", "", *["THRESHOLD_MOVED"] * 4]


def test_a_request_brought_to_another_rpc_first_is_no_way_around() -> None:
    services = ExchangeServices()
    desk, fed = services.desk, services.federation
    both: dict[str, Any] = {"data_categories": [SCORE, FLAGS]}

    def check(granted: Granted, request: v1.Envelope) -> None:
        asyncio.run(desk.refresh_listings())
        message = v1.CheckListingsRequest(ask=fed.ask(granted, request))
        services.call(services.listings.CheckListings, message, LENDER)

    for points in (600, 650):
        granted = desk.grant(disclosure=reaching(points), **both)
        request = fed.view_request(granted)
        check(granted, request)
        assert not reason(desk.ask(granted, request))
    granted = desk.grant(disclosure=reaching(625), **both)
    request = fed.view_request(granted)
    with pytest.raises(Refusal) as failure:
        check(granted, request)
    assert failure.value.reason == Reason.REASON_THRESHOLD_MOVED
    assert reason(desk.ask(granted, request)) == "THRESHOLD_MOVED"
    desk.close()


def test_waiting_frees_one_threshold_at_a_time(desk: ExchangeDesk) -> None:
    assert not reason(ask(desk, reaching(600)))
    desk.federation.at += 45 * DAY
    assert not reason(ask(desk, reaching(650)))
    desk.federation.at += 45 * DAY
    assert not reason(ask(desk, reaching(625)))
    assert reason(ask(desk, reaching(640))) == "THRESHOLD_MOVED"


def test_a_lenders_own_score_is_no_lever_to_move_the_others_by(desk: ExchangeDesk) -> None:
    roles = [v1.Role.ROLE_LENDER, v1.Role.ROLE_PROVIDER]
    desk.federation.directory.add_licence(
        desk.federation.licence(LENDER, *roles, version=2), desk.federation.at
    )
    providers = (ALDER, LENDER)
    assert reason(ask(desk, reaching(600), providers=providers)) == "PURPOSE_NOT_ALLOWED"
    assert reason(ask(desk, BAND, providers=providers)) == "PURPOSE_NOT_ALLOWED"
    assert not desk.links.sent
    full = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_FULL)
    assert not reason(ask(desk, full, providers=providers))


# Choosing who answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("disclosure", [BAND, reaching(600)])
def test_who_gives_providers_too_little_time_is_told_nothing_of_the_others(
    disclosure: v1.Disclosure,
) -> None:
    desk = ExchangeDesk(provider_seconds=0.2)
    granted = desk.grant(disclosure=disclosure)
    request = desk.federation.view_request(granted)
    for slow in PROVIDERS:
        desk.links.answers = {slow: stall}
        view = desk.verify(granted, request, desk.ask(granted, request)).view
        assert view.no_score == v1.NoScore(partial=True)
    desk.links.answers = {}
    view = desk.verify(granted, request, desk.ask(granted, request)).view
    assert view.HasField("complete")
    assert desk.uses(granted) == 1
    desk.close()


@pytest.mark.parametrize("disclosure", [BAND, reaching(600)])
def test_a_view_that_tells_it_of_fewer_all_the_same_does_not_verify(
    disclosure: v1.Disclosure,
) -> None:
    made = ViewBuilder(answers={BIRCH: Failed()}, consent_fields={"disclosure": disclosure})
    view = made.view()
    if disclosure == BAND:
        view.partial.band = v1.Band.BAND_A
    else:
        view.partial.threshold.threshold = disclosure.threshold
    assert failed_check(made, made.bundle(view)).check == "outcomes"


def test_a_score_that_moves_while_a_request_is_read_again_answers_the_same_question(
    desk: ExchangeDesk,
) -> None:
    granted = desk.grant(disclosure=reaching(600))
    request, found = desk.federation.view_request(granted), []
    for score in (400, 800):
        for provider in PROVIDERS:
            stating(desk, provider, score=score)
        view = desk.verify(granted, request, desk.ask(granted, request)).view
        found.append((view.complete.threshold.threshold, view.complete.threshold.reached))
    assert found == [(600, False), (600, True)]
    assert [entry.threshold for entry in desk.entries()] == [600]


# What goes out ------------------------------------------------------------------------------------

# Two exchanges of the same federation, asked the very same request; scores on the same side.


@pytest.mark.parametrize(
    ("disclosure", "scores"), [(reaching(560), (700, 823)), (reaching(800), (310, 560))]
)
def test_different_scores_on_one_side_of_a_threshold_give_the_same_bytes(
    disclosure: v1.Disclosure, scores: tuple[int, int]
) -> None:
    federation = Federation()
    granted = federation.consent(federation.subject(), disclosure=disclosure)
    request = federation.view_request(granted)
    results = [_told(federation, granted, request, score) for score in scores]
    one, two = results
    assert len(one.SerializeToString()) == len(two.SerializeToString())
    assert one.consent_status.payload == two.consent_status.payload
    assert _plain(one) == _plain(two)


def _told(
    federation: Federation, granted: Granted, request: v1.Envelope, score: int
) -> v1.RequestViewResponse:
    desk = ExchangeDesk(federation)
    put_on_record(federation, desk.store, granted)
    for place, provider in enumerate(PROVIDERS):
        reasons = [f"BK0{n + 1}" for n in range(score % 7)]
        stating(
            desk, provider, score=score + place, reasons=reasons, model_version=f"model-{score}"
        )
    result = desk.ask(granted, request)
    desk.verify(granted, request, result)
    desk.close()
    assert isinstance(result, v1.RequestViewResponse)
    return result


def _plain(result: v1.RequestViewResponse) -> list[bytes]:
    """Return what an answer says, without what is random in it: ids, and digests of salted statements."""
    view = v1.View.FromString(result.view.payload)
    view.view_id = view.receipt.access_id = b""
    for outcome in view.providers:
        outcome.statement_digest = b""
    records = []
    for receipt in (result.intent, result.release):
        record = v1.LogRecord.FromString(receipt.opening.record)
        record.record_id = b""
        if record.HasField("release"):
            record.release.access_id = record.release.view_digest = b""
        records.append(record.SerializeToString(deterministic=True))
    assert not result.statements
    return [view.SerializeToString(deterministic=True), *records]


def test_no_digest_that_goes_out_betrays_the_statement_without_its_salt(desk: ExchangeDesk) -> None:
    """Who knows everything of a statement but score and salt tries every score; the salt is what it lacks."""
    for provider in PROVIDERS:
        stating(desk, provider, score=654)
    granted = desk.grant(disclosure=reaching(600))
    request = desk.federation.view_request(granted)
    result = desk.ask(granted, request)
    view = desk.verify(granted, request, result).view
    assert isinstance(result, v1.RequestViewResponse)
    told = {outcome.statement_digest for outcome in view.providers}
    assert len(told) == 3
    made = desk.federation.score_statement
    guesses = {
        digest_of(made(ALDER, request, score=score, salt=salt))
        for score in range(640, 670)
        for salt in (bytes(16), os.urandom(16))
    }
    assert not told & guesses
    raw = result.SerializeToString()
    assert b"model-1" not in raw
    assert b"BK0" not in raw


# What is refused ----------------------------------------------------------------------------------


def test_the_refusal_tells_nothing_of_the_subject() -> None:
    answers = []
    for fields in ({"score": 310}, {"score": 840}, {"absence": v1.Absence.ABSENCE_NO_RECORD}):
        desk = ExchangeDesk()
        for provider in PROVIDERS:
            stating(desk, provider, **fields)
        for points in (600, 650):
            ask(desk, reaching(points))
        refusal = ask(desk, reaching(625))
        assert isinstance(refusal, Refusal)
        answers.append(to_item(refusal).SerializeToString(deterministic=True))
        desk.close()
    assert len(set(answers)) == 1


def test_another_lenders_thresholds_are_not_told_by_a_refusal(desk: ExchangeDesk) -> None:
    desk.federation.enrol("quickcash", v1.Role.ROLE_LENDER)
    for points in (600, 650):
        assert not reason(ask(desk, reaching(points)))
    granted = desk.grant(disclosure=reaching(625), recipient="quickcash")
    lender, asks = desk.federation.member("quickcash"), [desk.federation.ask(granted)]
    answering = desk.desk.answer(asks, lender, desk.federation.at, 2.0)
    (result,) = asyncio.run(answering)
    assert not reason(result)


def test_the_subject_sees_the_attempt_and_the_threshold_asked_for() -> None:
    house = HistoryHouse()
    for points in (600, 650, 625):
        house.desk.ask(house.desk.grant(house.ada, disclosure=reaching(points)))
    house.settle()
    records = [entry.record for entry in house.read(house.ask()).entries if entry.record]
    intents = [each.intent for each in records if each.HasField("intent")]
    assert [each.disclosure.threshold for each in intents] == [600, 650]
    (refusal,) = [each.refusal for each in records if each.HasField("refusal")]
    assert refusal.reason == Reason.REASON_THRESHOLD_MOVED
    assert refusal.disclosure == reaching(625)
    house.close()


def test_an_operator_may_allow_one_threshold_alone() -> None:
    desk = ExchangeDesk(limits=LimitSettings(thresholds_of_one_subject=1))
    assert not reason(ask(desk, reaching(600)))
    assert reason(ask(desk, reaching(610))) == "THRESHOLD_MOVED"
    assert not reason(ask(desk, reaching(600)))
    desk.close()
