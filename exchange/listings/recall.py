"""Recall (R14): who was told of a listing hears, signed, that it changed, and has to acknowledge it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal_batch
from concordat.store.lookup import Lookup
from concordat.v1 import ListingActKind, Reason
from exchange.listings import reading
from exchange.listings.machine import RECALL_WITHIN, recall_cause
from exchange.listings.table import listing_told, retraction
from exchange.log import records
from exchange.log import table as log
from exchange.vault.sealing import seal, seal_many, unseal_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from concordat.trust.envelope import Verified
    from exchange.listings.announcements import Change
    from exchange.listings.ledger import Office
    from exchange.listings.machine import Listing
    from exchange.log.records import Draft

ACKNOWLEDGE_WITHIN = timedelta(days=3)
_AT_ONCE = 1000  # signatures of the exchange under one root

_TOLD = Lookup(
    lambda wanted: (
        select(listing_told)
        .where(wanted, listing_told.c.told_at > bindparam("since"))
        .order_by(listing_told.c.told_at, listing_told.c.answer_digest)
    ),
    listing_told.c.subject_ref,
    listing_told.c.listing_id,
)

_RECALLED = update(listing_told).where(
    listing_told.c.subject_ref == bindparam("key_ref"),
    listing_told.c.listing_id == bindparam("key_id"),
    listing_told.c.answer_digest == bindparam("key_answer"),
)


def issue(
    connection: Connection, office: Office, changes: Sequence[Change], at: datetime
) -> list[Draft]:
    """Sign and keep the retractions that these changes call for; return their drafts for the log."""
    causes = {
        (change.after.subject_ref, change.after.listing_id): (change.after, cause)
        for change in changes
        if change.before is not None
        and (cause := recall_cause(change.before, change.after)) is not None
    }
    if not causes:
        return []
    since = to_micros(at - RECALL_WITHIN)
    told = _TOLD.run(connection, causes, since=since)
    if not told:
        return []
    statements = [
        _statement(office, row, *causes[row.subject_ref, row.listing_id], at) for row in told
    ]
    envelopes = [
        envelope
        for start in range(0, len(statements), _AT_ONCE)
        for envelope in seal_batch(statements[start : start + _AT_ONCE], office.signer)
    ]
    digests = [digest_of(envelope) for envelope in envelopes]
    sealed = seal_many(
        connection,
        [
            (row.subject_ref, envelope.SerializeToString())
            for row, envelope in zip(told, envelopes, strict=True)
        ],
    )
    issued, due = to_micros(at), to_micros(at + ACKNOWLEDGE_WITHIN)
    connection.execute(
        insert(retraction),
        [
            {
                "lender": row.lender,
                "retraction_id": statement.retraction_id,
                "subject_ref": row.subject_ref,
                "listing_id": row.listing_id,
                "digest": digest,
                "envelope": envelope,
                "issued_at": issued,
                "due_at": due,
            }
            for row, statement, envelope, digest in zip(
                told, statements, sealed, digests, strict=True
            )
        ],
    )
    connection.execute(
        _RECALLED,
        [
            {
                "key_ref": row.subject_ref,
                "key_id": row.listing_id,
                "key_answer": row.answer_digest,
                "retraction_id": statement.retraction_id,
            }
            for row, statement in zip(told, statements, strict=True)
        ],
    )
    kind = ListingActKind.LISTING_ACT_KIND_RETRACTED
    return [
        records.retraction_act(
            causes[row.subject_ref, row.listing_id][0], kind, row.lender, digest, at
        )
        for row, digest in zip(told, digests, strict=True)
    ]


def _statement(
    office: Office,
    row: Row[Any],
    listing: Listing,
    cause: v1.RetractionCause.ValueType,
    at: datetime,
) -> v1.Retraction:
    return v1.Retraction(
        retraction_id=new_id(),
        federation=office.federation,
        lender=row.lender,
        answer_digest=row.answer_digest,
        subject_ref=listing.subject_ref,
        position=row.position,
        cause=cause,
        issued_at=to_timestamp(at),
        acknowledge_by=to_timestamp(at + ACKNOWLEDGE_WITHIN),
    )


def open_retractions(connection: Connection, lender: str, most: int) -> list[v1.Envelope]:
    """Return what a lender has not acknowledged, oldest first."""
    query = (
        select(retraction.c.subject_ref, retraction.c.envelope)
        .where(retraction.c.lender == lender, retraction.c.acknowledged_at.is_(None))
        .order_by(retraction.c.issued_at, retraction.c.retraction_id)
        .limit(most)
    )
    rows = connection.execute(query).all()
    opened = unseal_many(connection, [(row.subject_ref, row.envelope) for row in rows])
    return [v1.Envelope.FromString(raw) for raw in opened if raw is not None]


def overdue(connection: Connection, now: datetime) -> Sequence[Row[Any]]:
    """Return (lender, count, oldest due_at in microseconds) of retractions that are overdue."""
    query = (
        select(retraction.c.lender, func.count(), func.min(retraction.c.due_at))
        .where(retraction.c.acknowledged_at.is_(None), retraction.c.due_at <= to_micros(now))
        .group_by(retraction.c.lender)
        .order_by(retraction.c.lender)
    )
    return connection.execute(query).all()


def acknowledge(
    connection: Connection,
    acknowledgement: Verified[v1.RetractionAcknowledgement],
    envelope: v1.Envelope,
    at: datetime,
) -> None:
    """Keep a lender's acknowledgement; the same again changes nothing. Raises ``Refusal``."""
    said = acknowledgement.message
    key = (retraction.c.lender == said.lender, retraction.c.retraction_id == said.retraction_id)
    row = connection.execute(select(retraction).where(*key).with_for_update()).first()
    if row is None or row.digest != said.retraction_digest:
        raise Refusal(Reason.REASON_LISTING_UNKNOWN, "no such retraction of this lender's")
    if row.acknowledged_at is not None:
        return
    sealed = seal(connection, row.subject_ref, envelope.SerializeToString())
    connection.execute(
        update(retraction).where(*key).values(acknowledged_at=to_micros(at), acknowledgement=sealed)
    )
    listing_key = (row.subject_ref, row.listing_id)
    listing = reading.by_keys(connection, [listing_key])[listing_key].listing
    kind = ListingActKind.LISTING_ACT_KIND_ACKNOWLEDGED
    draft = records.retraction_act(listing, kind, said.lender, acknowledgement.digest, at)
    log.enqueue(connection, [draft])
