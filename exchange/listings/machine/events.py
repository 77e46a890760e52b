"""What sources, subjects, reviewers and the exchange do to a listing by a ``ListingEvent``."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.words import require_few_words
from concordat.refusal import Refusal
from concordat.v1 import DisputeStage, ListingKind, Reason, WithdrawalCode
from exchange.listings.machine.allowed import ACT_OF, Act, Actor, Party, require_allowed
from exchange.listings.machine.due import reconfirmed, repair_due
from exchange.listings.machine.listing import (
    EFFECTIVE,
    EXPIRED,
    NOTICED,
    SETTLED,
    UNDER_REVIEW,
    WITHDRAWN,
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
    without,
)
from exchange.listings.profile import Profile


def apply_event(
    listing: Listing, event: v1.ListingEvent, party: Party, profile: Profile, at: datetime
) -> Listing:
    """Return the listing after an event that a member, the subject or the exchange signed."""
    act = ACT_OF[event.action]
    require_allowed(listing, act, party)
    return _EFFECTS[act](listing, event, party, profile, at)


def _reconfirm(
    listing: Listing, event: v1.ListingEvent, party: Party, _: Profile, at: datetime
) -> Listing:
    # As of when it was said: an old statement that arrives late, or again, is no fresher for it.
    said = min(at, from_timestamp(event.decided_at))
    return replace(
        listing,
        sources=tuple(
            replace(source, reconfirmed_at=max(source.reconfirmed_at, said))
            if source.member_id == party.member_id
            else source
            for source in listing.sources
        ),
    )


def _settle(
    listing: Listing, event: v1.ListingEvent, party: Party, profile: Profile, at: datetime
) -> Listing:
    disputed = listing.state != EFFECTIVE
    if disputed and listing.back_to != EFFECTIVE:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "not in force and unsettled")
    paid = from_timestamp(event.settlement.paid_at)
    if not listing.delinquent_since <= paid <= at + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"paid {paid}")
    # A source's own date counts; the subject's claim counts from now, so that it shortens no limit.
    settled = at if party.actor is Actor.SUBJECT else min(paid, at)
    limits = profile.limits(listing.kind)
    expires = listing.expires_at
    if limits.after_settlement is not None:
        expires = min(expires, limits.after_settlement.after(settled))
    after = replace(listing, settled_at=settled, expires_at=expires)
    if disputed:
        return replace(after, back_to=SETTLED)
    return replace(after, state=SETTLED)


def _withdraw(
    listing: Listing, event: v1.ListingEvent, party: Party, profile: Profile, _: datetime
) -> Listing:
    struck_out = event.withdrawal == WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT
    if struck_out != (party.actor is Actor.REVIEWER):
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "the code is not this actor's")
    if party.actor is Actor.REVIEWER:
        require_independent(listing, party.member_id)
        return ended(listing, WITHDRAWN, event.withdrawal)
    listing = without(listing, {party.member_id}, profile)
    settles = event.withdrawal in (
        WithdrawalCode.WITHDRAWAL_CODE_PAID,
        WithdrawalCode.WITHDRAWAL_CODE_WAIVED,
    )
    if listing.live_sources and not settles:
        return listing  # others still vouch for it
    return ended(listing, WITHDRAWN, event.withdrawal)


def _correct(
    listing: Listing, event: v1.ListingEvent, _: Party, profile: Profile, __: datetime
) -> Listing:
    return corrected(listing, event.correction, profile)


def _prolong(
    listing: Listing, event: v1.ListingEvent, _: Party, profile: Profile, at: datetime
) -> Listing:
    limits = profile.limits(listing.kind)
    allowed = limits.prolonged_by_court
    start = listing.prolonged_from or listing.expires_at
    until = from_timestamp(event.prolongation.until)
    if allowed is None or not listing.court:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "the profile allows no such order")
    # Counted from the profile's own end, wherever a correction or another profile's filing has put it.
    latest = allowed.after(min(start, limits.life.after(listing.delinquent_since)))
    if at >= listing.expires_at or not listing.expires_at < until <= latest:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "beyond what an order may do")
    return replace(listing, expires_at=until, prolonged_from=start)


def _open_review(
    listing: Listing, event: v1.ListingEvent, party: Party, profile: Profile, at: datetime
) -> Listing:
    reviewer = party.member_id if party.actor is Actor.REVIEWER else ""
    if reviewer:
        require_independent(listing, reviewer)
    return replace(
        listing,
        state=UNDER_REVIEW,
        back_to=listing.state,
        dispute=OpenDispute(
            event.event_id,
            DisputeStage.DISPUTE_STAGE_REVIEW,
            event.ground,
            reviewer,
            profile.dispute.after(at),
            suppresses(listing, profile),
        ),
    )


def _extend(
    listing: Listing, event: v1.ListingEvent, party: Party, profile: Profile, at: datetime
) -> Listing:
    dispute = require_open(listing, event.extension.dispute_id)
    require_decides(dispute, party)
    require_independent(listing, party.member_id)
    if at >= dispute.due_at:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "the limit is over")
    if profile.extension is None or dispute.extended:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "no more time can be taken")
    more = replace(dispute, due_at=profile.extension.after(dispute.due_at), extended=True)
    return replace(listing, dispute=more)


def _end_review(
    listing: Listing, event: v1.ListingEvent, _: Party, __: Profile, at: datetime
) -> Listing:
    dispute = require_open(listing, event.review_id)
    if dispute.reviewer:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "no order opened this review")
    return returned(listing, at)


def _state(
    listing: Listing, event: v1.ListingEvent, _: Party, __: Profile, ___: datetime
) -> Listing:
    require_few_words(event.words.text)
    words = v1.SubjectWords()
    words.CopyFrom(event.words)
    return replace(listing, words=words if words.text else None)


def _notice_served(
    listing: Listing, event: v1.ListingEvent, _: Party, profile: Profile, at: datetime
) -> Listing:
    # From when it is on record here: a date in the past must not eat up the period.
    del event
    return replace(listing, state=NOTICED, delivered_at=at, effective_from=profile.notice.after(at))


def _take_effect(
    listing: Listing, _: v1.ListingEvent, __: Party, ___: Profile, at: datetime
) -> Listing:
    if listing.effective_from is None or at < listing.effective_from:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "the notice period is not over")
    # A court may have reconfirmed by its sync, which ``tick`` knows of.
    if listing.kind == ListingKind.LISTING_KIND_DEBT and not reconfirmed(listing, at, {}):
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "it is not reconfirmed")
    return replace(listing, state=EFFECTIVE, effective_at=at)


def _time_out(
    listing: Listing, _: v1.ListingEvent, __: Party, profile: Profile, at: datetime
) -> Listing:
    dispute = listing.dispute
    if dispute is None or at < dispute.due_at:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "the limit is not over")
    return undecided(listing, dispute, profile, at)


def _repair(
    listing: Listing, _: v1.ListingEvent, __: Party, profile: Profile, at: datetime
) -> Listing:
    due = repair_due(listing, profile)
    if due is None or at < due[0]:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "no rule ends it yet")
    return ended(listing, due[1])


def _expire(listing: Listing, _: v1.ListingEvent, __: Party, ___: Profile, at: datetime) -> Listing:
    if at < listing.expires_at:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "its end has not come")
    return ended(listing, EXPIRED)


_Effect = Callable[[Listing, v1.ListingEvent, Party, Profile, datetime], Listing]
_EFFECTS: Mapping[Act, _Effect] = {
    Act.RECONFIRM: _reconfirm,
    Act.SETTLE: _settle,
    Act.WITHDRAW: _withdraw,
    Act.CORRECT: _correct,
    Act.PROLONG: _prolong,
    Act.OPEN_REVIEW: _open_review,
    Act.EXTEND: _extend,
    Act.STATE: _state,
    Act.NOTICE_SERVED: _notice_served,
    Act.TAKE_EFFECT: _take_effect,
    Act.TIME_OUT: _time_out,
    Act.REPAIR: _repair,
    Act.END_REVIEW: _end_review,
    Act.EXPIRE: _expire,
}
