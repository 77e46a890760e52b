"""What the exchange recalls of what it told a lender (R14), checked offline."""

from datetime import datetime

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.trust.envelope import Verified, open_envelope, parse_statement
from concordat.verify.finding import finding, made_at
from concordat.verify.mismatch import MismatchError


def verify_retraction(
    envelope: v1.Envelope, *, exchange: Member, lender: str, anchors: Anchors, at: datetime
) -> Verified[v1.Retraction]:
    """Check that the exchange recalls something that it told this lender. Raises ``AnswerBroken``."""
    with finding():
        made = made_at(parse_statement(v1.Retraction, envelope.payload).issued_at, at)
        signed = open_envelope(envelope, v1.Retraction, exchange.keys, made)
        retraction = signed.message
        anchors.require_federation(retraction.federation)
        if retraction.lender != lender:
            raise MismatchError(f"the retraction is for {retraction.lender}")
        if from_timestamp(retraction.acknowledge_by) <= made:
            raise MismatchError("the retraction was to be acknowledged before it was made")
        return signed


def require_retraction_of(
    retraction: v1.Retraction,
    *,
    answer_digest: bytes,
    subject_ref: bytes,
    listings: v1.ListingsInForce,
    answered_at: datetime,
) -> v1.ListingInView:
    """Return the listing that a retraction recalls from an answer that the lender has kept.

    ``listings`` are those of the subject in that answer. Raises ``AnswerBroken`` where it names another
    answer or subject, a place that the answer does not have, or an answer that came later.
    """
    with finding():
        if retraction.answer_digest != answer_digest:
            raise MismatchError("the retraction is of another answer")
        if retraction.subject_ref != subject_ref:
            raise MismatchError("the retraction is about another subject than the answer")
        if retraction.position >= len(listings.listings):
            raise MismatchError("the answer has no listing in the place that is recalled")
        if from_timestamp(retraction.issued_at) + MAX_SKEW < answered_at:
            raise MismatchError("the retraction is older than the answer")
        return listings.listings[retraction.position]
