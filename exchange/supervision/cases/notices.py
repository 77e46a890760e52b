"""Telling subjects of case look-ups once that is due, whatever has become of the regulator.

Nothing of what is told is kept before: the sealed entry's opening in the log says all of it. The exchange's timer
opens it; the regulator is not asked, and can stop nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.v1 import InboxKind
from exchange.log import records
from exchange.log import table as log
from exchange.repeating import repeat
from exchange.subjects.inbox_table import message_id
from exchange.subjects.messages import Message, send
from exchange.supervision.cases import table
from exchange.supervision.cases.wording import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from concordat.clock import Clock
    from concordat.federation.anchors import Anchors
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer
    from exchange.log.book import LogBook
    from exchange.log.table import Key

_log = structlog.get_logger("concordat.cases")
AT_ONCE = 50
EVERY_SECONDS = 1.0
_RECEIPT_SECONDS = 5.0


def notice_of(receipt: v1.LogReceipt, anchors: Anchors, at: datetime) -> v1.CaseNotice:
    """Return what opens a sealed entry to its subject, unsigned."""
    record = v1.LogRecord.FromString(receipt.opening.record)
    act = record.case_look_up
    return v1.CaseNotice(
        federation=anchors.federation,
        subject_ref=act.subject_ref,
        regulator=act.regulator,
        legal_article=act.legal_article,
        case_reference=act.case_reference,
        scopes=act.scopes,
        looked_at=record.recorded_at,
        notice_at=act.notice_at,
        refusal=act.refusal,
        receipt=receipt,
        made_at=to_timestamp(at),
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that is due and signed."""

    subject_ref: bytes
    record_id: bytes
    notice: v1.CaseNotice
    envelope: v1.Envelope


@dataclass(frozen=True, slots=True)
class NoticeOffice:
    """Delivers what is due: from ``store`` and ``book``, signed by ``signer``."""

    anchors: Anchors
    store: GroupCommit
    book: LogBook
    signer: Signer
    clock: Clock

    async def run(self) -> None:
        """Deliver every second until cancelled."""
        await repeat("cases", EVERY_SECONDS, lambda: self.deliver(self.clock.now()))

    async def deliver(self, at: datetime) -> int:
        """Deliver what is due at ``at``; return how many subjects' notices that were."""
        rows = await self.store.arun(lambda connection: table.due(connection, at, AT_ONCE))
        if not rows:
            return 0
        notices, lost = await self._opened(rows, at)
        return await self.store.arun(lambda connection: _put(connection, notices, at, lost))

    async def _opened(
        self, rows: Sequence[Row[bytes, bytes]], at: datetime
    ) -> tuple[list[Due], list[Key]]:
        """Return the notices of entries that are in the log, each proved and signed; and those that none opens."""
        keys = [(b"", row.record_id) for row in rows]
        receipts = await self.book.receipts(keys, _RECEIPT_SECONDS)
        opened: list[Due] = []
        lost: list[Key] = []
        for row, receipt in zip(rows, receipts, strict=True):
            if isinstance(receipt, Refusal):
                continue
            if not receipt.HasField("opening"):
                _log.error(
                    "case_notice_lost", detail="the log's opening was erased before its date"
                )
                lost.append((row.subject_ref, row.record_id))
                continue
            notice = notice_of(receipt, self.anchors, at)
            opened.append(Due(row.subject_ref, row.record_id, notice, seal(notice, self.signer)))
        return opened, lost


def _put(
    connection: Connection, notices: Sequence[Due], at: datetime, lost: Sequence[Key] = ()
) -> int:
    """Put notices into inboxes and chains, in one transaction; return how many.

    What is ``lost`` is no longer tried, so that it keeps no other waiting; every audit shows that it was not told.
    """
    for ref, record_id in lost:
        table.claim(connection, ref, record_id, at)
    mine = [
        each for each in notices if table.claim(connection, each.subject_ref, each.record_id, at)
    ]
    kind = InboxKind.INBOX_KIND_CASE_NOTICE
    messages = [Message(each.subject_ref, kind, partial(text_of, each.notice)) for each in mine]
    for each, sent in zip(mine, send(connection, messages, at), strict=True):
        ref, record_id, index = each.subject_ref, each.record_id, each.notice.receipt.index
        table.told(connection, ref, record_id, sent.sequence, each.envelope)
        draft = records.case_notice(ref, record_id, index, message_id(sent.sequence), at)
        log.enqueue(connection, [draft])
    return len(mine)


def attach(connection: Connection, subject_ref: bytes, messages: Sequence[v1.InboxMessage]) -> None:
    """Put the signed notices with the messages that tell of them."""
    kind = InboxKind.INBOX_KIND_CASE_NOTICE
    places = {
        int.from_bytes(each.message_id, "big"): each for each in messages if each.kind == kind
    }
    if not places:
        return
    for place, notice in table.notices_of(connection, subject_ref, list(places)).items():
        places[place].case_notice.CopyFrom(notice)
