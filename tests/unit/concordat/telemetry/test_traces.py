"""One trace a view through client, exchange and providers, and nothing of the person in it."""

import asyncio
import json
from gzip import decompress as gunzip
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan

from concordat.refusal import Refusal
from concordat.settings import SettingsError
from concordat.telemetry import traces
from concordat.telemetry.exporting_spans import provider_for
from concordat.telemetry.label import OTHER
from concordat.telemetry.labels import method_name
from concordat.v1 import Reason
from tests.exchange_builders import ExchangeDesk
from tests.unit.concordat.telemetry.conftest import (
    STEPS,
    by_name,
    real_provider,
    require_nothing_told,
    trace_of,
)
from tests.unit.provider.conftest import SELF, Bench

PATH = "/concordat.v1.ViewService/RequestView"


def test_a_view_is_one_trace_and_says_nothing_of_the_person(
    desk: ExchangeDesk, bench: Bench, spans: InMemorySpanExporter
) -> None:
    granted = desk.grant()
    bench.put(granted.person, 713)
    desk.links.answers[SELF] = real_provider(desk, bench)
    request = desk.federation.view_request(granted)
    name = method_name(PATH)
    calling = traces.begin(name, traces.current(), method=name)
    assert calling is not None
    with traces.answering(PATH, dict(traces.carried_by(calling)), trusted=True):
        result = desk.ask(granted, request)
    calling.end()
    desk.verify(granted, request, result)
    found = spans.get_finished_spans()
    names = by_name(found)
    assert len({trace_of(each) for each in found}) == 1
    assert names.keys() == STEPS | {
        "answer",
        "ViewService/RequestView",
        "ProviderService/RequestScores",
    }
    (answered,) = names["answer"]
    asked = {each.context.span_id for each in names["ask"] if each.context}
    assert answered.parent
    assert answered.parent.span_id in asked
    require_nothing_told(found, granted.person.ref, granted.consent.consent_id, 713)


def test_views_that_travel_in_one_message_each_keep_their_own_trace(
    desk: ExchangeDesk, bench: Bench, spans: InMemorySpanExporter
) -> None:
    granted = [desk.grant(), desk.grant()]
    desk.links.answers[SELF] = real_provider(desk, bench)
    desk.dispatcher.in_flight = 10  # busy: what comes soon after travels along

    async def ask(nth: int) -> Any:
        with traces.answering(PATH, {}, trusted=True):
            return await desk.answer([desk.federation.ask(granted[nth])])

    async def both() -> Any:
        return await asyncio.gather(ask(0), ask(1))

    asyncio.run(both())
    names = by_name(spans.get_finished_spans())
    assert desk.links.batches(SELF) == [2]
    views = {trace_of(each) for each in names["ViewService/RequestView"]}
    assert len(views) == 2
    assert {trace_of(each) for each in names["answer"]} == views


def test_a_refusal_is_told_by_its_reason_and_never_by_its_detail(
    spans: InMemorySpanExporter,
) -> None:
    with pytest.raises(Refusal), traces.span("admission"):
        raise Refusal(Reason.REASON_CONSENT_REVOKED, "the subject 0f0f")
    (found,) = spans.get_finished_spans()
    assert dict(found.attributes or {}) == {"concordat.reason": "CONSENT_REVOKED"}
    assert "0f0f" not in found.to_json()
    assert not found.status.is_ok


def test_who_calls_on_the_public_port_chooses_no_trace(spans: InMemorySpanExporter) -> None:
    theirs = {traces.TRACEPARENT: f"00-{'ab' * 16}-{'cd' * 8}-01"}
    with traces.answering(PATH, theirs, trusted=False):
        pass
    with traces.answering(PATH, theirs, trusted=True):
        pass
    public, member = spans.get_finished_spans()
    assert trace_of(public) != int("ab" * 16, 16)
    assert public.parent is None
    assert trace_of(member) == int("ab" * 16, 16)


