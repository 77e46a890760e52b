"""Traces of views that travel in a stream: each has one of its own, as if it had been asked for alone.

A stream's metadata goes out once, before anybody knows what it will carry, and a stream lasts as long as its
caller likes. So the caller's end is one span, and each view's trace begins where it is answered, with a link to
that span. What is done for a whole message at once is told in the trace of each of its views.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind

from concordat.telemetry import traces
from concordat.telemetry.labels import method_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.trace import Span

_NOTHING: AbstractContextManager[None] = nullcontext()


@contextmanager
def calling(path: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """Make one span of a stream that goes out, and return the metadata that names it to whoever is called."""
    name = method_name(path)
    made = traces.begin(name, traces.current(), method=name)
    try:
        yield tuple(traces.carried_by(made))
    finally:
        if made is not None:
            made.end()


def links_to_caller(metadata: Callable[[], Mapping[str, Any]]) -> list[Link]:
    """Return the link to a member's end of a stream, if it tells of one; off, its metadata is not read."""
    if not traces.tracing():
        return []
    caller = traces.context_of(metadata().get(traces.TRACEPARENT))
    return [] if caller is None else [Link(trace.get_current_span(caller).get_span_context())]


def answering_views(
    name: str, count: int, links: Sequence[Link]
) -> AbstractContextManager[list[Span] | None]:
    """Begin a trace for each of ``count`` views of a message; None while nothing is traced."""
    return _answering_views(name, count, links) if traces.tracing() else _NOTHING


@contextmanager
def _answering_views(name: str, count: int, links: Sequence[Link]) -> Iterator[list[Span]]:
    begun = (
        traces.begin(name, traces.no_context(), SpanKind.SERVER, links, method=name)
        for _ in range(count)
    )
    with _ending(list(filter(None, begun))) as views:
        yield views


def step(
    name: str, of: Sequence[Span] | None, **attributes: str | int
) -> AbstractContextManager[list[Span] | None]:
    """Return a block that is a span beneath each of ``of``, by place; of the current trace where that is None."""
    if not traces.tracing():
        return _NOTHING
    if of is None:
        return _step_of_one(name, attributes)
    return _step_of_each(name, of, attributes)


@contextmanager
def _step_of_one(name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
    with traces.span(name, SpanKind.INTERNAL, None, **attributes):
        yield


@contextmanager
def _step_of_each(
    name: str, views: Sequence[Span], attributes: Mapping[str, str | int]
) -> Iterator[list[Span]]:
    with _ending([_child(name, view, attributes) for view in views]) as made:
        yield made


def _child(name: str, view: Span, attributes: Mapping[str, str | int]) -> Span:
    """Begin a step of a view; of one that is not sampled it is the view itself, which takes no time."""
    if not view.is_recording():
        return view
    return traces.begin(name, traces.inside(view), SpanKind.INTERNAL, (), **attributes) or view


@contextmanager
def _ending(made: list[Span]) -> Iterator[list[Span]]:
    """End spans together; what breaks off the block is told of each, by its reason."""
    try:
        yield made
    except BaseException as error:
        for each in made:
            traces.failed(each, error)
        raise
    finally:
        for each in made:
            each.end()
