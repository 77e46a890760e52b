"""Who may do what to a listing in which state: the table of rights.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from concordat.refusal import Refusal
from concordat.v1 import DisputeStage, ListingAction, ListingState, Reason
from exchange.listings.machine.listing import (
    APPEAL,
    CONTESTED,
    DRAFT,
    EFFECTIVE,
    LIVE,
    NOTICED,
    SETTLED,
    UNDER_REVIEW,
    Listing,
    State,
)


class Actor(Enum):
    """In what part somebody acts on a listing."""

    FURNISHER = "furnisher"
    COURT = "court"
    SUBJECT = "subject"
    REVIEWER = "reviewer"
    APPEAL = "appeal body"
    REGULATOR = "regulator"
    EXCHANGE = "exchange"


class Act(Enum):
    """What can be done to a listing that exists."""

    NOTICE_SERVED = "the notice is served"
    TAKE_EFFECT = "it takes effect"
    EXPIRE = "it expires"
    TIME_OUT = "a dispute times out"
    REPAIR = "it ends early after settlement"
    END_REVIEW = "a review ends, its order obeyed"
    RECONFIRM = "reconfirm"
    SETTLE = "settle"
    WITHDRAW = "withdraw"
    CORRECT = "correct"
    PROLONG = "prolong by court order"
    OPEN_REVIEW = "open a review"
    EXTEND = "take more time"
    STATE = "attach words"
    CONTEST = "contest"
    DISPUTE = "dispute"
    APPEAL = "appeal"
    RULE = "rule"


_SOURCES = frozenset({Actor.FURNISHER, Actor.COURT})
_EXCHANGE = frozenset({Actor.EXCHANGE})
_SUBJECT = frozenset({Actor.SUBJECT})
_IN_FORCE = frozenset({EFFECTIVE, SETTLED})

Allowed = tuple[frozenset[Actor], frozenset[State]]
ALLOWED: Mapping[Act, tuple[Allowed, ...]] = {
    Act.NOTICE_SERVED: ((_EXCHANGE, frozenset({DRAFT})),),
    Act.TAKE_EFFECT: ((_EXCHANGE, frozenset({NOTICED})),),
    Act.EXPIRE: ((_EXCHANGE, LIVE),),
    Act.TIME_OUT: ((_EXCHANGE, frozenset({CONTESTED, UNDER_REVIEW, APPEAL})),),
    # What is settled is repaired when that is due, whether or not its subject disputes it meanwhile.
    Act.REPAIR: ((_EXCHANGE, frozenset({SETTLED, UNDER_REVIEW, APPEAL})),),
    Act.END_REVIEW: ((_EXCHANGE, frozenset({UNDER_REVIEW})),),
    Act.RECONFIRM: ((_SOURCES, LIVE),),
    Act.SETTLE: ((_SOURCES | _SUBJECT, frozenset({EFFECTIVE, UNDER_REVIEW, APPEAL})),),
    Act.WITHDRAW: (
        (_SOURCES, LIVE),
        (frozenset({Actor.REVIEWER}), frozenset({NOTICED, CONTESTED})),
    ),
    Act.CORRECT: ((_SOURCES, LIVE),),
    Act.PROLONG: ((frozenset({Actor.COURT}), frozenset({EFFECTIVE})),),
    Act.OPEN_REVIEW: ((frozenset({Actor.REVIEWER, Actor.REGULATOR}), _IN_FORCE),),
    Act.EXTEND: ((frozenset({Actor.REVIEWER}), frozenset({CONTESTED, UNDER_REVIEW})),),
    Act.STATE: ((_SUBJECT, LIVE),),
    Act.CONTEST: ((_SUBJECT, frozenset({NOTICED})),),
    Act.DISPUTE: ((_SUBJECT, _IN_FORCE),),
    Act.APPEAL: ((_SUBJECT, frozenset({NOTICED, EFFECTIVE, SETTLED})),),
    Act.RULE: (
        (frozenset({Actor.REVIEWER}), frozenset({CONTESTED, UNDER_REVIEW})),
        (frozenset({Actor.APPEAL}), frozenset({APPEAL})),
    ),
}
"""Who may do what in which state. What is not here is refused with REASON_LISTING_TRANSITION_REFUSED."""

ACT_OF: Mapping[int, Act] = {
    ListingAction.LISTING_ACTION_RECONFIRM: Act.RECONFIRM,
    ListingAction.LISTING_ACTION_SETTLE: Act.SETTLE,
    ListingAction.LISTING_ACTION_WITHDRAW: Act.WITHDRAW,
    ListingAction.LISTING_ACTION_CORRECT: Act.CORRECT,
    ListingAction.LISTING_ACTION_OPEN_REVIEW: Act.OPEN_REVIEW,
    ListingAction.LISTING_ACTION_EXTEND: Act.EXTEND,
    ListingAction.LISTING_ACTION_STATE: Act.STATE,
    ListingAction.LISTING_ACTION_NOTICE_SERVED: Act.NOTICE_SERVED,
    ListingAction.LISTING_ACTION_TAKE_EFFECT: Act.TAKE_EFFECT,
    ListingAction.LISTING_ACTION_TIME_OUT: Act.TIME_OUT,
    ListingAction.LISTING_ACTION_REPAIR: Act.REPAIR,
    ListingAction.LISTING_ACTION_EXPIRE: Act.EXPIRE,
    ListingAction.LISTING_ACTION_PROLONG: Act.PROLONG,
    ListingAction.LISTING_ACTION_END_REVIEW: Act.END_REVIEW,
}
STAGES: Mapping[int, Act] = {
    DisputeStage.DISPUTE_STAGE_CONTEST: Act.CONTEST,
    DisputeStage.DISPUTE_STAGE_REVIEW: Act.DISPUTE,
    DisputeStage.DISPUTE_STAGE_APPEAL: Act.APPEAL,
}


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts: a member in one of its parts, or (with an empty id) the subject."""

    actor: Actor
    member_id: str = ""


def require_allowed(listing: Listing, act: Act, party: Party) -> None:
    """Raise ``Refusal`` unless this actor may do this in this state.

    Who is no source (any more) is told just that, so that it learns nothing of how the listing stands.
    """
    if party.actor in _SOURCES and not any(
        source.member_id == party.member_id for source in listing.live_sources
    ):
        raise Refusal(Reason.REASON_LISTING_NOT_OWN, f"{party.member_id} is no source")
    if not any(party.actor in who and listing.state in states for who, states in ALLOWED[act]):
        raise Refusal(
            Reason.REASON_LISTING_TRANSITION_REFUSED,
            f"{act.value} by {party.actor.value} in {ListingState.Name(listing.state)}",
        )


def require_live(listing: Listing) -> None:
    """Raise ``Refusal`` where a listing has ended."""
    if listing.state not in LIVE:
        raise Refusal(
            Reason.REASON_LISTING_TRANSITION_REFUSED, f"ended: {ListingState.Name(listing.state)}"
        )