@pytest.mark.parametrize(
    "text", ["", "00-zz", f"00-{'ab' * 16}-{'cd' * 8}-01-{'e' * 9000}", "é" * 55, b"00"]
)
def test_what_is_no_traceparent_begins_a_trace_anew(
    spans: InMemorySpanExporter, text: object
) -> None:
    with traces.answering(PATH, {traces.TRACEPARENT: text}, trusted=True):
        pass
    (found,) = spans.get_finished_spans()
    assert found.parent is None


def test_a_message_tells_at_most_as_many_traces_as_metadata_holds(
    spans: InMemorySpanExporter,
) -> None:
    made = [traces.begin("ask", None) for _ in range(128)]
    told = traces.carried_for_each(made)
    assert sum(len(key) + len(value) for key, value in told) < 4096
    with traces.answering_each(dict(told), "answer", 128) as answers:
        assert len(answers) == traces.MOST_TRACED


def test_where_few_views_are_sampled_the_last_of_a_message_is_told_too(
    spans: InMemorySpanExporter,
) -> None:
    left_out = NonRecordingSpan(INVALID_SPAN_CONTEXT)
    made = [traces.begin("ask", None) if place % 2 else left_out for place in range(128)]
    told = traces.carried_for_each(made)
    assert sum(len(key) + len(value) for key, value in told) < 4096
    with traces.answering_each(dict(told), "answer", 128) as answers:
        assert [answer is not None for answer in answers] == [False, True] * 64


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"concordat.provider": "alder-bank"}, {"concordat.provider": "alder-bank"}),
        ({"concordat.provider": "0f" * 32}, {"concordat.provider": OTHER}),
        ({"concordat.provider": "ref-" + "0f" * 16}, {"concordat.provider": OTHER}),
        ({"concordat.provider": "Ada Lovelace"}, {"concordat.provider": OTHER}),
        ({"concordat.provider": b"alder-bank"}, {}),
        ({"concordat.views": True}, {}),
        ({"concordat.score": 700}, {}),
        ({"subject_ref": "alder-bank"}, {}),
    ],
)
def test_a_span_tells_only_what_is_on_the_list(given: dict[str, object], told: object) -> None:
    assert traces.allowed(given) == told


def test_off_a_span_is_nothing_and_nothing_is_sent() -> None:
    assert traces.span("a") is traces.span("b")
    assert not traces.tracing()
    assert traces.carried_by(traces.begin("a", traces.current())) == []
    assert traces.carried_for_each([None, None]) == []
    with traces.span("a") as made:
        assert made is None


@pytest.mark.parametrize("kind", ["", "none", "  "])
def test_without_the_variable_nothing_is_traced(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", kind)
    traces.configure_traces("concordat-test")
    assert not traces.tracing()


def test_an_exporter_that_there_is_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(SettingsError, match="otlp, console or none"):
        traces.configure_traces("concordat-test")


def test_on_the_console_each_span_is_a_line_apart_from_what_the_program_prints(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "alder-bank")
    provider = provider_for("concordat-provider", "console")
    traces.use(provider)
    with traces.span("answer"):
        pass
    traces.use(None)
    provider.shutdown()
    told = capfd.readouterr()
    (line,) = told.err.splitlines()
    assert json.loads(line)["resource"]["attributes"]["service.name"] == "alder-bank"
    assert told.out == ""


class Collector(BaseHTTPRequestHandler):
    """Takes what is exported."""

    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.taken.append((self.path, self.rfile.read(length)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


def test_spans_go_to_the_collector_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        server = Thread(target=collector.serve_forever, args=(0.05,))
        server.start()
        address = f"http://127.0.0.1:{collector.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        provider = provider_for("concordat-provider", "otlp")
        traces.use(provider)
        with traces.span("log wait"):
            pass
        traces.use(None)
        provider.shutdown()
        collector.shutdown()
        server.join()
    ((path, body),) = Collector.taken
    assert path == "/v1/traces"
    assert b"log wait" in (gunzip(body) if body[:2] == b"\x1f\x8b" else body)
