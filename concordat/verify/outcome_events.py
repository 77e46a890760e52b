"""What a lender says came of an access: its own statement, about a decision that was taken."""

from datetime import datetime

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified
from concordat.v1 import OutcomeKind, Reason
from concordat.verify.listing_statements import open_member_statement


def open_outcome_event(
    envelope: v1.Envelope, lender: Member, anchors: Anchors, at: datetime
) -> Verified[v1.OutcomeEvent]:
    """Verify a lender's own word on what it decided by ``at``. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.OutcomeEvent, lender, anchors, at)
    said = verified.message
    if said.lender != lender.member_id:
        raise Refusal(
            Reason.REASON_CALLER_NOT_SIGNER, f"names {said.lender}, signed by {lender.member_id}"
        )
    with refusing_untrusted():
        decided = from_timestamp(said.decided_at)
    if decided > at + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"decided at {decided}")
    return verified


def is_unreviewed(event: v1.OutcomeEvent) -> bool:
    """Tell whether something was not granted and no person reviewed that (R17; GDPR 22, C-634/21)."""
    return event.outcome == OutcomeKind.OUTCOME_KIND_NOT_GRANTED and not event.reviewed_by_person
