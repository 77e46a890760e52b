"""Where spans go: the SDK of OpenTelemetry, set up from its standard environment variables."""

from __future__ import annotations

import os
import sys

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from concordat.settings import SettingsError


def provider_for(process: str, kind: str) -> TracerProvider:
    """Return a provider that exports by ``kind``: `otlp` (HTTP), or `console` (JSON lines on standard error).

    The sampler, the batches and the endpoint are the SDK's to read from the environment. Raises
    ``SettingsError`` for another kind.
    """
    name = os.environ.get("OTEL_SERVICE_NAME") or process
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(_exporter(kind)))
    return provider  # ended by the SDK itself when the process ends, with what it still holds


def _exporter(kind: str) -> SpanExporter:
    match kind:
        case "console":
            return ConsoleSpanExporter(out=sys.stderr, formatter=_line)
        case "otlp":
            return _otlp()
        case _:
            raise SettingsError(
                f"OTEL_TRACES_EXPORTER is {kind!r}: it may be otlp, console or none"
            )


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"


def _otlp() -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise SettingsError(
            "OTEL_TRACES_EXPORTER is otlp: install concordat[otlp] for it"
        ) from error
    return OTLPSpanExporter()
