"""Asking providers: requests that are in flight together travel together.

A message costs about 300 µs on each side whatever is in it, an item in it 5 to 10 (ADR 0005), so requests
to the same provider are coalesced: with no wait when the exchange is idle, and for a window of up to 10 ms
when it is not.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from concordat import v1
from concordat.refusal import Refusal, refusing_untrusted
from concordat.statements import seal_batch
from concordat.telemetry import traces
from concordat.trust.envelope import refuse_unknown_fields
from concordat.v1 import Reason
from concordat.verify.request import open_score_statement
from exchange.consents.status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from concordat.federation.anchors import Anchors
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.trust.envelope import Verified
    from concordat.trust.keys import Signer
    from concordat.verify.request import Asked
    from exchange.views.admit import Admitted
    from exchange.views.provider_link import ProviderLinks

_log = structlog.get_logger("concordat.dispatch")

WINDOW_SECONDS = 0.010
IDLE_BELOW = 3  # views in flight: fewer, and nobody else is worth waiting for
MAX_BATCH = 128


@dataclass(frozen=True, slots=True)
class Answered:
    """A provider's statement that verified."""

    provider: Member
    statement: Verified[v1.ScoreStatement]
    envelope: v1.Envelope


class ProviderRefused(Refusal):
    """The provider itself refused, for a reason of its own choice."""


Outcome = Answered | Refusal


@dataclass(slots=True)
class Gathering:
    """One view's answers as they come in."""

    admitted: Admitted
    intent: v1.LogReceipt  # that the access is in the log
    seconds: float
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    status: v1.Envelope | None = None
    waiting: set[str] = field(default_factory=set)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    sent_at: float = 0.0  # seconds, as ``monotonic`` counts
    waited: dict[str, timedelta] = field(default_factory=dict)  # for providers that answered
    trace: Context | None = None  # where the questions belong, if they are traced

    def put(self, provider: str, outcome: Outcome) -> None:
        """Take one provider's answer; what comes after the view has gone out is dropped."""
        if provider in self.waiting:
            self.waiting.discard(provider)
            self.outcomes[provider] = outcome
            if isinstance(outcome, Answered):
                self.waited[provider] = timedelta(seconds=monotonic() - self.sent_at)
            if not self.waiting:
                self.done.set()

    def give_up(self) -> None:
        """Count whoever has not answered by now as timed out."""
        for provider in list(self.waiting):
            self.put(provider, Refusal(Reason.REASON_PROVIDER_TIMED_OUT))


