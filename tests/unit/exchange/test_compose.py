"""What a view says, and what it keeps to itself."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from concordat import v1
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.v1 import DisclosureKind
from concordat.v1 import ProviderOutcomeKind as Kind
from tests.builders import EXCHANGE, LENDER, PROVIDERS, Federation
from tests.exchange_builders import ExchangeDesk, stall

ALDER, BIRCH, CEDAR = PROVIDERS
FULL = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_FULL)
BAND = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_BAND)
THRESHOLD = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=560)


@pytest.fixture
def desk() -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk(provider_seconds=0.5)
    yield desk
    desk.close()


def answering(desk: ExchangeDesk, provider: str, **fields: Any) -> None:
    """Make a provider answer with ``fields`` in its statement."""

    async def answer(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        return [
            v1.ScoreResult(
                statement=desk.federation.score_statement(provider, one.view_request, **fields)
            )
            for one in message.requests
        ]

    desk.links.answers[provider] = answer


def ask(desk: ExchangeDesk, **fields: Any) -> tuple[v1.View, v1.RequestViewResponse]:
    """Ask for a view, verify it offline, and return it with the whole answer."""
    granted = desk.grant(**fields)
    request = desk.federation.view_request(granted)
    result = desk.ask(granted, request)
    view = desk.verify(granted, request, result).view
    assert isinstance(result, v1.RequestViewResponse)
    return view, result


def test_all_answers_make_a_complete_view(desk: ExchangeDesk) -> None:
    view, result = ask(desk)
    assert view.WhichOneof("outcome") == "complete"
    assert [outcome.kind for outcome in view.providers] == [Kind.PROVIDER_OUTCOME_KIND_SCORED] * 3
    assert [digest_of(one) for one in result.statements] == [
        outcome.statement_digest for outcome in view.providers
    ]


@pytest.mark.parametrize("disclosure", [FULL, BAND, THRESHOLD])
def test_a_missing_provider_leaves_nothing_in_the_field_of_complete_views(
    desk: ExchangeDesk, disclosure: v1.Disclosure
) -> None:
    desk.links.answers[BIRCH] = stall
    view, _ = ask(desk, disclosure=disclosure)
    assert view.WhichOneof("outcome") == ("partial" if disclosure == FULL else "no_score")
    assert not view.HasField("complete")
    assert view.complete == v1.ScoreAnswer()


@pytest.mark.parametrize("disclosure", [BAND, THRESHOLD])
def test_who_has_no_licence_keeps_no_band_or_threshold_from_being_told(
    disclosure: v1.Disclosure,
) -> None:
    federation = Federation()
    desk = ExchangeDesk(federation)
    federation.suspend(BIRCH)
    view, _ = ask(desk, disclosure=disclosure)
    assert view.WhichOneof("outcome") == "partial"
    desk.close()


@pytest.mark.parametrize(("silent", "partial"), [(False, False), (True, True)])
def test_no_score_says_whether_asking_again_may_help(
    desk: ExchangeDesk, silent: bool, partial: bool
) -> None:
    for provider in PROVIDERS:
        answering(desk, provider, absence=v1.Absence.ABSENCE_NO_RECORD)
    if silent:
        desk.links.answers[CEDAR] = stall
    view, _ = ask(desk)
    assert view.WhichOneof("outcome") == "no_score"
    assert view.no_score.partial is partial


def test_a_frozen_record_is_an_answer_and_no_score(desk: ExchangeDesk) -> None:
    answering(desk, ALDER, absence=v1.Absence.ABSENCE_FROZEN)
    view, _ = ask(desk)
    assert view.providers[0].kind == Kind.PROVIDER_OUTCOME_KIND_FROZEN
    assert [one.provider for one in view.complete.full.contributions] == [BIRCH, CEDAR]


@pytest.mark.parametrize("order", [PROVIDERS, PROVIDERS[::-1], (BIRCH, CEDAR, ALDER)])
def test_contributions_outcomes_and_licences_stand_in_the_consents_order(
    desk: ExchangeDesk, order: tuple[str, ...]
) -> None:
    for provider, score in zip(PROVIDERS, (520, 640, 790), strict=True):
        answering(desk, provider, score=score)
    view, _ = ask(desk, providers=order)
    full = view.complete.full
    assert [one.provider for one in full.contributions] == list(order)
    assert [one.provider for one in view.providers] == list(order)
    members = [desk.federation.member(name) for name in (EXCHANGE, LENDER, *order)]
    assert list(view.licence_digests) == [member.licence_digest for member in members]
    assert full.base_points + sum(one.points for one in full.contributions) == full.points


def test_the_order_of_the_providers_changes_no_score(desk: ExchangeDesk) -> None:
    for provider, score in zip(PROVIDERS, (520, 640, 790), strict=True):
        answering(desk, provider, score=score)
    scores = {
        ask(desk, providers=order)[0].complete.full.points for order in (PROVIDERS, PROVIDERS[::-1])
    }
    assert len(scores) == 1


def _secrets(desk: ExchangeDesk) -> v1.UnifiedScore:
    """Return the score that the providers' answers pool to, as a full disclosure shows it."""
    return ask(desk)[0].complete.full


