"""Accesses on record: entered before anything is asked, logged before anything is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import structlog

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import Reason
from exchange.views.admit import Admitted, Checked, Rejected, admitting, rejecting
from exchange.views.release import releasing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence

    from concordat.store.group_commit import GroupCommit
    from exchange.limits.gate import Gate
    from exchange.listings.profile import Profiles
    from exchange.log.book import LogBook
    from exchange.views.release import Release

T = TypeVar("T")
Logged = tuple[Admitted, v1.LogReceipt]

_log = structlog.get_logger("concordat.views")


class Accesses:
    """Records accesses and releases, and gets their receipts from the log."""

    def __init__(self, store: GroupCommit, book: LogBook, profiles: Profiles, gate: Gate) -> None:
        """Record in ``store``, log in ``book``, within the lenders' limits that ``gate`` holds."""
        self._store = store
        self._book = book
        self._admit_many = admitting(gate)
        self._reject_many = rejecting(gate)
        self._release_many = releasing(profiles, gate)

    async def record(
        self, checked: Sequence[Checked | Rejected | Refusal]
    ) -> list[Admitted | Refusal]:
        """Record an access entry for each, durable before anything else happens (R24)."""
        return await asyncio.gather(*(self._record_one(item) for item in checked))

    async def _record_one(self, item: Checked | Rejected | Refusal) -> Admitted | Refusal:
        match item:
            case Checked():
                return await _caught(self._store.arun_in(self._admit_many, item))
            case Rejected():
                return await _caught(self._store.arun_in(self._reject_many, item))
            case _:
                return item

    async def logged(
        self, recorded: Sequence[Admitted | Refusal], seconds: float
    ) -> list[Logged | Refusal]:
        """Return each access with the proof that it is in a signed checkpoint."""
        admitted = [result for result in recorded if isinstance(result, Admitted)]
        keys = [(each.checked.subject_ref, each.access_id) for each in admitted]
        receipts = iter(await self._book.receipts(keys, seconds))
        return [_with_receipt(result, receipts) for result in recorded]

    async def released(
        self, releases: Sequence[Release], seconds: float
    ) -> list[v1.LogReceipt | Refusal]:
        """Record and log what is about to go out; return each one's receipt, or why it must not go."""
        recorded = await asyncio.gather(
            *(_caught(self._store.arun_in(self._release_many, each)) for each in releases)
        )
        keys = [
            (each.draft.subject_ref, record_id)
            for each, record_id in zip(releases, recorded, strict=True)
            if not isinstance(record_id, Refusal)
        ]
        receipts = iter(await self._book.receipts(keys, seconds))
        return [
            record_id if isinstance(record_id, Refusal) else next(receipts)
            for record_id in recorded
        ]


def _with_receipt(
    result: Admitted | Refusal, receipts: Iterator[v1.LogReceipt | Refusal]
) -> Logged | Refusal:
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
