"""The main flow: admit, record, log, gather, pool, sign, release (docs/ARCHITECTURE.md).

Read this page first. Each step refuses by raising ``Refusal``; nothing is released before its access entry
is in a signed checkpoint of the log, and nothing is stored about a score.
"""

from __future__ import annotations

import asyncio
from time import monotonic as _monotonic
from typing import TYPE_CHECKING, TypeVar

import structlog

from concordat import v1
from concordat.federation.purposes import require_releases_score
from concordat.refusal import Refusal
from concordat.rpc.deadline import MARGIN_SECONDS, next_hop_seconds
from concordat.statements import digest_of, seal_batch
from concordat.v1 import Reason
from concordat.verify.consent import (
    open_binding,
    open_consent,
    require_consent_covers,
    require_consent_in_force,
)
from concordat.verify.request import open_view_request
from exchange.views.admit import Admitted, Checked, Rejected, admit_many, reject_many
from exchange.views.compose import (
    compose_view,
    released_categories,
    statements_to_release,
)
from exchange.views.release import Release, release_many

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence
    from datetime import datetime

    from concordat.clock import Clock
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer
    from exchange.log.book import LogBook
    from exchange.views.dispatch import Dispatcher, Gathering

T = TypeVar("T")

_log = structlog.get_logger("concordat.views")

# The longest that providers are waited for, whatever the lender's deadline.
PROVIDER_SECONDS = 5.0


