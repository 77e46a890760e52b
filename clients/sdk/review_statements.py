"""What a reviewer signs: rulings, more time, a review of its own motion, a listing struck out.

Whom and what each is about comes as a ``ReviewSummary``: from the queue, or with only the subject and the
listing set.
"""

from datetime import datetime

from clients.sdk.identity import MemberIdentity
from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import seal
from concordat.v1 import ListingAction, RulingOutcome, WithdrawalCode


def make_ruling(
    identity: MemberIdentity,
    federation: str,
    review: v1.ReviewSummary,
    outcome: RulingOutcome.ValueType,
    reasons: str,
    at: datetime,
    *,
    correction: v1.Correction | None = None,
    not_settled: bool = False,
) -> v1.Envelope:
    """Return the signed ruling; ``correction`` goes with RECTIFIED and nothing else.

    Raises ``StatementMalformedError`` where it breaks a bound of the proto.
    """
    ruling = v1.Ruling(
        ruling_id=new_id(),
        federation=federation,
        reviewer=identity.member_id,
        subject_ref=review.subject_ref,
        listing_id=review.listing_id,
        dispute_id=review.dispute_id,
        outcome=outcome,
        reasons=reasons,
        correction=correction,
        not_settled=not_settled,
        decided_at=to_timestamp(at),
    )
    return seal(ruling, identity.signer)


def make_extension(
    identity: MemberIdentity, federation: str, review: v1.ReviewSummary, reasons: str, at: datetime
) -> v1.Envelope:
    """Return the signed event that takes more time for a dispute."""
    event = _event(identity, federation, ListingAction.LISTING_ACTION_EXTEND, review, at)
    event.extension.dispute_id = review.dispute_id
    event.extension.reasons = reasons
    return seal(event, identity.signer)


def make_opening(
    identity: MemberIdentity,
    federation: str,
    listing: v1.ReviewSummary,
    ground: v1.DisputeGround.ValueType,
    at: datetime,
) -> v1.Envelope:
    """Return the signed event that opens a review of one's own motion; ``listing`` names it and its subject."""
    event = _event(identity, federation, ListingAction.LISTING_ACTION_OPEN_REVIEW, listing, at)
    event.ground = ground
    return seal(event, identity.signer)


def make_strike_out(
    identity: MemberIdentity, federation: str, listing: v1.ReviewSummary, at: datetime
) -> v1.Envelope:
    """Return the signed event that strikes a listing out before its effect."""
    event = _event(identity, federation, ListingAction.LISTING_ACTION_WITHDRAW, listing, at)
    event.withdrawal = WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT
    return seal(event, identity.signer)


def _event(
    identity: MemberIdentity,
    federation: str,
    action: ListingAction.ValueType,
    listing: v1.ReviewSummary,
    at: datetime,
) -> v1.ListingEvent:
    return v1.ListingEvent(
        event_id=new_id(),
        federation=federation,
        subject_ref=listing.subject_ref,
        listing_id=listing.listing_id,
        actor=identity.member_id,
        action=action,
        decided_at=to_timestamp(at),
    )