class Dispatcher:
    """Coalesces requests to providers."""

    def __init__(
        self,
        directory: MemberDirectory,
        links: ProviderLinks,
        signer: Signer,
        now: Callable[[], datetime],
        window: float = WINDOW_SECONDS,
    ) -> None:
        """Ask the providers of ``directory`` over ``links``; staple statuses signed by ``signer``."""
        self._directory = directory
        self._links = links
        self._signer = signer
        self._now = now
        self._window = window
        self._queue: list[Gathering] = []
        self._flush_at: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self.in_flight = 0  # views between arrival and release, kept by the desk

    async def ask(
        self,
        views: Sequence[tuple[Admitted, v1.LogReceipt]],
        seconds: float,
        spans: Sequence[Span] | None = None,
    ) -> list[Gathering]:
        """Ask every provider that each view's consent names; return when all have answered or time is up.

        The questions belong to ``spans``, by view, or to the current one.
        """
        here = traces.current()
        traced = [here] * len(views) if spans is None else [traces.inside(each) for each in spans]
        gatherings = [
            Gathering(admitted, intent, seconds, trace=where)
            for (admitted, intent), where in zip(views, traced, strict=True)
        ]
        self._queue.extend(gatherings)
        self._schedule()
        deadline = asyncio.get_running_loop().time() + seconds
        for gathering in gatherings:
            left = deadline - asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(max(left, 0)):
                    await gathering.done.wait()
            except TimeoutError:
                gathering.give_up()
        return gatherings

    def _schedule(self) -> None:
        if self.in_flight < IDLE_BELOW or len(self._queue) >= MAX_BATCH:
            self._flush()
        elif self._flush_at is None:
            loop = asyncio.get_running_loop()
            self._flush_at = loop.call_later(self._window, self._flush)

    def _flush(self) -> None:
        """Send what is queued, one message a provider (more only above the batch limit)."""
        if self._flush_at is not None:
            self._flush_at.cancel()
            self._flush_at = None
        queue, self._queue = self._queue, []
        for start in range(0, len(queue), MAX_BATCH):
            self._send(queue[start : start + MAX_BATCH])

    def _send(self, batch: list[Gathering]) -> None:
        now = self._now()
        statuses = seal_batch(
            [status_of(g.admitted.checked.consent, g.admitted.standing, now) for g in batch],
            self._signer,
        )
        by_provider: dict[str, list[Gathering]] = {}
        for gathering, status in zip(batch, statuses, strict=True):
            gathering.status = status
            gathering.sent_at = monotonic()
            providers = gathering.admitted.checked.consent.message.providers
            gathering.waiting.update(providers)
            for named in providers:
                by_provider.setdefault(named, []).append(gathering)
        for provider_id, gatherings in by_provider.items():
            try:
                provider = self._directory.require(provider_id, now, v1.Role.ROLE_PROVIDER)
            except Refusal as refusal:
                for gathering in gatherings:
                    gathering.put(provider_id, refusal)
            else:
                task = asyncio.create_task(self._call(provider, gatherings))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)

    async def _call(self, provider: Member, gatherings: list[Gathering]) -> None:
        """Ask one provider for a batch and hand out its answers; whatever goes wrong is its failure alone."""
        asks = [traces.begin("ask", g.trace, provider=provider.member_id) for g in gatherings]
        try:
            await self._ask(provider, gatherings, asks)
        finally:
            for ask in filter(None, asks):
                ask.end()

    async def _ask(
        self, provider: Member, gatherings: list[Gathering], asks: list[Span | None]
    ) -> None:
        message = v1.RequestScoresRequest(requests=[_score_request(g) for g in gatherings])
        try:
            results = await self._links.request_scores(
                provider,
                message,
                max(g.seconds for g in gatherings),
                traces.carried_for_each(asks),
            )
        except Exception as error:  # noqa: BLE001 - a defect beneath must not keep a view waiting
            refusal = error
            if not isinstance(refusal, Refusal):
                _log.error("provider_call_broke", provider=provider.member_id, exc_info=error)
                refusal = Refusal(Reason.REASON_PROVIDER_UNREACHABLE, type(error).__name__)
            for gathering, ask in zip(gatherings, asks, strict=True):
                traces.failed(ask, refusal)
                gathering.put(provider.member_id, refusal)
            return
        now, anchors = self._now(), self._directory.anchors
        for gathering, result, ask in zip(gatherings, results, asks, strict=True):
            request = gathering.admitted.checked.request
            outcome = read_result(provider, request, anchors, result, now)
            if isinstance(outcome, Refusal):
                traces.failed(ask, outcome)
            gathering.put(provider.member_id, outcome)

    async def close(self) -> None:
        """Wait for the calls that are out."""
        await asyncio.gather(*self._calls, return_exceptions=True)


def read_result(
    provider: Member, request: Asked, anchors: Anchors, result: v1.ScoreResult, now: datetime
) -> Outcome:
    """Return a provider's answer to one request if it counts, else why it does not."""
    if result.WhichOneof("result") == "refusal":
        return ProviderRefused(result.refusal.reason, f"{provider.member_id} refused")
    try:
        with refusing_untrusted():  # unsigned, it would travel on to who asked and spoil the bundle
            refuse_unknown_fields(result.statement)
        statement = open_score_statement(result.statement, provider, request, anchors, now)
    except Refusal as refusal:
        return Refusal(Reason.REASON_PROVIDER_ANSWER_INVALID, str(refusal))
    return Answered(provider, statement, result.statement)


def _score_request(gathering: Gathering) -> v1.ScoreRequest:
    ask = gathering.admitted.checked.ask
    return v1.ScoreRequest(
        view_request=ask.request,
        consent=ask.consent,
        binding=ask.binding,
        consent_status=gathering.status,
        intent=gathering.intent,
    )
