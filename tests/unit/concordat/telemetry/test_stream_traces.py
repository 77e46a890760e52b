"""Each view of a stream, and a person's own view, is one trace; nobody is told of who the person is."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import datetime
from typing import Any, NoReturn

import grpc
import grpc.aio
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanContext, SpanKind

from clients.sdk.aio_stream import AioStream
from clients.sdk.outbox import Outbox, answers
from clients.sdk.streaming import METHOD, SentMessage
from concordat import v1
from concordat.refusal import Refusal
from concordat.telemetry import streams, traces
from concordat.v1 import Reason
from tests.builders import LENDER, Granted
from tests.exchange_builders import ExchangeDesk
from tests.exchange_services import ExchangeServices
from tests.own_view_builders import own_request
from tests.unit.concordat.telemetry.conftest import (
    STEPS,
    Received,
    by_name,
    real_own_provider,
    real_provider,
    require_nothing_told,
    trace_of,
)
from tests.unit.provider.conftest import SELF, Bench

VIEWS = "ViewService/RequestViews"
OWN_VIEW = "/concordat.v1.SubjectService/RequestOwnView"


def stream(
    desk: ExchangeDesk, *messages: Sequence[v1.RequestViewRequest], metadata: dict[str, str]
) -> list[v1.RequestViewsResponse]:
    """Send messages in one stream, whose metadata says where it comes from; return the answers."""
    services = ExchangeServices(desk)

    async def sent() -> AsyncIterator[v1.RequestViewsRequest]:
        for asks in messages:
            yield v1.RequestViewsRequest(asks=asks)

    async def answered() -> list[v1.RequestViewsResponse]:
        await desk.refresh_listings()
        services.let_in(LENDER)
        context: Any = Received(metadata)
        return [each async for each in services.views.RequestViews(sent(), context)]

    return asyncio.run(answered())


def asks_of(desk: ExchangeDesk, granted: Sequence[Granted]) -> list[v1.RequestViewRequest]:
    return [desk.federation.ask(each) for each in granted]


def traces_in(found: Sequence[ReadableSpan]) -> dict[int, list[ReadableSpan]]:
    each: dict[int, list[ReadableSpan]] = {}
    for one in found:
        each.setdefault(trace_of(one), []).append(one)
    return each


def test_each_view_of_a_stream_is_a_trace_of_its_own_that_leads_to_the_lenders_stream(
    desk: ExchangeDesk, bench: Bench, spans: InMemorySpanExporter
) -> None:
    granted = [desk.grant() for _ in range(3)]
    bench.put(granted[0].person, 713)
    desk.links.answers[SELF] = real_provider(desk, bench)
    first, second, third = asks_of(desk, granted)
    with streams.calling(METHOD) as metadata:
        results = stream(desk, [first, second], [third], metadata=dict(metadata))
    assert [len(each.results) for each in results] == [2, 1]
    found = spans.get_finished_spans()
    (calling,) = [each for each in found if each.kind is SpanKind.CLIENT and each.name == VIEWS]
    views = traces_in([each for each in found if each.name == VIEWS and each is not calling])
    assert len(views) == 3
    for (root,) in views.values():
        whole = traces_in(found)[trace_of(root)]
        assert {each.name for each in whole} >= STEPS | {"answer", VIEWS}
        assert root.parent is None
        assert [span_of(link.context) for link in root.links] == [span_of(calling.context)]
    require_parents(found)
    require_nothing_told(found, granted[0].person.ref, granted[0].consent.consent_id, 713)


def span_of(context: SpanContext | None) -> tuple[int, int]:
    assert context is not None
    return context.trace_id, context.span_id


def require_parents(found: Sequence[ReadableSpan]) -> None:
    """Require that a view's questions are beneath its own asking, and the answer beneath its question."""
    names = by_name(found)
    ids = {
        name: {each.context.span_id for each in names[name] if each.context}
        for name in ("ask providers", "ask")
    }
    for each in names["ask"]:
        assert each.parent
        assert each.parent.span_id in ids["ask providers"]
    for each in names["answer"]:
        assert each.parent
        assert each.parent.span_id in ids["ask"]


def test_of_a_stream_only_the_view_that_is_refused_tells_a_reason_and_asks_nobody(
    desk: ExchangeDesk, spans: InMemorySpanExporter
) -> None:
    unknown = desk.federation.consent(desk.federation.subject())
    stream(desk, asks_of(desk, [unknown, desk.grant()]), metadata={})
    names = by_name(spans.get_finished_spans())
    refused, answered = names[VIEWS]
    assert dict(refused.attributes or {})["concordat.reason"] == "CONSENT_UNKNOWN"
    assert "concordat.reason" not in (answered.attributes or {})
    assert {trace_of(each) for each in names["ask"]} == {trace_of(answered)}
    assert {trace_of(each) for each in names["pool"]} == {trace_of(answered)}


def test_where_a_whole_message_fails_each_of_its_views_tells_why(
    desk: ExchangeDesk, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_at: datetime) -> NoReturn:
        raise Refusal(Reason.REASON_LOG_UNAVAILABLE, "the subject 0f0f")

    monkeypatch.setattr(desk.book, "require_open", closed)
    with pytest.raises(Refusal):
        stream(desk, asks_of(desk, [desk.grant(), desk.grant()]), metadata={})
    found = spans.get_finished_spans()
    assert [each.name for each in found] == [VIEWS, VIEWS]
    assert [dict(each.attributes or {})["concordat.reason"] for each in found] == [
        "LOG_UNAVAILABLE"
    ] * 2
    assert not any("0f0f" in each.to_json() for each in found)


