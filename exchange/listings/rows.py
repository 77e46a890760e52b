"""A ``machine.Listing`` as a row of the table, and back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from concordat import v1
from concordat.clock import from_micros, to_micros
from exchange.listings.machine import Listing, Source, mark_of
from exchange.listings.machine.listing import LastRuling, OpenDispute

_HASH_BYTES = 32
Values = dict[str, object]


def listing_values(listing: Listing) -> Values:
    """Return the columns of a listing that are its own and not sealed; the ledger adds its own, and the words."""
    return {
        "subject_ref": listing.subject_ref,
        "listing_id": listing.listing_id,
        "debt": listing.debt,
        "profile": listing.profile,
        "state": listing.state,
        "back_to": listing.back_to,
        "currency": listing.currency,
        "amount": listing.amount,
        "delinquent_since": to_micros(listing.delinquent_since),
        "evidence_hash": listing.evidence_hash,
        "filed_at": to_micros(listing.filed_at),
        "delivered_at": _micros(listing.delivered_at),
        "effective_from": _micros(listing.effective_from),
        "effective_at": _micros(listing.effective_at),
        "settled_at": _micros(listing.settled_at),
        "expires_at": to_micros(listing.expires_at),
        "prolonged_from": _micros(listing.prolonged_from),
        "version": listing.version,
        "withdrawal": listing.withdrawal,
        "disputes": listing.disputes,
        "heard": b"".join(sorted(listing.heard)),
        "evidence": b"".join(sorted(listing.evidence)),
        **_dispute_values(listing.dispute),
        **_ruling_values(listing.ruling),
        "kind": listing.kind,
        "basis": listing.basis,
        "mark": mark_of(listing) or 0,
        "court": listing.court,
    }


def _dispute_values(dispute: OpenDispute | None) -> Values:
    return {
        "dispute_id": dispute and dispute.dispute_id,
        "dispute_stage": dispute and dispute.stage,
        "dispute_ground": dispute and dispute.ground,
        "dispute_reviewer": dispute and dispute.reviewer,
        "dispute_due_at": dispute and to_micros(dispute.due_at),
        "dispute_suppresses": dispute and dispute.suppresses,
        "dispute_extended": dispute and dispute.extended,
    }


def _ruling_values(ruling: LastRuling | None) -> Values:
    return {
        "ruling_id": ruling and ruling.ruling_id,
        "ruling_reviewer": ruling and ruling.reviewer,
        "ruled_at": ruling and to_micros(ruling.decided_at),
        "ruling_appealed": ruling and ruling.appealed,
    }


def source_values(listing: Listing) -> list[Values]:
    """Return the rows of a listing's sources."""
    return [
        {
            "subject_ref": listing.subject_ref,
            "listing_id": listing.listing_id,
            "source": source.member_id,
            "place": place,
            "filing_id": source.filing_id,
            "court": source.court,
            "basis": source.basis,
            "reconfirmed_at": to_micros(source.reconfirmed_at),
            "live": source.live,
        }
        for place, source in enumerate(listing.sources)
    ]


def listing_of(row: Row[Any], sources: Sequence[Row[Any]], words: bytes | None) -> Listing:
    """Return the listing that a row and its sources' rows hold; ``words`` are its own, unsealed."""
    return Listing(
        listing_id=row.listing_id,
        subject_ref=row.subject_ref,
        debt=row.debt,
        profile=row.profile,
        state=row.state,
        currency=row.currency,
        amount=row.amount,
        delinquent_since=from_micros(row.delinquent_since),
        evidence_hash=row.evidence_hash,
        filed_at=from_micros(row.filed_at),
        expires_at=from_micros(row.expires_at),
        sources=tuple(_source_of(source) for source in sorted(sources, key=_place)),
        version=row.version,
        delivered_at=_moment(row.delivered_at),
        effective_from=_moment(row.effective_from),
        effective_at=_moment(row.effective_at),
        settled_at=_moment(row.settled_at),
        back_to=row.back_to,
        dispute=_dispute_of(row),
        ruling=_ruling_of(row),
        disputes=row.disputes,
        heard=_hashes(row.heard),
        evidence=_hashes(row.evidence),
        prolonged_from=_moment(row.prolonged_from),
        words=None if words is None else v1.SubjectWords.FromString(words),
        withdrawal=row.withdrawal,
    )


def _hashes(joined: bytes) -> frozenset[bytes]:
    return frozenset(
        joined[start : start + _HASH_BYTES] for start in range(0, len(joined), _HASH_BYTES)
    )


def _place(row: Row[Any]) -> int:
    return int(row.place)


def _source_of(row: Row[Any]) -> Source:
    return Source(
        row.source, row.filing_id, row.court, row.basis, from_micros(row.reconfirmed_at), row.live
    )


def _dispute_of(row: Row[Any]) -> OpenDispute | None:
    if row.dispute_id is None:
        return None
    return OpenDispute(
        row.dispute_id,
        row.dispute_stage,
        row.dispute_ground,
        row.dispute_reviewer,
        from_micros(row.dispute_due_at),
        row.dispute_suppresses,
        row.dispute_extended,
    )


def _ruling_of(row: Row[Any]) -> LastRuling | None:
    if row.ruling_id is None:
        return None
    return LastRuling(
        row.ruling_id, row.ruling_reviewer, from_micros(row.ruled_at), row.ruling_appealed
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
