"""Reading the inbox: what is fetched by a signed request has reached the subject."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.refusal import Refusal
from concordat.v1 import InboxKind, NoticeChannel
from exchange.consents import table as consents
from exchange.consents.ledger import require_latest_binding
from exchange.listings.intake import serve_notices
from exchange.subjects import inbox_table
from exchange.supervision.cases.notices import attach

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.trust.envelope import Verified
    from exchange.listings.ledger import Office
    from exchange.listings.reading import Key
    from exchange.subjects.inbox_table import Message

PAGE = 100
_LAST = (1 << 63) - 1  # what the column holds


@dataclass(frozen=True, slots=True)
class Ask:
    """A subject's request for its inbox that verified, and the binding that it came with."""

    asked: Verified[v1.SubjectRequest]
    binding: Verified[v1.SubjectBinding]
    envelope: v1.Envelope  # the binding's
    after: bytes
    at: datetime

    @property
    def subject_ref(self) -> bytes:
        """The subject, 32 bytes."""
        return self.asked.message.subject_ref


Page = tuple[list[v1.InboxMessage], bool]
"""Messages, and whether there are more."""

Bulk = Callable[["Connection", "Sequence[Ask]"], "list[Page | Refusal]"]


def fetching(office: Office) -> Bulk:
    """Return the bulk job that reads inboxes; make it once, so that those who wait are served together."""

    def fetch_many(connection: Connection, asks: Sequence[Ask]) -> list[Page | Refusal]:
        """Return a page for each, under its subject's latest binding alone; notices are served thereby.

        A notice counts as served when the last of them asked.
        """
        known = consents.binding_versions(connection, [ask.subject_ref for ask in asks])
        results: list[Page | Refusal] = []
        served: list[tuple[Key, v1.NoticeProof]] = []
        for ask in asks:
            before = known.get(ask.subject_ref)
            try:
                require_latest_binding(before, ask.binding.message)
            except Refusal as refusal:
                results.append(refusal)
                continue
            results.append(_page(connection, ask, served))
            consents.put_binding(connection, ask.binding.message, ask.envelope, before)
            known[ask.subject_ref] = ask.binding.message.version
        if served:
            serve_notices(connection, office, served, max(ask.at for ask in asks))
        return results

    return fetch_many


def _page(connection: Connection, ask: Ask, served: list[tuple[Key, v1.NoticeProof]]) -> Page:
    """Return a page of a subject's inbox; add the notices that it fetches for the first time to ``served``."""
    place = min(int.from_bytes(ask.after, "big"), _LAST)
    found = inbox_table.page(connection, ask.subject_ref, place, PAGE + 1)
    rows = found[:PAGE]
    fresh = [row for row in rows if row.fetched_at is None]
    if fresh:
        inbox_table.mark_fetched(
            connection,
            ask.subject_ref,
            [row.sequence for row in fresh],
            ask.asked.digest,
            to_micros(ask.at),
        )
    served += [
        ((ask.subject_ref, row.listing_id), _proof(row, ask.asked.digest, ask.at))
        for row in fresh
        if row.kind == InboxKind.INBOX_KIND_LISTING_NOTICE
    ]
    messages = [row.as_sent for row in rows]
    attach(connection, ask.subject_ref, messages)
    return messages, len(found) > PAGE


def _proof(row: Message, digest: bytes, at: datetime) -> v1.NoticeProof:
    return v1.NoticeProof(
        channel=NoticeChannel.NOTICE_CHANNEL_INBOX,
        served_at=to_timestamp(at),
        notice_hash=hashlib.sha256(row.text.encode()).digest(),
        evidence_digest=digest,
    )