class ViewDesk:
    """Answers view requests, one or many at a time."""

    def __init__(
        self,
        directory: MemberDirectory,
        store: GroupCommit,
        book: LogBook,
        dispatcher: Dispatcher,
        signer: Signer,
        clock: Clock,
        provider_seconds: float = PROVIDER_SECONDS,
    ) -> None:
        """Check against ``directory``, record in ``store``, log in ``book``, ask through ``dispatcher``."""
        self._directory = directory
        self._store = store
        self._book = book
        self._dispatcher = dispatcher
        self._signer = signer
        self._clock = clock
        self._provider_seconds = provider_seconds

    async def answer(
        self,
        asks: Sequence[v1.RequestViewRequest],
        caller: Member,
        at: datetime,
        seconds_left: float,
    ) -> list[v1.RequestViewResponse | Refusal]:
        """Answer each ask by itself, in order; one that is refused refuses no other.

        Raises ``Refusal`` where nothing may be released to anybody, because the log is not in order.
        """
        self._dispatcher.in_flight += len(asks)
        try:
            self._book.require_open(at)
            budget = next_hop_seconds(seconds_left)
            ends = _monotonic() + seconds_left
            checked = [self._check(ask, caller, at) for ask in asks]
            recorded = await self._record(checked)
            logged = await self._logged(recorded, budget)
            gathered = await self._gather(logged, ends - _monotonic())
            released = iter(await self._release(gathered, ends - _monotonic()))
            return [result if isinstance(result, Refusal) else next(released) for result in logged]
        finally:
            self._dispatcher.in_flight -= len(asks)

    def _check(
        self, ask: v1.RequestViewRequest, lender: Member, at: datetime
    ) -> Checked | Rejected | Refusal:
        """Admit: verify every envelope, and that the request stays within the consent."""
        anchors = self._directory.anchors
        try:
            request = open_view_request(ask.request, lender, anchors, at)
        except Refusal as refusal:
            return refusal  # whom it is about is not proved
        consent_id = b""
        try:
            binding = open_binding(ask.binding, anchors, at)
            consent = open_consent(ask.consent, binding, anchors, at)
            consent_id = consent.message.consent_id
            require_consent_covers(consent, request.message)
            require_releases_score(consent.message)
            require_consent_in_force(consent.message, at)
        except Refusal as refusal:
            return Rejected(request, consent_id, refusal, at)
        return Checked(ask, request, consent, binding, lender.licence_digest, at)

    async def _record(
        self, checked: Sequence[Checked | Rejected | Refusal]
    ) -> list[Admitted | Refusal]:
        """Record: an access entry for each, durable before anything else happens (R24)."""
        return await asyncio.gather(*(self._record_one(item) for item in checked))

    async def _record_one(self, item: Checked | Rejected | Refusal) -> Admitted | Refusal:
        match item:
            case Checked():
                return await _caught(self._store.arun_in(admit_many, item))
            case Rejected():
                return await _caught(self._store.arun_in(reject_many, item))
            case _:
                return item

    async def _logged(
        self, recorded: Sequence[Admitted | Refusal], seconds: float
    ) -> list[tuple[Admitted, v1.LogReceipt] | Refusal]:
        """Log: each access is in a signed checkpoint before a provider hears of it, and proves it to them."""
        admitted = [result for result in recorded if isinstance(result, Admitted)]
        keys = [(each.checked.subject_ref, each.access_id) for each in admitted]
        receipts = iter(await self._book.receipts(keys, seconds))
        return [_with_receipt(result, receipts) for result in recorded]

    async def _gather(
        self, logged: Sequence[tuple[Admitted, v1.LogReceipt] | Refusal], seconds_left: float
    ) -> list[Gathering]:
        """Gather: every provider that a consent names, at once."""
        asked = [result for result in logged if not isinstance(result, Refusal)]
        if not asked:
            return []
        budget = next_hop_seconds(seconds_left, self._provider_seconds)
        return await self._dispatcher.ask(asked, budget)

    async def _release(
        self, gathered: Sequence[Gathering], seconds_left: float
    ) -> list[v1.RequestViewResponse | Refusal]:
        """Pool and sign, record and log what goes out, and only then let it go."""
        if not gathered:
            return []
        at = self._clock.now()
        exchange = self._directory.require(self._directory.anchors.bundle.exchange_id, at)
        views = [compose_view(gathering, exchange, at) for gathering in gathered]
        envelopes = seal_batch(views, self._signer)
        releases = [
            Release(view, digest_of(envelope), released_categories(gathering))
            for view, envelope, gathering in zip(views, envelopes, gathered, strict=True)
        ]
        recorded = await asyncio.gather(
            *(_caught(self._store.arun_in(release_many, each)) for each in releases)
        )
        keys = [
            (each.view.subject_ref, record_id)
            for each, record_id in zip(releases, recorded, strict=True)
            if not isinstance(record_id, Refusal)
        ]
        receipts = iter(await self._book.receipts(keys, seconds_left - MARGIN_SECONDS))
        answers: list[v1.RequestViewResponse | Refusal] = []
        for gathering, envelope, record_id in zip(gathered, envelopes, recorded, strict=True):
            receipt = record_id if isinstance(record_id, Refusal) else next(receipts)
            if isinstance(receipt, Refusal):
                answers.append(receipt)
                continue
            answers.append(
                v1.RequestViewResponse(
                    view=envelope,
                    consent_status=gathering.status,
                    statements=statements_to_release(gathering),
                    intent=gathering.intent,
                    release=receipt,
                )
            )
        return answers


def _with_receipt(
    result: Admitted | Refusal, receipts: Iterator[v1.LogReceipt | Refusal]
) -> tuple[Admitted, v1.LogReceipt] | Refusal:
    if isinstance(result, Refusal):
        return result
    receipt = next(receipts)
    return receipt if isinstance(receipt, Refusal) else (result, receipt)


async def _caught(recording: Awaitable[T]) -> T | Refusal:
    """Return what was recorded, or why not; what failed inside becomes a refusal that says nothing more."""
    try:
        return await recording
    except Refusal as refusal:
        return refusal
    except Exception as error:  # noqa: BLE001 - logged, and an answer like any other
        _log.error("recording_failed", exc_info=error)
        return Refusal(Reason.REASON_INTERNAL)
