"""Being heard: how a dispute is raised, and what a ruling does."""

from dataclasses import replace
from datetime import datetime

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import DisputeGround, Reason, RulingOutcome
from exchange.listings.machine.allowed import STAGES, Act, Actor, Party, require_allowed
from exchange.listings.machine.listing import (
    APPEAL,
    CONTESTED,
    EFFECTIVE,
    SETTLED,
    UNDER_REVIEW,
    WITHDRAWN,
    LastRuling,
    Listing,
    OpenDispute,
)
from exchange.listings.machine.steps import (
    corrected,
    ended,
    require_decides,
    require_independent,
    require_open,
    returned,
    suppresses,
    undecided,
)
from exchange.listings.profile import Profile


def raise_dispute(listing: Listing, dispute: v1.Dispute, profile: Profile, at: datetime) -> Listing:
    """Return the listing that the subject contests, disputes or appeals about.

    A dispute after the first must bring evidence that was not heard; an appeal must be of the last ruling,
    in time, once, and to somebody else than who made it. Raises ``Refusal``.
    """
    act = STAGES[dispute.stage]
    require_allowed(listing, act, Party(Actor.SUBJECT))
    require_independent(listing, dispute.reviewer)
    evidence = frozenset(dispute.evidence_hashes)
    if act is Act.APPEAL:
        listing = _appealed(listing, dispute, profile, at)
    elif listing.disputes and not evidence - listing.heard:
        raise Refusal(Reason.REASON_DISPUTE_REPEATED)
    limit = profile.appeal if act is Act.APPEAL else profile.dispute
    state = {Act.CONTEST: CONTESTED, Act.DISPUTE: UNDER_REVIEW, Act.APPEAL: APPEAL}[act]
    return replace(
        listing,
        state=state,
        back_to=listing.state,
        disputes=listing.disputes + 1,
        heard=listing.heard | evidence,
        dispute=OpenDispute(
            dispute.dispute_id,
            dispute.stage,
            dispute.ground,
            dispute.reviewer,
            limit.after(at),
            suppresses(listing, profile),
        ),
    )


def _appealed(listing: Listing, dispute: v1.Dispute, profile: Profile, at: datetime) -> Listing:
    ruling = listing.ruling
    if ruling is None or ruling.appealed or ruling.ruling_id != dispute.ruling_id:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "no ruling that can be appealed")
    if at >= profile.appeal_within.after(ruling.decided_at):
        raise Refusal(Reason.REASON_APPEAL_TOO_LATE)
    if ruling.reviewer == dispute.reviewer:
        raise Refusal(Reason.REASON_REVIEWER_NOT_INDEPENDENT, "the ruling is its own")
    return replace(listing, ruling=replace(ruling, appealed=True))


def rule(
    listing: Listing, ruling: v1.Ruling, party: Party, profile: Profile, at: datetime
) -> Listing:
    """Return the listing after a ruling on its open dispute. Raises ``Refusal``.

    What is upheld is withdrawn. A contest that is rejected takes effect once the whole notice period has
    run; any other listing returns to where it was.
    """
    require_allowed(listing, Act.RULE, party)
    dispute = require_open(listing, ruling.dispute_id)
    require_decides(dispute, party)
    require_independent(listing, party.member_id)
    if at >= dispute.due_at:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "the limit is over")
    if (
        party.actor is Actor.APPEAL
        and listing.ruling
        and listing.ruling.reviewer == party.member_id
    ):
        raise Refusal(Reason.REASON_REVIEWER_NOT_INDEPENDENT, "the ruling is its own")
    last = LastRuling(ruling.ruling_id, party.member_id, at, appealed=party.actor is Actor.APPEAL)
    decided = replace(listing, ruling=last)
    match ruling.outcome:
        case RulingOutcome.RULING_OUTCOME_UPHELD:
            return ended(decided, WITHDRAWN)
        case RulingOutcome.RULING_OUTCOME_UNVERIFIABLE:
            return undecided(decided, dispute, profile, at)
        case RulingOutcome.RULING_OUTCOME_RECTIFIED:
            decided = corrected(decided, ruling.correction, profile)
            if ruling.not_settled:
                decided = _unsettled(decided, dispute)
    return returned(decided, at)


def _unsettled(listing: Listing, dispute: OpenDispute) -> Listing:
    """Return a listing whose settlement is struck out; its end stays where settling had put it.

    Only where that is what the review is about: nobody's own dispute puts him worse.
    """
    if dispute.ground != DisputeGround.DISPUTE_GROUND_SETTLEMENT_DENIED:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "no settlement is in dispute")
    if listing.back_to != SETTLED:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "it is not settled")
    return replace(listing, settled_at=None, back_to=EFFECTIVE)
