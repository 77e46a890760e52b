"""Filing: how a listing begins, and how one more source joins it (R07, R09, R10, R11, R15)."""

from dataclasses import replace
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.refusal import Refusal
from concordat.v1 import LateFilingCode, ListingKind, Reason
from exchange.listings.machine.allowed import require_live
from exchange.listings.machine.listing import DRAFT, Listing, PastDebt, Source
from exchange.listings.profile import Profile, Span

LATE_AFTER = timedelta(days=90)  # R07
OVERDUE = Span(months=3)  # R09
MOST_SOURCES = 16  # as many as a subject's own report has room for
FILING_KEEPS = timedelta(days=30)  # a filing that waited longer to be delivered is signed anew


def open_listing(
    filing: v1.ListingFiling,
    listing_id: bytes,
    profile: tuple[str, Profile],
    at: datetime,
    past: PastDebt | None = None,
) -> Listing:
    """Return the DRAFT that a filing makes, or raise ``Refusal`` (R07, R09, R10, R15)."""
    name, limits = profile
    require_fileable(filing, limits, at)
    since = from_timestamp(filing.delinquent_since)
    if past is not None:
        _require_reinsertable(filing, past)
        since = min(since, past.delinquent_since)
    expires = _end(filing, limits, since)
    if past is not None:
        expires = min(expires, past.expires_at)
    if at >= expires:
        raise Refusal(Reason.REASON_LISTING_OBSOLETE, f"ended {expires:%Y-%m-%d}")
    return Listing(
        listing_id=listing_id,
        subject_ref=filing.subject_ref,
        debt=filing.debt_commitment,
        profile=name,
        state=DRAFT,
        currency=filing.amount.currency,
        amount=filing.amount.minor,
        delinquent_since=since,
        evidence_hash=filing.evidence_hash,
        filed_at=at,
        expires_at=expires,
        sources=(_source(filing, at),),
        evidence=_evidence(filing),
    )


def join(listing: Listing, filing: v1.ListingFiling, profile: Profile, at: datetime) -> Listing:
    """Return the listing with one more source; no clock starts anew, nothing gets worse for the subject.

    ``profile`` is the new source's own, which may be another than the listing's. A source that vouches for
    it already changes nothing by asserting it again: refused. One that left comes back as a debt does that
    was listed before (R15). Raises ``Refusal``.
    """
    require_live(listing)
    if any(source.member_id == filing.source for source in listing.live_sources):
        raise Refusal(
            Reason.REASON_LISTING_TRANSITION_REFUSED,
            "the source has this debt listed: reconfirm, correct or withdraw it",
        )
    if len(listing.live_sources) >= MOST_SOURCES:
        raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "it has as many sources as can be")
    require_fileable(filing, profile, at)
    if any(source.member_id == filing.source for source in listing.sources):
        _require_certified(filing, listing.evidence)
    since = min(from_timestamp(filing.delinquent_since), listing.delinquent_since)
    expires = min(_end(filing, profile, since), listing.expires_at)
    if at >= expires:
        raise Refusal(Reason.REASON_LISTING_OBSOLETE, f"ended {expires:%Y-%m-%d}")
    amount = listing.amount
    if filing.amount.currency == listing.currency:
        amount = min(amount, filing.amount.minor)
    others = tuple(s for s in listing.sources if s.member_id != filing.source)
    corrects = (amount, since) != (listing.amount, listing.delinquent_since)
    return replace(
        listing,
        amount=amount,
        delinquent_since=since,
        expires_at=expires,
        sources=(*others, _source(filing, at)),
        evidence=listing.evidence | _evidence(filing),
        version=listing.version + corrects,
    )


def require_fileable(filing: v1.ListingFiling, profile: Profile, at: datetime) -> None:
    """Raise ``Refusal`` unless a filing may be taken in: attested, eligible, in time (R07, R09)."""
    filed, since = from_timestamp(filing.filed_at), from_timestamp(filing.delinquent_since)
    if not at - FILING_KEEPS < filed <= at + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"filed {filed}")
    vouched = filing.attestation
    if not vouched.accurate:
        raise Refusal(Reason.REASON_LISTING_NOT_ATTESTED, "accuracy is not attested")
    judgment = filing.kind == ListingKind.LISTING_KIND_JUDGMENT
    if not (vouched.adult and vouched.unsecured and vouched.not_frozen):
        raise Refusal(Reason.REASON_LISTING_INELIGIBLE, "a minor's, secured or frozen debt")
    if filing.amount.currency != profile.currency:
        raise Refusal(Reason.REASON_LISTING_INELIGIBLE, f"debts are counted in {profile.currency}")
    if filing.amount.minor < profile.floor_minor:
        raise Refusal(Reason.REASON_LISTING_INELIGIBLE, "below the profile's floor")
    if since > at or (not judgment and OVERDUE.after(since) > at):
        raise Refusal(Reason.REASON_LISTING_INELIGIBLE, "less than three months overdue")
    unexplained = filing.late == LateFilingCode.LATE_FILING_CODE_UNSPECIFIED
    if unexplained and filed - since > LATE_AFTER:
        raise Refusal(
            Reason.REASON_LISTING_NOT_ATTESTED, "filed more than 90 days late without a code"
        )


def _require_reinsertable(filing: v1.ListingFiling, past: PastDebt) -> None:
    """Raise ``Refusal`` unless a debt that was listed before may be listed again (R15)."""
    if past.closed:
        raise Refusal(Reason.REASON_DEBT_CLOSED)
    _require_certified(filing, past.evidence)


def _require_certified(filing: v1.ListingFiling, before: frozenset[bytes]) -> None:
    if not (filing.HasField("reinsertion") and filing.reinsertion.certified):
        raise Refusal(Reason.REASON_REINSERTION_NOT_CERTIFIED)
    if _evidence(filing) & before:
        raise Refusal(Reason.REASON_REINSERTION_NOT_CERTIFIED, "the evidence is that of before")


def _evidence(filing: v1.ListingFiling) -> frozenset[bytes]:
    if filing.HasField("reinsertion"):
        return frozenset({filing.evidence_hash, filing.reinsertion.new_evidence_hash})
    return frozenset({filing.evidence_hash})


def _end(filing: v1.ListingFiling, profile: Profile, since: datetime) -> datetime:
    """Return when a listing ends, from its anchor; a judgment's no later than its register's entry (R11)."""
    end = profile.limits(filing.kind).life.after(since)
    if filing.kind == ListingKind.LISTING_KIND_JUDGMENT:
        end = min(end, from_timestamp(filing.source_ends_at))
    return end


def _source(filing: v1.ListingFiling, at: datetime) -> Source:
    court = filing.kind == ListingKind.LISTING_KIND_JUDGMENT
    said = min(at, from_timestamp(filing.filed_at))
    return Source(filing.source, filing.filing_id, court, filing.basis, said)
