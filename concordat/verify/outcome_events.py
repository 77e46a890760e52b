"""What a lender says came of an access: its own statement, about a decision that was taken."""

from datetime import datetime

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.trust.envelope import Verified
from concordat.v1 import OutcomeKind
from concordat.verify.listing_statements import (
    open_member_statement,
    require_not_from_after,
    require_signer,
)


def open_outcome_event(
    envelope: v1.Envelope, lender: Member, anchors: Anchors, at: datetime
) -> Verified[v1.OutcomeEvent]:
    """Verify a lender's own word on what it decided by ``at``. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.OutcomeEvent, lender, anchors, at)
    said = verified.message
    require_signer(said.lender, lender)
    require_not_from_after(said.decided_at, at)
    return verified


def is_unreviewed(event: v1.OutcomeEvent) -> bool:
    """Tell whether something was not granted and no person reviewed that (R17; GDPR 22, C-634/21)."""
    return event.outcome == OutcomeKind.OUTCOME_KIND_NOT_GRANTED and not event.reviewed_by_person
