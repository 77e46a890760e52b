"""LenderService: translates; outcomes are taken in, and changes are told once their entries are in the log."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import from_micros, to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.rpc.errors import to_item
from concordat.v1 import Reason
from concordat.v1.lender_service_pb2_grpc import LenderServiceServicer
from concordat.verify.outcome_events import open_outcome_event
from exchange.lenders import change_table, duties, outcomes
from exchange.lenders.listening import listening
from exchange.lenders.listing_changes import still_so
from exchange.lenders.outcomes import Taken, Told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.federation.anchors import Anchors
    from concordat.federation.directory import Member
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from exchange.lenders.change_table import Numbered
    from exchange.log.book import LogBook

LOOK_SECONDS = 2.0  # for what other processes wrote
HEARTBEAT_SECONDS = 4.0
AT_ONCE = 100
_LOG_SECONDS = 5.0


class LenderServicer(LenderServiceServicer):
    """Answers lenders on the member port."""

    def __init__(
        self,
        anchors: Anchors,
        store: GroupCommit,
        book: LogBook,
        now: Callable[[], datetime],
        stopping: asyncio.Event | None = None,
    ) -> None:
        """Keep outcomes in ``store``; tell what ``book`` has logged; open streams end when ``stopping`` is set."""
        self._anchors = anchors
        self._store = store
        self._book = book
        self._now = now
        self._stopping = stopping or asyncio.Event()

    async def ReportOutcomes(
        self, request: v1.ReportOutcomesRequest, context: Context
    ) -> v1.ReportOutcomesResponse:
        """Take in what came of the caller's accesses."""
        del context
        call = current_call()
        opened = [self._told(envelope, call.member, call.at) for envelope in request.events]
        items = [each for each in opened if isinstance(each, Told)]
        done = iter(
            await self._store.arun(
                lambda connection: outcomes.take_many(connection, items, call.at)
            )
        )
        results = [next(done) if isinstance(each, Told) else each for each in opened]
        return v1.ReportOutcomesResponse(results=map(_result, results))

    def _told(self, envelope: v1.Envelope, lender: Member, at: datetime) -> Told | Refusal:
        try:
            return Told(open_outcome_event(envelope, lender, self._anchors, at), envelope)
        except Refusal as refusal:
            return refusal

    async def ListOutcomesDue(
        self, request: v1.ListOutcomesDueRequest, context: Context
    ) -> v1.ListOutcomesDueResponse:
        """Show which outcomes the caller owes."""
        del context
        call = current_call()
        lender, after, at = call.member.member_id, request.after, call.at
        found = await self._store.arun(
            lambda connection: duties.outcomes_due(connection, lender, at, after)
        )
        more = len(found) == duties.PAGE
        return v1.ListOutcomesDueResponse(
            due=[_due(each) for each in found], next=found[-1].place if more else b""
        )

    async def WatchChanges(
        self, request: v1.WatchChangesRequest, context: Context
    ) -> AsyncIterator[v1.WatchChangesResponse]:
        """Send what the caller was not told yet, then what is new, and a heartbeat every four seconds."""
        del context
        lender, cursor, beat = current_call().member.member_id, request.cursor, 0.0
        cursor = await self._store.arun(lambda connection: _begin(connection, lender, cursor))
        with listening(lender) as woken:
            while not self._stopping.is_set():
                woken.clear()  # before reading: for what is written meanwhile it is set again
                found = await self._after(lender, cursor)
                cursor = found[-1].cursor if found else cursor
                changes = await self._still_so(found)
                if not changes and len(found) == AT_ONCE:
                    continue  # silence would say that there is no more
                if changes or monotonic() >= beat:
                    beat = monotonic() + HEARTBEAT_SECONDS
                    yield v1.WatchChangesResponse(
                        changes=map(_change, changes),
                        cursor=cursor,
                        sent_at=to_timestamp(self._now()),
                    )
                if len(found) < AT_ONCE:
                    pause = max(min(LOOK_SECONDS, beat - monotonic()), 0.0)
                    await _first_of(pause, woken, self._stopping)

    async def _after(self, lender: str, cursor: int) -> list[Numbered]:
        """Return what follows a cursor, up to the first whose entry is not in a checkpoint of the log (R24)."""
        found = await self._store.arun(
            lambda connection: change_table.read(connection, lender, cursor, AT_ONCE)
        )
        keys = [
            (each.change.subject_ref, each.change.record_id)
            for each in found
            if each.change.record_id
        ]
        if not keys:
            return found
        receipts = iter(await self._logged(keys))
        for place, each in enumerate(found):
            if each.change.record_id and isinstance(next(receipts), Refusal):
                return found[:place]
        return found

    async def _still_so(self, found: list[Numbered]) -> list[Numbered]:
        """Return what may still be told: consent, freeze and listing are read again now."""
        if not any(each.change.record_id for each in found):
            return found
        changes, at = [each.change for each in found], self._now()
        still = await self._store.arun(lambda connection: still_so(connection, changes, at))
        return [each for each, told in zip(found, still, strict=True) if told]

    async def _logged(self, keys: list[tuple[bytes, bytes]]) -> list[v1.LogReceipt | Refusal]:
        try:
            self._book.require_open(self._now())
        except Refusal as refusal:
            return [refusal] * len(keys)
        return await self._book.receipts(keys, _LOG_SECONDS)


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    """Wait until one of these is set, or the time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


def _begin(connection: Connection, lender: str, cursor: int) -> int:
    """Return what a stream begins after; raise ``Refusal`` (REASON_CURSOR_UNKNOWN) where changes are missing."""
    standing = change_table.standing(connection, lender)
    if cursor == 0:
        return max(standing.forgotten, change_table.FIRST)
    if not max(standing.forgotten, change_table.FIRST) <= cursor <= standing.latest:
        raise Refusal(
            Reason.REASON_CURSOR_UNKNOWN,
            f"{cursor}; kept are those after {standing.forgotten} up to {standing.latest}",
        )
    return cursor


def _change(numbered: Numbered) -> v1.LenderChange:
    change = numbered.change
    return v1.LenderChange(
        cursor=numbered.cursor,
        kind=change.kind,
        subject_ref=change.subject_ref,
        consent_id=change.consent_id,
        at=to_timestamp(from_micros(change.at)),
    )


def _due(due: duties.Due) -> v1.OutcomeDue:
    accessed = from_micros(due.recorded_at)
    return v1.OutcomeDue(
        access_id=due.access_id,
        subject_ref=due.subject_ref,
        answer_digest=due.answer_digest,
        purpose=due.purpose,
        accessed_at=to_timestamp(accessed),
        due_by=to_timestamp(accessed + duties.TERM),
    )


def _result(done: Taken | Refusal) -> v1.OutcomeResult:
    if isinstance(done, Refusal):
        return v1.OutcomeResult(refusal=to_item(done))
    taken = v1.OutcomeTaken(replaced=done.replaced, unreviewed=done.unreviewed)
    return v1.OutcomeResult(taken=taken)
