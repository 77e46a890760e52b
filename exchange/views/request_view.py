"""The main flow: admit, record, gather, pool, sign, release (design.md section 5).

Read this page first. Each step refuses by raising ``Refusal``; nothing is released before its access entry
is durable, and nothing is stored about a score.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import structlog

from concordat import v1
from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.rpc.deadline import next_hop_seconds
from concordat.statements import digest_of, seal_batch
from concordat.v1 import Reason
from concordat.verify.consent import (
    open_binding,
    open_consent,
    require_consent_covers,
    require_consent_in_force,
)
from concordat.verify.request import open_view_request
from exchange.views import table
from exchange.views.admit import Admitted, Checked, Rejected, admit_many, reject_many
from exchange.views.compose import compose_view, statements_to_release

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.clock import Clock
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer
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
        dispatcher: Dispatcher,
        signer: Signer,
        clock: Clock,
        provider_seconds: float = PROVIDER_SECONDS,
    ) -> None:
        """Check against ``directory``, record in ``store``, ask through ``dispatcher``, sign with ``signer``."""
        self._directory = directory
        self._store = store
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
        """Answer each ask by itself, in order; one that is refused refuses no other."""
        self._dispatcher.in_flight += len(asks)
        try:
            budget = next_hop_seconds(seconds_left, self._provider_seconds)
            checked = [self._check(ask, caller, at) for ask in asks]
            admitted = await self._record(checked)
            gathered = iter(
                await self._dispatcher.ask(
                    [result for result in admitted if isinstance(result, Admitted)], budget
                )
            )
            released = iter(await self._release(list(gathered)))
            return [
                result if isinstance(result, Refusal) else next(released) for result in admitted
            ]
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

    async def _release(
        self, gathered: Sequence[Gathering]
    ) -> list[v1.RequestViewResponse | Refusal]:
        """Pool and sign, record what goes out, and only then let it go."""
        if not gathered:
            return []
        at = self._clock.now()
        exchange = self._directory.require(self._directory.anchors.bundle.exchange_id, at)
        views = [compose_view(gathering, exchange, at) for gathering in gathered]
        envelopes = seal_batch(views, self._signer)
        rows = [
            _release_row(view, envelope, at)
            for view, envelope in zip(views, envelopes, strict=True)
        ]
        recorded = await asyncio.gather(
            *(_caught(self._store.arun_in(_record_releases, row)) for row in rows)
        )
        return [
            failure
            or v1.RequestViewResponse(
                view=envelope,
                consent_status=gathering.status,
                statements=statements_to_release(gathering),
            )
            for gathering, envelope, failure in zip(gathered, envelopes, recorded, strict=True)
        ]


async def _caught(recording: Awaitable[T]) -> T | Refusal:
    """Return what was recorded, or why not; what failed inside becomes a refusal that says nothing more."""
    try:
        return await recording
    except Refusal as refusal:
        return refusal
    except Exception as error:  # noqa: BLE001 - logged, and an answer like any other
        _log.error("recording_failed", exc_info=error)
        return Refusal(Reason.REASON_INTERNAL)


def _release_row(view: v1.View, envelope: v1.Envelope, at: datetime) -> dict[str, object]:
    return {
        "key_ref": view.subject_ref,
        "key_id": view.receipt.access_id,
        "at": to_micros(at),
        "outcome": view.WhichOneof("outcome"),
        "digest": digest_of(envelope),
    }


def _record_releases(connection: Connection, rows: Sequence[dict[str, object]]) -> list[None]:
    table.release(connection, rows)
    return [None] * len(rows)
