"""Spans in memory, an exchange's desk, and a provider that answers it by its own servicer."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from concordat import v1
from concordat.rpc.admission import CURRENT_CALL, Call
from concordat.store.engine import migrate, open_engine
from concordat.store.group_commit import GroupCommit
from concordat.telemetry import traces
from provider.migrations import SCRIPTS
from provider.own_answering import OwnDesk
from provider.servicer import ProviderServicer
from tests.builders import EXCHANGE
from tests.exchange_builders import Answers, ExchangeDesk, OwnAnswer
from tests.unit.provider.conftest import SELF, Bench, make_bench

STEPS = {"admission", "record", "log wait", "ask providers", "ask", "pool", "release"}
SCORES = "/concordat.v1.ProviderService/RequestScores"
OWN_SCORES = "/concordat.v1.ProviderService/RequestOwnScores"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    traces.use(provider)
    yield kept
    traces.use(None)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk()
    yield desk
    desk.close()


@pytest.fixture
def bench(desk: ExchangeDesk, tmp_path: Path) -> Iterator[Bench]:
    engine = open_engine(f"sqlite:///{tmp_path}/provider.db")
    migrate(engine, SCRIPTS)
    store = GroupCommit(engine)
    yield make_bench(desk.federation, store)
    store.close()
    engine.dispose()


class Received:
    """A call's context at the provider, with the metadata that the exchange sent."""

    def __init__(self, metadata: dict[str, str]) -> None:
        self._metadata = metadata

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        return list(self._metadata.items())


def real_provider(desk: ExchangeDesk, bench: Bench) -> Answers:
    """Return answers by a provider's own servicer, as its server calls it."""
    own = OwnDesk(bench.desk.stating, bench.store)
    servicer = ProviderServicer(bench.desk, own, EXCHANGE, lambda: None)
    exchange = desk.federation.member(EXCHANGE)

    async def answer(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        metadata = desk.links.metadata[SELF]
        call = Call("RequestScores", "request-id", desk.federation.at, exchange, 5.0)
        CURRENT_CALL.set(call)
        with traces.answering(SCORES, metadata, trusted=True):
            context: Any = Received(metadata)
            return servicer.RequestScores(message, context).results

    return answer


def real_own_provider(desk: ExchangeDesk, bench: Bench) -> OwnAnswer:
    """Return the answer by a provider's own servicer to a person who asks itself."""
    own = OwnDesk(bench.desk.stating, bench.store)
    servicer = ProviderServicer(bench.desk, own, EXCHANGE, lambda: None)
    exchange = desk.federation.member(EXCHANGE)

    async def answer(message: v1.RequestOwnScoresRequest) -> v1.ScoreResult:
        metadata = desk.links.own_metadata[SELF]
        call = Call("RequestOwnScores", "request-id", desk.federation.at, exchange, 5.0)
        CURRENT_CALL.set(call)
        with traces.answering(OWN_SCORES, metadata, trusted=True):
            context: Any = Received(metadata)
            return servicer.RequestOwnScores(message, context).result

    return answer


def by_name(found: Sequence[ReadableSpan]) -> dict[str, list[ReadableSpan]]:
    names: dict[str, list[ReadableSpan]] = {}
    for each in found:
        names.setdefault(each.name, []).append(each)
    return names


def trace_of(each: ReadableSpan) -> int:
    assert each.context is not None
    return int(each.context.trace_id)


def require_nothing_told(
    found: Sequence[ReadableSpan], subject_ref: bytes, consent_id: bytes, score: int
) -> None:
    for each in found:
        attributes = dict(each.attributes or {})
        assert attributes.keys() <= traces.ATTRIBUTES.keys()
        assert score not in attributes.values()
        text = each.to_json()
        for secret in (subject_ref, consent_id):
            assert secret.hex() not in text
            assert str(secret) not in text
        assert str(each.events) == "()"
        assert each.status.description is None
