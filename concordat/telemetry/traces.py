"""Traces: off unless the environment says otherwise, and then without a word about any person.

    OTEL_TRACES_EXPORTER=otlp concordat-exchange serve --config exchange.toml

The standard variables of OpenTelemetry say where spans go and how many (``OTEL_TRACES_SAMPLER``). What a span
may tell is a closed list, ``ATTRIBUTES``; errors give their reason and never their text. Off, ``span`` returns
one and the same object that does nothing.
"""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from concordat.refusal import Refusal
from concordat.telemetry.label import OTHER
from concordat.telemetry.labels import REASONS, method_name, reason_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

TRACEPARENT = "traceparent"
EACH_TRACEPARENT = "x-concordat-traceparents"
"""Of a message that carries the requests of several views: the trace of each, by place."""
MOST_TRACED = 64
"""Requests of one message whose traces are told: 55 bytes each, and metadata has its bounds."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,63}")
_LONG_HEX = re.compile(r"[0-9a-fA-F]{16}")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

ATTRIBUTES = {
    "rpc.system": str,
    "rpc.method": str,
    "concordat.reason": str,
    "concordat.provider": str,
    "concordat.outcome": str,
    "concordat.views": int,
}
"""All that a span may tell, and of what type it is."""

_NOTHING: AbstractContextManager[None] = nullcontext()
_propagator = TraceContextTextMapPropagator()
_tracer: trace.Tracer | None = None


def configure_traces(process: str) -> None:
    """Begin to trace as the environment says; with no ``OTEL_TRACES_EXPORTER``, or `none`, nothing begins.

    Raises ``SettingsError`` for an exporter that is not there.
    """
    kind = os.environ.get("OTEL_TRACES_EXPORTER", "none").strip() or "none"
    if kind == "none" or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    # Imported when needed: most processes trace nothing.
    from concordat.telemetry import exporting_spans  # noqa: PLC0415

    use(exporting_spans.provider_for(process, kind))


def use(provider: TracerProvider | None) -> None:
    """Trace with ``provider`` from now on; None ends it. For whoever has a provider of its own, and for tests."""
    global _tracer  # noqa: PLW0603 - as OpenTelemetry's own; one a process
    _tracer = None if provider is None else provider.get_tracer("concordat")


def tracing() -> bool:
    """Tell whether anything is traced."""
    return _tracer is not None


def allowed(attributes: Mapping[str, object]) -> dict[str, str | int]:
    """Return of ``attributes`` what may stand in a span; anything that looks like an id becomes ``other``."""
    told: dict[str, str | int] = {}
    for name, value in attributes.items():
        kind = ATTRIBUTES.get(name)
        if kind is int and type(value) is int:
            told[name] = value
        elif kind is str and isinstance(value, str):
            fit = _PLAIN.fullmatch(value) and not _LONG_HEX.search(value)
            told[name] = value if fit else OTHER
    return told


def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    **attributes: str | int,
) -> AbstractContextManager[Span | None]:
    """Return a block that is a span of the current trace (or of ``parent``'s).

    ``attributes`` are names of ``ATTRIBUTES`` without their prefix. A ``Refusal`` that leaves the block
    gives the span its reason; no error leaves its text.
    """
    return _NOTHING if _tracer is None else _span(_tracer, name, kind, parent, attributes)


@contextmanager
def _span(
    tracer: trace.Tracer,
    name: str,
    kind: SpanKind,
    parent: Context | None,
    attributes: Mapping[str, str | int],
) -> Iterator[Span]:
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=allowed(_full_names(attributes)),
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            failed(made, error)
            raise


def failed(made: Span | None, error: BaseException) -> None:
    """Mark a span as failed, with the reason of a ``Refusal``."""
    if made is None:
        return
    reason = reason_name(error.reason) if isinstance(error, Refusal) else "INTERNAL"
    made.set_attributes(allowed({"concordat.reason": reason if reason in REASONS else OTHER}))
    made.set_status(Status(StatusCode.ERROR))


def current_span() -> Span | None:
    """Return the span of the block that runs; None while nothing is traced."""
    return None if _tracer is None else trace.get_current_span()


def tell(made: Span | None, **attributes: str | int) -> None:
    """Give a span more attributes, as far as they are allowed."""
    if made is not None:
        made.set_attributes(allowed(_full_names(attributes)))


def _full_names(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    given = {f"concordat.{name}": value for name, value in attributes.items()}
    if "concordat.method" in given:
        given["rpc.method"] = given.pop("concordat.method")
        given["rpc.system"] = "grpc"
    return given


# A call's two ends ------------------------------------------------------------------------------------


def answering(
    path: str, metadata: Mapping[str, Any], *, trusted: bool
) -> AbstractContextManager[Span | None]:
    """Return the span of a call that came in; it joins the caller's trace where the caller is a member.

    On the public port anyone calls: there each call begins a trace of its own, so that nobody decides what is
    sampled, or ties a person's calls together.
    """
    if _tracer is None:
        return _NOTHING
    name = method_name(path)
    parent = context_of(metadata.get(TRACEPARENT)) if trusted else None
    return span(name, SpanKind.SERVER, parent=parent or no_context(), method=name)


def carried_by(made: Span | None) -> list[tuple[str, str]]:
    """Return the metadata by which the trace of a call's own span goes on at whoever is called."""
    parent = _parent_of(made)
    return [(TRACEPARENT, parent)] if parent else []


def carried_for_each(spans: Sequence[Span | None]) -> list[tuple[str, str]]:
    """Return the metadata of a message whose requests belong to several traces, by place.

    Of those that are sampled the first ``MOST_TRACED`` are told, wherever they stand.
    """
    parents = map(_parent_of, spans)
    told = dict(islice(((n, each) for n, each in enumerate(parents) if each), MOST_TRACED))
    if not told:
        return []
    each_place = (told.get(place, "") for place in range(max(told) + 1))
    return [(TRACEPARENT, told[min(told)]), (EACH_TRACEPARENT, ",".join(each_place))]


def begin(
    name: str,
    parent: Context | None,
    kind: SpanKind = SpanKind.CLIENT,
    links: Sequence[Link] = (),
    **attributes: str | int,
) -> Span | None:
    """Begin a span that somebody else ends, by ``end``; the current one does not change."""
    if _tracer is None:
        return None
    told = allowed(_full_names(attributes))
    return _tracer.start_span(name, context=parent, kind=kind, links=links, attributes=told)


def current() -> Context | None:
    """Return where a span that is begun later belongs."""
    if _tracer is None:
        return None
    return inside(trace.get_current_span())


def inside(made: Span) -> Context:
    """Return where the children of a span belong."""
    return trace.set_span_in_context(made)


@contextmanager
def answering_each(
    metadata: Mapping[str, Any], name: str, count: int
) -> Iterator[list[Span | None]]:
    """Make a span for each request of a message, in the trace of its own view; None where it has none."""
    parents = str(metadata.get(EACH_TRACEPARENT, "")).split(",")[:count]
    contexts = [context_of(text) for text in parents]
    made: list[Span | None] = []
    if _tracer is not None:
        here = trace.get_current_span().get_span_context()
        links = [Link(here)] if here.is_valid else []
        made = [
            _tracer.start_span(name, context=each, kind=SpanKind.SERVER, links=links)
            if each is not None
            else None
            for each in contexts
        ]
    try:
        yield made
    finally:
        for span_made in filter(None, made):
            span_made.end()


def _parent_of(made: Span | None) -> str:
    """Return a span as a traceparent; empty where it is not sampled."""
    if made is None or not made.get_span_context().trace_flags.sampled:
        return ""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, inside(made))
    return carrier.get(TRACEPARENT, "")


def context_of(text: object) -> Context | None:
    """Return the context that a traceparent names; None for what is none."""
    if not isinstance(text, str) or not _TRACE_PARENT.fullmatch(text):
        return None
    return _propagator.extract({TRACEPARENT: text}, context=no_context())


def no_context() -> Context:
    """Return where a span belongs that begins a trace of its own."""
    return trace.set_span_in_context(trace.INVALID_SPAN)
