"""Steps that several moves share; pure, each from a listing to the listing after it."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from concordat import v1
from concordat.clock import from_timestamp
from concordat.refusal import Refusal
from concordat.v1 import DisputeStage, ListingKind, Reason, WithdrawalCode
from exchange.listings.machine.allowed import Party
from exchange.listings.machine.listing import (
    APPEAL,
    CONTESTED,
    EFFECTIVE,
    WITHDRAWN,
    Listing,
    OpenDispute,
    State,
)
from exchange.listings.profile import Profile


def ended(
    listing: Listing,
    state: State,
    code: WithdrawalCode.ValueType = WithdrawalCode.WITHDRAWAL_CODE_UNSPECIFIED,
) -> Listing:
    """Return the listing at one of its ends; ``code`` is why its source took it back."""
    return replace(listing, state=state, back_to=None, dispute=None, withdrawal=code)


def returned(listing: Listing, at: datetime) -> Listing:
    """Return the listing to where its dispute found it; what was contested takes effect if it may."""
    state = listing.back_to
    assert state is not None  # noqa: S101 - set with every dispute
    contested = listing.state == CONTESTED
    after = replace(listing, state=state, back_to=None, dispute=None)
    if contested and listing.effective_from is not None and at >= listing.effective_from:
        return replace(after, state=EFFECTIVE, effective_at=at)
    return after


def require_independent(listing: Listing, reviewer: str) -> None:
    """Raise ``Refusal`` where a reviewer ever was a source of the listing."""
    if any(source.member_id == reviewer for source in listing.sources):
        raise Refusal(Reason.REASON_REVIEWER_NOT_INDEPENDENT, f"{reviewer} is a source")


def require_decides(dispute: OpenDispute, party: Party) -> None:
    """Raise ``Refusal`` unless the dispute is this reviewer's to decide."""
    if dispute.reviewer not in ("", party.member_id):
        raise Refusal(Reason.REASON_LISTING_UNKNOWN, "the dispute names another reviewer")


def require_open(listing: Listing, dispute_id: bytes) -> OpenDispute:
    """Return the open dispute; raise ``Refusal`` where it is another, or none."""
    if listing.dispute is None or listing.dispute.dispute_id != dispute_id:
        raise Refusal(Reason.REASON_LISTING_UNKNOWN, "no such dispute is open")
    return listing.dispute


def suppresses(listing: Listing, profile: Profile) -> bool:
    """Tell whether lenders see nothing of the listing while a dispute about it is open."""
    return profile.limits(listing.kind).while_disputed == "suppress"


def corrected(listing: Listing, facts: v1.Correction, profile: Profile) -> Listing:
    """Return the next version of a listing; raise where a fact would get worse for the subject."""
    since = from_timestamp(facts.delinquent_since)
    if (
        facts.amount.currency != listing.currency
        or facts.amount.minor > listing.amount
        or since > listing.delinquent_since
    ):
        raise Refusal(Reason.REASON_CORRECTION_NOT_FAVOURABLE)
    moved = profile.limits(listing.kind).life.after(since)
    return replace(
        listing,
        amount=facts.amount.minor,
        delinquent_since=since,
        expires_at=min(listing.expires_at, moved)
        if since < listing.delinquent_since
        else listing.expires_at,
        evidence_hash=facts.evidence_hash,
        evidence=listing.evidence | {facts.evidence_hash},
        version=listing.version + 1,
    )


def without(listing: Listing, gone: Collection[str], profile: Profile) -> Listing:
    """Return a listing that some sources (member ids) vouch for no longer.

    Where no court is left, the limits of a private debt apply if they are stricter: what the court's entry
    was granted goes with it (to be marked while disputed, a longer end, time by its order).
    """
    sources = tuple(
        replace(source, live=source.live and source.member_id not in gone)
        for source in listing.sources
    )
    after = replace(listing, sources=sources)
    if after.kind == listing.kind:
        return after
    limits = profile.limits(after.kind)
    ends = [after.prolonged_from or after.expires_at, limits.life.after(after.delinquent_since)]
    if after.settled_at is not None and limits.after_settlement is not None:
        ends.append(limits.after_settlement.after(after.settled_at))
    dispute = after.dispute
    if dispute is not None:
        hidden = dispute.suppresses or suppresses(after, profile)
        dispute = replace(dispute, suppresses=hidden)
    return replace(
        after, expires_at=min(after.expires_at, *ends), prolonged_from=None, dispute=dispute
    )


def undecided(listing: Listing, dispute: OpenDispute, profile: Profile, at: datetime) -> Listing:
    """Return what becomes of a listing whose dispute could not be decided (R12).

    Of one that courts and others vouch for, only the courts' entry is left.
    """
    if listing.kind == ListingKind.LISTING_KIND_DEBT:
        return ended(listing, WITHDRAWN)
    private = {source.member_id for source in listing.live_sources if not source.court}
    listing = without(listing, private, profile)
    if dispute.stage == DisputeStage.DISPUTE_STAGE_APPEAL:
        return returned(listing, at)  # the register stands until the court changes it
    escalated = replace(
        listing.dispute or dispute,
        stage=DisputeStage.DISPUTE_STAGE_APPEAL,
        reviewer="",
        due_at=profile.appeal.after(at),
        extended=False,
    )
    return replace(listing, state=APPEAL, dispute=escalated)
