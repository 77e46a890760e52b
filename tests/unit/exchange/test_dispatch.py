"""Asking providers: what travels together, what waits, and whose fault is whose."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import grpc
import pytest

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.v1 import Reason
from concordat.verify.consent import open_consent_status
from exchange.views.admit import Admitted, admit_many
from exchange.views.dispatch import IDLE_BELOW, MAX_BATCH, Answered, Gathering
from exchange.views.provider_link import MAX_CALLS
from tests.builders import EXCHANGE, PROVIDERS
from tests.exchange_builders import ExchangeDesk, checked, rpc_error, stall

ALDER, BIRCH, CEDAR = PROVIDERS
LONG = 30.0  # seconds: what waits so long shows that it waits, and is let go by the test


@pytest.fixture
def desk() -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk()
    yield desk
    desk.close()


def admitted(
    desk: ExchangeDesk, count: int, name: str = "person"
) -> list[tuple[Admitted, v1.LogReceipt]]:
    """Return requests of as many subjects, on record, each with its receipt."""
    fed = desk.federation
    grants = [desk.grant(fed.subject(f"{name}-{n}")) for n in range(count)]
    items = [checked(fed, granted) for granted in grants]
    results = desk.store.run(lambda connection: admit_many(connection, items))
    return [
        (result, fed.intent(granted, item.ask.request, access_id=result.access_id))
        for result, item, granted in zip(results, items, grants, strict=True)
        if isinstance(result, Admitted)
    ]


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def running() -> None:
        await work()

    asyncio.run(running())


def reason_of(gathering: Gathering, provider: str) -> Reason.ValueType:
    outcome = gathering.outcomes[provider]
    return outcome.reason if isinstance(outcome, Refusal) else Reason.REASON_UNSPECIFIED


# What travels together -------------------------------------------------------------------------


def test_an_idle_exchange_sends_at_once(desk: ExchangeDesk) -> None:
    desk.dispatcher._window = 60
    views = admitted(desk, 1)

    async def work() -> None:
        desk.dispatcher.in_flight = IDLE_BELOW - 1
        (gathering,) = await desk.dispatcher.ask(views, LONG)
        assert all(isinstance(outcome, Answered) for outcome in gathering.outcomes.values())

    run(work)
    assert desk.links.batches(ALDER) == [1]


def test_under_load_what_comes_within_the_window_travels_in_one_message_a_provider(
    desk: ExchangeDesk,
) -> None:
    views = admitted(desk, 6)

    async def work() -> None:
        desk.dispatcher.in_flight = IDLE_BELOW
        gathered = await asyncio.gather(*(desk.dispatcher.ask([view], LONG) for view in views))
        assert all(isinstance(g.outcomes[BIRCH], Answered) for (g,) in gathered)

    run(work)
    assert [desk.links.batches(provider) for provider in PROVIDERS] == [[6], [6], [6]]


def test_a_full_batch_does_not_wait_for_the_window(desk: ExchangeDesk) -> None:
    desk.dispatcher._window = 60
    views = admitted(desk, MAX_BATCH)

    async def work() -> None:
        desk.dispatcher.in_flight = MAX_BATCH
        await desk.dispatcher.ask(views, LONG)

    run(work)
    assert desk.links.batches(ALDER) == [MAX_BATCH]


def test_more_than_a_batch_is_split(desk: ExchangeDesk) -> None:
    views = admitted(desk, MAX_BATCH + 3)

    async def work() -> None:
        desk.dispatcher.in_flight = len(views)
        gathered = await desk.dispatcher.ask(views, LONG)
        assert all(isinstance(g.outcomes[CEDAR], Answered) for g in gathered)

    run(work)
    assert sorted(desk.links.batches(ALDER)) == [3, MAX_BATCH]


def test_a_provider_gets_only_the_requests_that_name_it(desk: ExchangeDesk) -> None:
    fed = desk.federation
    both = desk.grant(fed.subject("ada"), providers=[ALDER, BIRCH])
    one = desk.grant(fed.subject("bob"), providers=[BIRCH])
    asyncio.run(desk.answer([fed.ask(both), fed.ask(one)]))
    assert (desk.links.batches(ALDER), desk.links.batches(BIRCH)) == ([1], [2])
    assert desk.links.batches(CEDAR) == []


def test_the_statuses_of_a_batch_share_one_signature_and_each_verifies_alone(
    desk: ExchangeDesk,
) -> None:
    views = admitted(desk, 5)
    fed = desk.federation

    async def work() -> None:
        for gathering in await desk.dispatcher.ask(views, LONG):
            assert gathering.status is not None
            consent = gathering.admitted.checked.consent
            exchange = fed.member(EXCHANGE)
            status = open_consent_status(gathering.status, consent, exchange, fed.at)
            assert status.message.uses == 1

    run(work)
    ((_, message), *_) = desk.links.sent
    signatures = {one.consent_status.signatures[0].sig for one in message.requests}
    assert len(signatures) == 1
    assert [one.consent_status.signatures[0].batch.index for one in message.requests] == [*range(5)]


def test_envelopes_are_passed_on_as_they_came(desk: ExchangeDesk) -> None:
    granted = desk.grant()
    request = desk.federation.view_request(granted)
    desk.ask(granted, request)
    ((_, message), *_) = desk.links.sent
    (sent,) = message.requests
    assert sent.view_request == request
    assert sent.consent == granted.envelope
    assert sent.binding == granted.person.binding


# Whose fault is whose --------------------------------------------------------------------------


def test_a_provider_that_stalls_times_out_and_holds_no_other(desk: ExchangeDesk) -> None:
    desk.links.answers[BIRCH] = stall
    granted = desk.grant()
    request = desk.federation.view_request(granted)
    view = desk.verify(granted, request, desk.ask(granted, request)).view
    assert [outcome.kind for outcome in view.providers] == [
        Kind.PROVIDER_OUTCOME_KIND_SCORED,
        Kind.PROVIDER_OUTCOME_KIND_TIMED_OUT,
        Kind.PROVIDER_OUTCOME_KIND_SCORED,
    ]


def test_a_view_without_the_stalled_provider_does_not_wait_for_it(desk: ExchangeDesk) -> None:
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        held.set()
        await let_go.wait()
        return await desk.links.honest(BIRCH)(message)

    desk.links.answers[BIRCH] = hold
    desk.desk._provider_seconds = LONG
    fed = desk.federation
    with_it = desk.grant(fed.subject("ada"))
    without = desk.grant(fed.subject("bob"), providers=[ALDER, CEDAR])

    async def work() -> None:
        waiting = asyncio.create_task(desk.answer([fed.ask(with_it)], LONG))
        await held.wait()
        (free,) = await desk.answer([fed.ask(without)], LONG)
        assert isinstance(free, v1.RequestViewResponse)
        assert not waiting.done()
        let_go.set()
        (result,) = await waiting
        assert isinstance(result, v1.RequestViewResponse)
        late = v1.View.FromString(result.view.payload)
        assert late.WhichOneof("outcome") == "complete", (
            "there was time left, and it was waited for"
        )

    run(work)


def test_an_answer_after_the_deadline_is_dropped(desk: ExchangeDesk) -> None:
    (view,) = admitted(desk, 1)

    async def work() -> None:
        gathering = Gathering(*view, 1.0)
        gathering.waiting.update([ALDER])
        gathering.give_up()
        assert reason_of(gathering, ALDER) == Reason.REASON_PROVIDER_TIMED_OUT
        gathering.put(ALDER, Refusal(Reason.REASON_CONSENT_REVOKED))
        assert reason_of(gathering, ALDER) == Reason.REASON_PROVIDER_TIMED_OUT

    run(work)


def test_one_providers_answer_is_never_taken_for_one_that_was_not_asked(desk: ExchangeDesk) -> None:
    (view,) = admitted(desk, 1)

    async def work() -> None:
        gathering = Gathering(*view, 1.0)
        gathering.waiting.update([ALDER])
        gathering.put("dorian-unasked", Refusal(Reason.REASON_INTERNAL))
        assert gathering.outcomes == {}

    run(work)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.REASON_PROVIDER_TIMED_OUT),
        (grpc.StatusCode.UNAVAILABLE, Reason.REASON_PROVIDER_UNREACHABLE),
        (grpc.StatusCode.CANCELLED, Reason.REASON_PROVIDER_UNREACHABLE),
        (grpc.StatusCode.INTERNAL, Reason.REASON_PROVIDER_ANSWER_INVALID),
        (grpc.StatusCode.PERMISSION_DENIED, Reason.REASON_PROVIDER_ANSWER_INVALID),
    ],
)
def test_a_failed_call_is_the_failure_of_its_provider_alone(
    desk: ExchangeDesk, code: grpc.StatusCode, reason: Reason.ValueType
) -> None:
    async def fail(_message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        raise rpc_error(code)

    desk.links.answers[CEDAR] = fail
    views = admitted(desk, 3)

    async def work() -> None:
        for gathering in await desk.dispatcher.ask(views, LONG):
            assert reason_of(gathering, CEDAR) == reason
            assert isinstance(gathering.outcomes[ALDER], Answered)

    run(work)


def test_calls_to_a_provider_that_stalls_do_not_pile_up(desk: ExchangeDesk) -> None:
    desk.links.answers[BIRCH] = stall
    views = admitted(desk, MAX_CALLS + 4)

    async def work() -> None:
        gathered = await asyncio.gather(*(desk.dispatcher.ask([view], 1.5) for view in views))
        reasons = [reason_of(gathering, BIRCH) for (gathering,) in gathered]
        assert reasons.count(Reason.REASON_PROVIDER_TIMED_OUT) == MAX_CALLS
        assert reasons.count(Reason.REASON_PROVIDER_UNREACHABLE) == 4
        await desk.dispatcher.close()  # until the calls that were out have run out of time
        desk.links.answers.clear()  # it comes back, and is asked again
        (later,) = await desk.dispatcher.ask(views[:1], LONG)
        assert isinstance(later.outcomes[BIRCH], Answered)

    run(work)
    assert len(desk.links.batches(BIRCH)) == MAX_CALLS + 1


def test_closing_waits_for_the_calls_that_are_out(desk: ExchangeDesk) -> None:
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def hold(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        asked.set()
        await let_go.wait()
        return await desk.links.honest(ALDER)(message)

    desk.links.answers[ALDER] = hold
    views = admitted(desk, 1)

    async def work() -> None:
        asking = asyncio.create_task(desk.dispatcher.ask(views, LONG))
        await asked.wait()
        closing = asyncio.create_task(desk.dispatcher.close())
        for _ in range(100):  # whatever is ready to run has run
            await asyncio.sleep(0)
        assert not closing.done()
        let_go.set()
        await closing
        (gathering,) = await asking
        assert isinstance(gathering.outcomes[ALDER], Answered)

    run(work)


def test_too_little_time_is_refused_before_anything_is_recorded(desk: ExchangeDesk) -> None:
    granted = desk.grant()
    with pytest.raises(Refusal) as failure:
        desk.ask(granted, seconds_left=0.1)
    assert failure.value.reason == Reason.REASON_DEADLINE_TOO_SHORT
    assert desk.entries() == []
    assert desk.dispatcher.in_flight == 0
