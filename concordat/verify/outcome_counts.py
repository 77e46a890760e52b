"""What a lender tells of outcomes: its own counts, of a period that is over."""

from datetime import datetime

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import refusing_untrusted
from concordat.trust.envelope import Verified
from concordat.verify.listing_statements import (
    open_member_statement,
    require_not_from_after,
    require_signer,
)


def open_outcome_counts(
    envelope: v1.Envelope, lender: Member, anchors: Anchors, at: datetime
) -> Verified[v1.OutcomeCounts]:
    """Verify a lender's own counts, made by ``at``. Raises ``Refusal``."""
    verified = open_member_statement(envelope, v1.OutcomeCounts, lender, anchors, at)
    said = verified.message
    require_signer(said.lender, lender)
    with refusing_untrusted():
        _ = from_timestamp(said.period_from), from_timestamp(said.period_until)
    require_not_from_after(said.made_at, at)
    return verified