@pytest.mark.parametrize("disclosure", [BAND, THRESHOLD])
def test_a_lesser_disclosure_tells_only_what_it_allows(
    desk: ExchangeDesk, disclosure: v1.Disclosure
) -> None:
    view, result = ask(desk, disclosure=disclosure)
    answer = view.complete
    assert not result.statements
    if disclosure == BAND:
        assert answer.WhichOneof("disclosed") == "band"
        assert len(answer.SerializeToString()) == 2  # one tag, one enum
    else:
        assert answer.WhichOneof("disclosed") == "threshold"
        assert answer.threshold.threshold == 560
        assert len(answer.threshold.SerializeToString()) <= 5  # threshold and one flag


def test_two_scores_on_one_side_of_a_threshold_give_the_same_answer_in_bytes(
    desk: ExchangeDesk,
) -> None:
    answers, points = set(), set()
    for score in (700, 760, 820):
        for provider in PROVIDERS:
            answering(desk, provider, score=score, reasons=["BK01"] if score > 800 else ["BK03"])
        points.add(_secrets(desk).points)
        view, result = ask(desk, disclosure=THRESHOLD)
        answers.add(view.complete.SerializeToString())
        assert b"BK0" not in result.SerializeToString()
        assert b"model-1" not in result.SerializeToString()
    assert len(points) == 3
    assert len(answers) == 1


@pytest.mark.parametrize(("offset", "reached"), [(0, True), (1, False)])
def test_a_threshold_is_reached_at_it_and_not_below(
    desk: ExchangeDesk, offset: int, reached: bool
) -> None:
    at = v1.Disclosure(
        kind=DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=_secrets(desk).points + offset
    )
    view, _ = ask(desk, disclosure=at)
    assert view.complete.threshold.reached is reached


def test_a_digest_of_an_undisclosed_statement_cannot_be_guessed_from_its_score(
    desk: ExchangeDesk,
) -> None:
    view, _ = ask(desk, disclosure=THRESHOLD)
    salts = {outcome.statement_digest for outcome in view.providers}
    assert len(salts) == 3


def test_each_ask_of_a_batch_gets_its_own_answer_in_its_order(desk: ExchangeDesk) -> None:
    fed = desk.federation
    people = [desk.grant(fed.subject(f"person-{n}")) for n in range(5)]
    foreign = fed.consent(fed.subject("stranger"))
    asks = [fed.ask(granted) for granted in (*people[:2], foreign, *people[2:])]
    results = asyncio.run(desk.answer(asks))
    assert isinstance(results.pop(2), Refusal)
    subjects = [
        v1.View.FromString(one.view.payload).subject_ref
        for one in results
        if isinstance(one, v1.RequestViewResponse)
    ]
    assert subjects == [granted.person.ref for granted in people]


def test_the_view_is_to_be_deleted_when_the_consent_says(desk: ExchangeDesk) -> None:
    view, _ = ask(desk, data_life_days=7)
    life = view.delete_by.ToDatetime() - view.issued_at.ToDatetime()
    assert life.days == 7
    assert life.seconds == 0


def test_a_suspended_provider_is_not_asked_and_named_so() -> None:
    federation = Federation()
    desk = ExchangeDesk(federation)
    federation.suspend(BIRCH)
    view, _ = ask(desk)
    assert view.providers[1].kind == Kind.PROVIDER_OUTCOME_KIND_NOT_LICENSED
    assert view.providers[1].reason == v1.Reason.REASON_MEMBER_SUSPENDED
    assert not desk.links.batches(BIRCH)
    desk.close()
