"""What a listing is: a value, with everything that its rules ask for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from concordat import v1
from concordat.v1 import DisputeStage, ListingKind, ListingState, WithdrawalCode

DRAFT = ListingState.LISTING_STATE_DRAFT
NOTICED = ListingState.LISTING_STATE_NOTICED
CONTESTED = ListingState.LISTING_STATE_CONTESTED
EFFECTIVE = ListingState.LISTING_STATE_EFFECTIVE
SETTLED = ListingState.LISTING_STATE_SETTLED
UNDER_REVIEW = ListingState.LISTING_STATE_UNDER_REVIEW
APPEAL = ListingState.LISTING_STATE_APPEAL
WITHDRAWN = ListingState.LISTING_STATE_WITHDRAWN
REPAIRED = ListingState.LISTING_STATE_REPAIRED
EXPIRED = ListingState.LISTING_STATE_EXPIRED

State: TypeAlias = ListingState.ValueType
LIVE: frozenset[State] = frozenset(
    {DRAFT, NOTICED, CONTESTED, EFFECTIVE, SETTLED, UNDER_REVIEW, APPEAL}
)
ENDS: frozenset[State] = frozenset({WITHDRAWN, REPAIRED, EXPIRED})


@dataclass(frozen=True, slots=True)
class Source:
    """A furnisher or court that vouches for a listing."""

    member_id: str
    filing_id: bytes
    court: bool
    basis: v1.ListingBasis.ValueType
    reconfirmed_at: datetime
    live: bool = True


@dataclass(frozen=True, slots=True)
class OpenDispute:
    """A dispute that waits for its ruling."""

    dispute_id: bytes
    stage: DisputeStage.ValueType
    ground: v1.DisputeGround.ValueType
    reviewer: str  # who decides; empty where any of the right role may
    due_at: datetime
    suppresses: bool
    extended: bool = False


@dataclass(frozen=True, slots=True)
class LastRuling:
    """The ruling that a subject may still appeal."""

    ruling_id: bytes
    reviewer: str
    decided_at: datetime
    appealed: bool = False  # or the appeal body's own, from which no appeal lies


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing: one debt or judgment of one subject, whoever vouches for it. Amounts in minor units."""

    listing_id: bytes
    subject_ref: bytes
    debt: bytes  # the debt commitment
    profile: str  # name of the profile whose limits apply
    state: State
    currency: str
    amount: int
    delinquent_since: datetime  # the anchor of all limits; it never moves forward
    evidence_hash: bytes
    filed_at: datetime
    expires_at: datetime  # never grows, but by a court's own order
    sources: tuple[Source, ...]
    version: int = 1
    delivered_at: datetime | None = None
    effective_from: datetime | None = None  # the earliest effect; from the notice's delivery on
    effective_at: datetime | None = None
    settled_at: datetime | None = None
    back_to: State | None = None  # where a dispute returns it to
    dispute: OpenDispute | None = None
    ruling: LastRuling | None = None
    disputes: int = 0  # raised so far
    heard: frozenset[bytes] = frozenset()  # evidence of all disputes so far
    evidence: frozenset[bytes] = frozenset()  # of all filings and corrections so far
    prolonged_from: datetime | None = None  # the end before a court's order
    words: v1.SubjectWords | None = None
    withdrawal: WithdrawalCode.ValueType = WithdrawalCode.WITHDRAWAL_CODE_UNSPECIFIED

    @property
    def live_sources(self) -> tuple[Source, ...]:
        """Those that vouch for it now."""
        return tuple(source for source in self.sources if source.live)

    @property
    def kind(self) -> ListingKind.ValueType:
        """A judgment while a court vouches for it, else a debt."""
        sources = self.live_sources or self.sources
        if any(source.court for source in sources):
            return ListingKind.LISTING_KIND_JUDGMENT
        return ListingKind.LISTING_KIND_DEBT

    @property
    def basis(self) -> v1.ListingBasis.ValueType:
        """What it arose from: the judgment's where there is one."""
        sources = self.live_sources or self.sources
        return next((source.basis for source in sources if source.court), sources[0].basis)

    @property
    def court(self) -> str:
        """The court whose register it must be found in, where no other source vouches for it; else empty."""
        sources = self.live_sources
        if not sources or not all(source.court for source in sources):
            return ""
        return sources[0].member_id

    @property
    def closed(self) -> bool:
        """Whether the debt is done with: it is never listed again."""
        return (
            self.settled_at is not None
            or self.state == REPAIRED
            or self.withdrawal
            in (WithdrawalCode.WITHDRAWAL_CODE_PAID, WithdrawalCode.WITHDRAWAL_CODE_WAIVED)
        )


@dataclass(frozen=True, slots=True)
class PastDebt:
    """What is remembered of a debt once a listing of it has ended: the most favourable of all of them."""

    delinquent_since: datetime
    expires_at: datetime
    closed: bool
    evidence: frozenset[bytes]

    @classmethod
    def of(cls, listings: Iterable[Listing]) -> "PastDebt | None":
        """Return the memory of a debt's ended listings; None where there are none."""
        ended = list(listings)
        if not ended:
            return None
        return cls(
            min(listing.delinquent_since for listing in ended),
            min(listing.expires_at for listing in ended),
            any(listing.closed for listing in ended),
            frozenset().union(*(listing.evidence for listing in ended)),
        )
