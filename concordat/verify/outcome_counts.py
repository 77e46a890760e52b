"""What a lender tells of outcomes: its own counts, of a period that is over."""

from datetime import datetime

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified
from concordat.v1 import Reason
from concordat.verify.listing_statements import open_member_statement


def open_outcome_counts(
    envelope: v1.Envelope, lender: Member, anchors: Anchors, at: datetime
) -> Verified[v1.OutcomeCounts]:
    """Verify a lender's own counts, made by ``at``. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.OutcomeCounts, lender, anchors, at)
    said = verified.message
    if said.lender != lender.member_id:
        raise Refusal(
            Reason.REASON_CALLER_NOT_SIGNER, f"names {said.lender}, signed by {lender.member_id}"
        )
    with refusing_untrusted():
        made = from_timestamp(said.made_at)
        _ = from_timestamp(said.period_from), from_timestamp(said.period_until)
    if made > at + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"made at {made}")
    return verified
