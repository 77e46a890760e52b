"""A person's look at its own score: verify, record, log, gather, pool, sign, release.

As ``exchange.views.request_view`` for lenders, and as strict: no provider is asked before the look is in a
signed checkpoint, nothing goes out before its release is, and no score is stored. What it lacks is what keeps
others out: consent, disclosure, freeze.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic as _monotonic
from typing import TYPE_CHECKING

import structlog
from opentelemetry.trace import SpanKind

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.deadline import MARGIN_SECONDS, next_hop_seconds
from concordat.statements import digest_of, seal
from concordat.telemetry import traces
from concordat.telemetry.traces import span
from concordat.v1 import Reason, Role
from concordat.verify.consent import open_binding, open_own_view_request
from exchange.log import records
from exchange.log import table as log
from exchange.subjects.own_compose import answers_of, compose_own_view
from exchange.subjects.own_looks import OwnAsk, let_in
from exchange.views.compose import Pooling
from exchange.views.dispatch import read_result
from exchange.views.request_view import PROVIDER_SECONDS, nobody_stale

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from opentelemetry.trace import Span

    from concordat.clock import Clock
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer
    from exchange.log.book import LogBook
    from exchange.log.table import Key
    from exchange.subjects.own_looks import Look
    from exchange.views.dispatch import Outcome
    from exchange.views.provider_link import ProviderLinks

_log = structlog.get_logger("concordat.subjects")


@dataclass(frozen=True, slots=True)
class OwnViewDesk:
    """Answers people who ask for their own score: records in ``store``, logs in ``book``, asks over ``links``.

    ``per_day`` looks of one person are let in. ``stale`` names the providers whose scores have drifted since the
    fit of a calibration, by its version.
    """

    directory: MemberDirectory
    store: GroupCommit
    book: LogBook
    links: ProviderLinks
    signer: Signer
    clock: Clock
    per_day: int
    provider_seconds: float = PROVIDER_SECONDS
    stale: Callable[[int], frozenset[str]] = nobody_stale

    async def answer(
        self, envelopes: v1.RequestOwnViewRequest, at: datetime, seconds_left: float
    ) -> v1.RequestOwnViewResponse:
        """Answer one request. Raises ``Refusal``."""
        self.book.require_open(at)
        self.directory.calibration(at)  # with none in use nothing can be pooled: ask nobody
        budget = next_hop_seconds(seconds_left)
        ends = _monotonic() + seconds_left
        with span("admission", views=1):
            ask = self._verified(envelopes, at)
        with span("record"):
            look = await self.store.arun(lambda c: let_in(c, ask, self.per_day))
        with span("log wait"):
            intent = await self._receipt((ask.subject_ref, look.look_id), budget)
        with span("ask providers"):
            outcomes = await self._gather(ask, intent, ends - _monotonic())
        return await self._release(ask, look, intent, outcomes, ends - _monotonic())

    def _verified(self, envelopes: v1.RequestOwnViewRequest, at: datetime) -> OwnAsk:
        anchors = self.directory.anchors
        binding = open_binding(envelopes.binding, anchors, at)
        request = open_own_view_request(envelopes.request, binding, anchors, at)
        return OwnAsk(request, binding, envelopes, at)

    async def _receipt(self, key: Key, seconds: float) -> v1.LogReceipt:
        (receipt,) = await self.book.receipts([key], seconds)
        if isinstance(receipt, Refusal):
            raise receipt
        return receipt

    async def _gather(
        self, ask: OwnAsk, intent: v1.LogReceipt, seconds_left: float
    ) -> dict[str, Outcome]:
        """Ask every provider that the person named, at once; whatever goes wrong is its failure alone."""
        seconds = next_hop_seconds(seconds_left, self.provider_seconds)
        message = v1.RequestOwnScoresRequest(
            request=ask.envelopes.request, binding=ask.envelopes.binding, intent=intent
        )
        providers = list(ask.request.message.providers)
        outcomes = await asyncio.gather(
            *(self._ask(provider, ask, message, seconds) for provider in providers)
        )
        return dict(zip(providers, outcomes, strict=True))

    async def _ask(
        self, provider_id: str, ask: OwnAsk, message: v1.RequestOwnScoresRequest, seconds: float
    ) -> Outcome:
        try:
            provider = self.directory.require(provider_id, self.clock.now(), Role.ROLE_PROVIDER)
        except Refusal as refusal:
            return refusal
        # Only now: until it is found in the directory, a name is whatever the person wrote.
        with span("ask", SpanKind.CLIENT, provider=provider.member_id) as asking:
            outcome = await self._answer_of(provider, ask, message, seconds, asking)
            if isinstance(outcome, Refusal):
                traces.failed(asking, outcome)
        return outcome

    async def _answer_of(
        self,
        provider: Member,
        ask: OwnAsk,
        message: v1.RequestOwnScoresRequest,
        seconds: float,
        asking: Span | None,
    ) -> Outcome:
        carried = traces.carried_by(asking)
        try:
            async with asyncio.timeout(seconds):
                result = await self.links.request_own_scores(provider, message, seconds, carried)
        except TimeoutError:
            return Refusal(Reason.REASON_PROVIDER_TIMED_OUT)
        except Refusal as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - a defect beneath must not keep the others' answers back
            _log.error("provider_call_broke", provider=provider.member_id, exc_info=error)
            return Refusal(Reason.REASON_PROVIDER_UNREACHABLE, type(error).__name__)
        return read_result(provider, ask.request, self.directory.anchors, result, self.clock.now())

    async def _release(
        self,
        ask: OwnAsk,
        look: Look,
        intent: v1.LogReceipt,
        outcomes: dict[str, Outcome],
        seconds_left: float,
    ) -> v1.RequestOwnViewResponse:
        """Pool and sign, log what goes out, and only then let it go."""
        at = self.clock.now()
        calibration = self.directory.calibration(at)
        pooling = Pooling(calibration, self.stale(calibration.version))
        with span("pool"):
            view = compose_own_view(ask, look, outcomes, self._exchange(at), pooling, at)
            envelope = seal(view, self.signer)
        draft = records.own_view(view, digest_of(envelope))
        with span("release"):
            await self.store.arun(lambda c: log.enqueue(c, [draft]))
            key = (ask.subject_ref, draft.record_id)
            release = await self._receipt(key, seconds_left - MARGIN_SECONDS)
        answers = answers_of(ask.request.message, outcomes)
        return v1.RequestOwnViewResponse(
            view=envelope,
            statements=[answer.envelope for answer in answers],
            intent=intent,
            release=release,
        )

    def _exchange(self, at: datetime) -> Member:
        return self.directory.require(self.directory.anchors.bundle.exchange_id, at)
