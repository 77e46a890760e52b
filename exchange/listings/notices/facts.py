"""What a notice is made of: closed fields of a listing, and names from licences. Nobody's free text."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.v1 import DisputeGround, ListingKind, ListingState, OrderedAction, WithdrawalCode
from exchange.listings.machine import ALLOWED, Act, Listing
from exchange.listings.profile import Profile, Span

_APPEALABLE = frozenset(state for _, states in ALLOWED[Act.APPEAL] for state in states)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """A regulator's order as the listing's subject is told of it. The name is a legal name."""

    furnisher: str
    action: OrderedAction.ValueType
    legal_article: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """A listing as its subject is told of it. Names are legal names; times are UTC."""

    federation: str
    regulator: str
    listing_id: bytes  # 16
    sources: tuple[str, ...]  # who vouches for it, the first filer first; at least one
    kind: ListingKind.ValueType
    basis: v1.ListingBasis.ValueType
    currency: str  # ISO 4217
    amount: int  # minor units
    delinquent_since: datetime
    evidence_hash: bytes  # SHA-256
    filed_at: datetime
    expires_at: datetime
    state: ListingState.ValueType
    notice: Span  # from the notice's delivery to the earliest effect
    dispute: Span  # from a dispute to its ruling
    appeal_within: Span  # from a ruling to its appeal
    hidden_while_disputed: bool
    actor: str = ""  # who caused a change; empty for the subject and the exchange
    effective_from: datetime | None = None  # the earliest effect, once the notice is served
    decide_by: datetime | None = None  # of the open dispute
    appeal_until: datetime | None = None  # of a ruling that can still be appealed
    ground: DisputeGround.ValueType = DisputeGround.DISPUTE_GROUND_UNSPECIFIED
    withdrawal: WithdrawalCode.ValueType = WithdrawalCode.WITHDRAWAL_CODE_UNSPECIFIED
    order: OrderFacts | None = None  # of a regulator


def facts_of(
    listing: Listing,
    profile: Profile,
    name_of: Callable[[str], str],
    *,
    federation: str,
    regulator: str,
    actor: str = "",
) -> NoticeFacts:
    """Return the facts of a listing under its profile.

    ``name_of`` gives the legal name of a member; ``regulator`` and ``actor`` are member ids, the latter
    empty where the subject or the exchange caused what is told.
    """
    ruling, dispute = listing.ruling, listing.dispute
    appealable = listing.state in _APPEALABLE and ruling is not None and not ruling.appealed
    return NoticeFacts(
        federation=federation,
        regulator=name_of(regulator),
        listing_id=listing.listing_id,
        sources=tuple(
            name_of(source.member_id) for source in listing.live_sources or listing.sources
        ),
        kind=listing.kind,
        basis=listing.basis,
        currency=listing.currency,
        amount=listing.amount,
        delinquent_since=listing.delinquent_since,
        evidence_hash=listing.evidence_hash,
        filed_at=listing.filed_at,
        expires_at=listing.expires_at,
        state=listing.state,
        notice=profile.notice,
        dispute=profile.dispute,
        appeal_within=profile.appeal_within,
        hidden_while_disputed=profile.limits(listing.kind).while_disputed == "suppress",
        actor=name_of(actor) if actor else "",
        effective_from=listing.effective_from,
        decide_by=dispute.due_at if dispute else None,
        appeal_until=profile.appeal_within.after(ruling.decided_at)
        if ruling is not None and appealable
        else None,
        ground=dispute.ground if dispute else DisputeGround.DISPUTE_GROUND_UNSPECIFIED,
        withdrawal=listing.withdrawal,
    )
