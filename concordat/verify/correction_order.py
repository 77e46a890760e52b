"""A regulator's order to put a listing right, and the review that comes with it."""

from datetime import datetime

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified
from concordat.v1 import ListingAction, Reason
from concordat.verify.listing_statements import (
    open_member_event,
    open_member_statement,
    require_signer,
)


def open_correction_order(
    envelope: v1.Envelope, regulator: Member, anchors: Anchors, at: datetime
) -> Verified[v1.CorrectionOrder]:
    """Verify a regulator's own order. Raises ``Refusal``.

    Whether it is fresh is for whoever takes it in first to say.
    """
    verified = open_member_statement(envelope, v1.CorrectionOrder, regulator, anchors, at)
    order = verified.message
    require_signer(order.regulator, regulator)
    with refusing_untrusted():
        _ = from_timestamp(order.issued_at), from_timestamp(order.due_at)
    return verified


def open_review_of(
    order: v1.CorrectionOrder,
    envelope: v1.Envelope,
    regulator: Member,
    anchors: Anchors,
    at: datetime,
) -> Verified[v1.ListingEvent]:
    """Verify the event that opens the review of an ordered listing. Raises ``Refusal``."""
    verified = open_member_event(envelope, regulator, anchors, at)
    event = verified.message
    if event.action != ListingAction.LISTING_ACTION_OPEN_REVIEW or (
        event.subject_ref,
        event.listing_id,
    ) != (order.subject_ref, order.listing_id):
        raise Refusal(Reason.REASON_ORDER_REFUSED, "the event opens no review of the order's")
    return verified
