"""Moves of listings that a sandbox's exchange might have seen: filed, contested, in force, disputed, ended. Pure.

Made up for the counts alone: no such listing is kept once it was counted, and the people are none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from concordat import v1
from concordat.v1 import DisputeGround, DisputeStage, ListingAction, ListingActKind, RulingOutcome
from exchange.listings.announcements import Change
from exchange.listings.cause import Cause
from exchange.listings.machine import Listing
from exchange.listings.machine.listing import (
    APPEAL,
    CONTESTED,
    DRAFT,
    EFFECTIVE,
    EXPIRED,
    NOTICED,
    SETTLED,
    UNDER_REVIEW,
    WITHDRAWN,
    OpenDispute,
    Source,
)
from tools.made_up_past import moment, often, rhythm

_YEAR = timedelta(days=365)
_FILED, _IN_FORCE, _CONTESTED, _DISPUTED, _RULED, _RAN_OUT, _ENDED = (
    5.0,
    4.2,
    0.5,
    1.3,
    1.6,
    0.05,
    2.4,
)
_SIZES = (1.4, 1.0, 0.7, 0.5)  # of furnishers, beside each other
_STANDING = {
    DRAFT: 14.0,
    NOTICED: 46.0,
    CONTESTED: 17.0,
    EFFECTIVE: 180.0,
    UNDER_REVIEW: 27.0,
    APPEAL: 6.0,
    SETTLED: 39.0,
}
"""How many of a usual furnisher stand in each state at the end of a day."""
_UPHELD = 0.34  # of what is ruled
_EVENT = ListingActKind.LISTING_ACT_KIND_EVENT


def changes(
    day: datetime, furnishers: Sequence[str], chance: random.Random
) -> Iterator[tuple[datetime, Change]]:
    """Yield the moves of a day, each with its time; the first furnisher files most."""
    for place, furnisher in enumerate(furnishers):
        busy = rhythm(day, chance) * _SIZES[place % 4]
        for make, mean in (
            (_filed, _FILED),
            (_in_force, _IN_FORCE),
            (_contested, _CONTESTED),
            (_disputed, _DISPUTED),
            (_ruled, _RULED),
            (_ran_out, _RAN_OUT),
            (_ended, _ENDED),
        ):
            for _ in range(often(mean * busy, chance)):
                at = moment(day, chance)
                yield at, make(_noticed(furnisher, at, chance), at, chance)


def standing(day: datetime, furnishers: Sequence[str], chance: random.Random) -> Iterator[Listing]:
    """Yield the listings that stand at the end of a day, none of them ended."""
    for place, furnisher in enumerate(furnishers):
        for state, mean in _STANDING.items():
            for _ in range(often(mean * _SIZES[place % 4], chance)):
                yield replace(_noticed(furnisher, day, chance), state=state)


def _noticed(furnisher: str, at: datetime, chance: random.Random) -> Listing:
    """Return a listing of which its subject has notice."""
    basis = v1.ListingBasis.LISTING_BASIS_LOAN
    return Listing(
        listing_id=chance.randbytes(16),
        subject_ref=chance.randbytes(32),
        debt=chance.randbytes(32),
        profile="us",
        state=NOTICED,
        currency="USD",
        amount=75_000,
        delinquent_since=at - _YEAR,
        evidence_hash=chance.randbytes(32),
        filed_at=at,
        expires_at=at + 6 * _YEAR,
        sources=(
            Source(furnisher, chance.randbytes(16), court=False, basis=basis, reconfirmed_at=at),
        ),
    )


def _event(
    actor: str = "", action: ListingAction.ValueType = ListingAction.LISTING_ACTION_STATE
) -> Cause:
    return Cause(_EVENT, actor, b"", v1.ListingEvent(), action=action)


def _in_effect(listing: Listing, at: datetime) -> Listing:
    return replace(listing, state=EFFECTIVE, effective_at=at)


def _heard(listing: Listing, at: datetime, chance: random.Random) -> Listing:
    """Return a listing with a dispute that waits for its ruling."""
    dispute = OpenDispute(
        dispute_id=chance.randbytes(16),
        stage=DisputeStage.DISPUTE_STAGE_REVIEW,
        ground=DisputeGround.DISPUTE_GROUND_PAID,
        reviewer="",
        due_at=at + timedelta(days=30),
        suppresses=True,
    )
    state = UNDER_REVIEW if listing.effective_at else CONTESTED
    return replace(listing, state=state, dispute=dispute, disputes=1)


def _filed(listing: Listing, _at: datetime, _chance: random.Random) -> Change:
    filed = Cause(ListingActKind.LISTING_ACT_KIND_FILED, "", b"", v1.ListingFiling())
    return Change(None, listing, filed)


def _in_force(listing: Listing, at: datetime, _chance: random.Random) -> Change:
    return Change(listing, _in_effect(listing, at), _event())


def _contested(listing: Listing, at: datetime, chance: random.Random) -> Change:
    return Change(listing, _heard(listing, at, chance), _dispute())


def _disputed(listing: Listing, at: datetime, chance: random.Random) -> Change:
    before = _in_effect(listing, at)
    return Change(before, _heard(before, at, chance), _dispute())


def _dispute() -> Cause:
    return Cause(ListingActKind.LISTING_ACT_KIND_DISPUTED, "", b"", v1.Dispute())


def _ruled(listing: Listing, at: datetime, chance: random.Random) -> Change:
    upheld = chance.random() < _UPHELD
    outcome = (
        RulingOutcome.RULING_OUTCOME_UPHELD if upheld else RulingOutcome.RULING_OUTCOME_REJECTED
    )
    ruled = Cause(ListingActKind.LISTING_ACT_KIND_RULED, "", b"", v1.Ruling(outcome=outcome))
    before = _heard(_in_effect(listing, at), at, chance)
    after = replace(before, state=WITHDRAWN if upheld else EFFECTIVE, dispute=None)
    return Change(before, after, ruled)


def _ran_out(listing: Listing, at: datetime, chance: random.Random) -> Change:
    before = _heard(_in_effect(listing, at), at, chance)
    after = replace(before, state=WITHDRAWN, dispute=None)
    return Change(before, after, _event(action=ListingAction.LISTING_ACTION_TIME_OUT))


def _ended(listing: Listing, at: datetime, _chance: random.Random) -> Change:
    before = _in_effect(listing, at)
    return Change(before, replace(before, state=EXPIRED), _event())
