"""LogService: a subject's own entries, proved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.statements import seal
from concordat.trust.commitment import NO_ENTRY
from concordat.trust.errors import TrustError
from concordat.trust.tiles import TileReader
from concordat.v1 import Reason
from concordat.v1.log_service_pb2_grpc import LogServiceServicer
from concordat.verify.consent import open_binding, open_subject_request
from exchange.consents import table as consents
from exchange.consents.ledger import require_latest_binding
from exchange.log import sequencing, table
from exchange.log.growth import TileDamagedError, fetch_from
from exchange.log.receipts import receipt_of, require_proved, subject_entry_of
from exchange.log.tile_store import TileStoreError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.federation.anchors import Anchors
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.envelope import Verified
    from concordat.trust.keys import Signer
    from exchange.log.sequencing import Signed
    from exchange.log.table import Head, Opening
    from exchange.log.tile_store import TileStore

PAGE = 200


class LogServicer(LogServiceServicer):
    """Answers wallets on the public port."""

    def __init__(
        self, anchors: Anchors, store: GroupCommit, tiles: TileStore, signer: Signer
    ) -> None:
        """Read entries from ``store`` and proofs from ``tiles``; sign histories with ``signer``."""
        self._anchors = anchors
        self._store = store
        self._tiles = tiles
        self._signer = signer

    async def ListAccesses(
        self, request: v1.ListAccessesRequest, context: Context
    ) -> v1.ListAccessesResponse:
        """Show the subject every entry about it."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        query = v1.SubjectQuery.SUBJECT_QUERY_ACCESSES
        asked = open_subject_request(request.request, query, binding, self._anchors, at)
        subject = asked.message.subject_ref
        known, signed, end, rows = await self._store.arun(
            lambda connection: _page(connection, subject, request.after)
        )
        require_latest_binding(known, binding.message)
        if not signed.note:
            raise Refusal(Reason.REASON_LOG_UNAVAILABLE, "the log is still empty")
        try:
            rows, more = rows[:PAGE], len(rows) > PAGE
            erasures = await self._erasures(rows, signed)
            entries, proofs = await asyncio.to_thread(self._prove, rows, erasures, signed)
        except (TileDamagedError, TileStoreError, TrustError) as error:
            raise Refusal(Reason.REASON_LOG_UNAVAILABLE, str(error)) from error
        return v1.ListAccessesResponse(
            history=seal(self._history(asked, signed, end, at), self._signer),
            checkpoint=signed.note,
            entries=entries,
            more=more,
            erasures=proofs,
        )

    async def _erasures(self, rows: list[Opening], signed: Signed) -> list[Opening]:
        """Return the erasures that these entries went with; raise where one is not in the log yet."""
        wanted = {(b"", row.erased_under) for row in rows if row.erased_under}
        if not wanted:
            return []
        found = await self._store.arun(lambda connection: table.openings(connection, wanted))
        logged = [opening for opening in found if opening.leaf_index < signed.size]
        if len(logged) < len(wanted):
            raise Refusal(Reason.REASON_LOG_UNAVAILABLE, "an erasure is being logged")
        return logged

    def _prove(
        self, rows: list[Opening], erasures: list[Opening], signed: Signed
    ) -> tuple[list[v1.SubjectLogEntry], list[v1.LogReceipt]]:
        """Prove each entry; raise where a damaged tile gives a proof that would speak against us."""
        reader = TileReader(fetch_from(self._tiles.read), signed.size)
        entries = [subject_entry_of(row, signed.size, reader) for row in rows]
        receipts = [receipt_of(row, signed.size, signed.note, reader) for row in erasures]
        for entry in entries:
            require_proved(entry, signed.size, signed.root)
        for receipt in receipts:
            require_proved(receipt, signed.size, signed.root)
        return entries, receipts

    def _history(
        self,
        asked: Verified[v1.SubjectRequest],
        signed: Signed,
        end: Head | None,
        at: datetime,
    ) -> v1.AccessHistory:
        return v1.AccessHistory(
            federation=self._anchors.federation,
            subject_ref=asked.message.subject_ref,
            length=end.sequence if end else 0,
            head=end.commitment if end else NO_ENTRY,
            log_size=signed.size,
            log_root=signed.root,
            request_digest=asked.digest,
            issued_at=to_timestamp(at),
        )


def _page(
    connection: Connection, subject: bytes, after: int
) -> tuple[int | None, Signed, Head | None, list[Opening]]:
    """Return the newest binding seen, the checkpoint, the end of the chain, and a page of it."""
    signed = sequencing.signed(connection)
    return (
        consents.binding_versions(connection, [subject]).get(subject),
        signed,
        table.chain_end(connection, subject, signed.size),
        table.chain(connection, subject, after, signed.size, PAGE + 1),
    )
