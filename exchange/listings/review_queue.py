"""What a reviewer or an appeal body is shown: its queue, and one dispute with all that belongs to it."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select

from concordat import v1
from concordat.clock import from_micros, to_timestamp
from concordat.refusal import Refusal
from concordat.v1 import DisputeStage, Reason, Role
from exchange.consents import table as consents
from exchange.listings import reading
from exchange.listings.machine import Listing
from exchange.listings.standing import standing_of
from exchange.listings.table import listing, sealed_attachment
from exchange.vault.sealing import unseal_many

_STAGES: dict[int, tuple[DisputeStage.ValueType, ...]] = {
    Role.ROLE_REVIEWER: (
        DisputeStage.DISPUTE_STAGE_CONTEST,
        DisputeStage.DISPUTE_STAGE_REVIEW,
    ),
    Role.ROLE_APPEAL: (DisputeStage.DISPUTE_STAGE_APPEAL,),
}


def stages_of(roles: Iterable[int]) -> list[DisputeStage.ValueType]:
    """Return the stages that a member of these roles decides."""
    return [stage for role in roles for stage in _STAGES.get(role, ())]


def queue(
    connection: Connection, reviewer: str, stages: list[DisputeStage.ValueType], most: int
) -> list[v1.ReviewSummary]:
    """Return the open disputes that name a reviewer, or nobody, the nearest deadline first."""
    query = (
        select(listing)
        .where(listing.c.dispute_reviewer.in_([reviewer, ""]), listing.c.dispute_stage.in_(stages))
        .order_by(listing.c.dispute_due_at)
        .limit(most)
    )
    return [_summary(row) for row in connection.execute(query)]


def _summary(row: Row[Any]) -> v1.ReviewSummary:
    return v1.ReviewSummary(
        dispute_id=row.dispute_id,
        stage=row.dispute_stage,
        ground=row.dispute_ground,
        due_at=to_timestamp(from_micros(row.dispute_due_at)),
        extended=row.dispute_extended,
        listing_id=row.listing_id,
        subject_ref=row.subject_ref,
    )


def show(
    connection: Connection, reviewer: str, stages: list[DisputeStage.ValueType], dispute_id: bytes
) -> v1.GetReviewResponse:
    """Return one dispute that names the reviewer, or nobody; raise ``Refusal`` where there is none such."""
    row = connection.execute(
        select(listing).where(
            listing.c.dispute_reviewer.in_([reviewer, ""]),
            listing.c.dispute_stage.in_(stages),
            listing.c.dispute_id == dispute_id,
        )
    ).first()
    if row is None:
        raise Refusal(Reason.REASON_LISTING_UNKNOWN, "no such dispute of this reviewer's")
    key = (row.subject_ref, row.listing_id)
    stored = reading.by_keys(connection, [key])[key].listing
    if stored.dispute is None or stored.dispute.dispute_id != dispute_id:
        raise Refusal(Reason.REASON_LISTING_UNKNOWN, "decided meanwhile")
    statements = _statements(connection, stored)
    response = v1.GetReviewResponse(
        summary=_summary(row),
        standing=standing_of(stored),
        filings=[statements[source.filing_id] for source in stored.live_sources],
        attachments=_attachments(connection, row.subject_ref, dispute_id),
        facts=facts_of(stored),
    )
    if dispute_id in statements and _is(statements[dispute_id], "dispute"):
        response.dispute.CopyFrom(statements[dispute_id])
        binding = consents.binding_of(connection, row.subject_ref)
        if binding is not None:
            response.binding.CopyFrom(binding)
    ruling = stored.ruling
    if row.dispute_stage == DisputeStage.DISPUTE_STAGE_APPEAL and ruling is not None:
        response.ruling.CopyFrom(statements[ruling.ruling_id])
    return response


def _statements(connection: Connection, stored: Listing) -> dict[bytes, v1.Envelope]:
    wanted = [source.filing_id for source in stored.live_sources]
    wanted += [stored.dispute.dispute_id] if stored.dispute else []
    wanted += [stored.ruling.ruling_id] if stored.ruling else []
    return reading.statements_of(connection, (stored.subject_ref, stored.listing_id), wanted)


def _attachments(
    connection: Connection, subject_ref: bytes, dispute_id: bytes
) -> list[v1.SealedAttachment]:
    query = (
        select(sealed_attachment.c.sealed)
        .where(
            sealed_attachment.c.subject_ref == subject_ref,
            sealed_attachment.c.dispute_id == dispute_id,
        )
        .order_by(sealed_attachment.c.place)
    )
    kept = [(subject_ref, raw) for raw in connection.execute(query).scalars()]
    return [
        v1.SealedAttachment(sealed=raw) for raw in unseal_many(connection, kept) if raw is not None
    ]


def _is(envelope: v1.Envelope, kind: str) -> bool:
    return envelope.payload_type == f"application/vnd.concordat.{kind}.v1+protobuf"


def facts_of(stored: Listing) -> v1.Correction:
    """Return the facts on record, after corrections."""
    return v1.Correction(
        amount=v1.Money(currency=stored.currency, minor=stored.amount),
        delinquent_since=to_timestamp(stored.delinquent_since),
        evidence_hash=stored.evidence_hash,
    )
