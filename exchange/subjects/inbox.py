"""Reading the inbox: what is fetched by a signed request has reached the subject."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from concordat import v1
from concordat.clock import from_micros, to_micros, to_timestamp
from concordat.v1 import InboxKind, NoticeChannel
from exchange.listings.intake import serve_notices
from exchange.subjects import inbox_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from concordat.trust.envelope import Verified
    from exchange.listings.ledger import Office

PAGE = 100
_LAST = (1 << 63) - 1  # what the column holds


def fetch(
    connection: Connection,
    office: Office,
    asked: Verified[v1.SubjectRequest],
    after: bytes,
    at: datetime,
) -> tuple[list[v1.InboxMessage], bool]:
    """Return a page of a subject's inbox, and whether there is more; notices among it are served thereby."""
    subject = asked.message.subject_ref
    place = min(int.from_bytes(after, "big"), _LAST)
    found = inbox_table.page(connection, subject, place, PAGE + 1)
    rows = found[:PAGE]
    fresh = [row for row in rows if row.fetched_at is None]
    if fresh:
        inbox_table.mark_fetched(
            connection, subject, [row.sequence for row in fresh], asked.digest, to_micros(at)
        )
        notices = [row for row in fresh if row.kind == InboxKind.INBOX_KIND_LISTING_NOTICE]
        served = [((subject, row.listing_id), _proof(row, asked.digest, at)) for row in notices]
        serve_notices(connection, office, served, at)
    return [_message(row) for row in rows], len(found) > PAGE


def _proof(row: Row[Any], digest: bytes, at: datetime) -> v1.NoticeProof:
    return v1.NoticeProof(
        channel=NoticeChannel.NOTICE_CHANNEL_INBOX,
        served_at=to_timestamp(at),
        notice_hash=hashlib.sha256(row.text.encode()).digest(),
        evidence_digest=digest,
    )


def _message(row: Row[Any]) -> v1.InboxMessage:
    return v1.InboxMessage(
        message_id=inbox_table.message_id(row.sequence),
        kind=row.kind,
        listing_id=row.listing_id,
        sent_at=to_timestamp(from_micros(row.sent_at)),
        text=row.text,
    )