@pytest.fixture
def unsampled() -> Iterator[InMemorySpanExporter]:
    kept, provider = InMemorySpanExporter(), TracerProvider(sampler=ALWAYS_OFF)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    traces.use(provider)
    yield kept
    traces.use(None)


def test_views_that_are_not_sampled_leave_nothing_and_tell_providers_nothing(
    desk: ExchangeDesk, unsampled: InMemorySpanExporter
) -> None:
    (answer,) = stream(desk, asks_of(desk, [desk.grant(), desk.grant()]), metadata={})
    assert all(each.HasField("view") for each in answer.results)
    assert desk.links.metadata[SELF] == {}
    assert unsampled.get_finished_spans() == ()


def test_off_a_stream_is_read_and_told_nothing_and_its_steps_are_one_object() -> None:
    def unread() -> NoReturn:
        raise AssertionError("metadata is read only where calls are traced")

    assert streams.links_to_caller(unread) == []
    assert streams.step("pool", None) is streams.step("admission", None, views=2)
    with streams.calling(METHOD) as told, streams.answering_views(VIEWS, 2, []) as views:
        assert (told, views) == ((), None)


def look(desk: ExchangeDesk, request: v1.RequestOwnViewRequest) -> v1.RequestOwnViewResponse:
    """Have a person look at its own score, as the public port lets it in."""
    services = ExchangeServices(desk)
    theirs = {traces.TRACEPARENT: f"00-{'ab' * 16}-{'cd' * 8}-01"}
    with traces.answering(OWN_VIEW, theirs, trusted=False):
        return services.call(services.subjects.RequestOwnView, request)


def test_a_persons_own_view_is_one_trace_and_says_nothing_of_the_person(
    desk: ExchangeDesk, bench: Bench, spans: InMemorySpanExporter
) -> None:
    person = desk.federation.subject()
    bench.put(person, 713)
    desk.links.own_answers[SELF] = real_own_provider(desk, bench)
    request = own_request(desk.federation, person)
    look(desk, v1.RequestOwnViewRequest(request=request, binding=person.binding))
    found = spans.get_finished_spans()
    names = by_name(found)
    (trace_id,) = {trace_of(each) for each in found}
    assert trace_id != int("ab" * 16, 16)
    called = {"SubjectService/RequestOwnView", "ProviderService/RequestOwnScores"}
    assert names.keys() == STEPS | {"answer"} | called
    (asked,) = names["ProviderService/RequestOwnScores"]
    assert asked.parent
    assert asked.parent.span_id in {each.context.span_id for each in names["ask"] if each.context}
    request_id = v1.OwnViewRequest.FromString(request.payload).request_id
    require_nothing_told(found, person.ref, request_id, 713)


def test_what_a_person_writes_in_a_providers_place_is_in_no_span(
    desk: ExchangeDesk, spans: InMemorySpanExporter
) -> None:
    person = desk.federation.subject()
    request = own_request(desk.federation, person, providers=["ada-lovelace", SELF])
    look(desk, v1.RequestOwnViewRequest(request=request, binding=person.binding))
    found = spans.get_finished_spans()
    assert len(by_name(found)["ask"]) == 1
    assert not any("lovelace" in each.to_json() for each in found)


class Heard(grpc.GenericRpcHandler):
    """Answers every message of a stream, and keeps what its metadata told of its trace."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        told = dict(details.invocation_metadata or ())
        self.told.append(str(told.get(traces.TRACEPARENT, "")))
        return grpc.stream_stream_rpc_method_handler(
            lambda messages, _context: (b"" for _ in messages)
        )


@pytest.fixture
def heard() -> Iterator[tuple[Heard, str]]:
    handler, server = Heard(), grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, f"127.0.0.1:{port}"
    server.stop(None).wait()


def prepare(_batch: int) -> SentMessage:
    return SentMessage([], v1.RequestViewsRequest())


def stream_sync(endpoint: str) -> int:
    with grpc.insecure_channel(endpoint) as channel:
        out = Outbox(iter(range(3)), prepare, 2)
        return len(list(answers(channel, METHOD, v1.RequestViewsResponse, out, 5.0)))


async def stream_aio(endpoint: str) -> int:
    async with grpc.aio.insecure_channel(endpoint) as channel:
        made = AioStream(iter(range(3)), prepare, 2)
        async with aclosing(made.answers(channel, METHOD, v1.RequestViewsResponse, 5.0)) as got:
            return len([each async for each in got])


@pytest.mark.parametrize("asyncio_too", [False, True])
def test_a_lenders_end_of_a_stream_is_one_span_that_the_exchange_is_told(
    heard: tuple[Heard, str], spans: InMemorySpanExporter, *, asyncio_too: bool
) -> None:
    handler, endpoint = heard
    assert (asyncio.run(stream_aio(endpoint)) if asyncio_too else stream_sync(endpoint)) == 3
    (found,) = spans.get_finished_spans()
    assert (found.name, found.kind) == (VIEWS, SpanKind.CLIENT)
    (told,) = handler.told
    (link,) = streams.links_to_caller(lambda: {traces.TRACEPARENT: told})
    assert span_of(link.context) == span_of(found.context)


def test_off_a_lenders_stream_tells_nothing(heard: tuple[Heard, str]) -> None:
    handler, endpoint = heard
    assert stream_sync(endpoint) == 3
    assert handler.told == [""]
