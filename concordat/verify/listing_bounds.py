"""What a lender may be told of listings: the bounds that hold whoever is told, and in which answer."""

from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.purposes import covers, covers_more_than_flags
from concordat.federation.words import require_few_words
from concordat.v1 import DataCategory, ListingBasis, ListingKind, ListingMark
from concordat.verify.mismatch import MismatchError

_DAY_SECONDS = 24 * 60 * 60
_SETTLED = {ListingMark.LISTING_MARK_SETTLED, ListingMark.LISTING_MARK_SETTLED_DISPUTED}


def require_covered(
    consent: v1.Consent, listings: v1.ListingsInForce | None, flags: v1.SubjectFlags | None
) -> None:
    """Raise ``MismatchError`` unless listings and flags are told exactly where the consent covers them."""
    for what, told, category in (
        ("listings", listings, DataCategory.DATA_CATEGORY_LISTINGS),
        ("flags", flags, DataCategory.DATA_CATEGORY_FLAGS),
    ):
        if (told is not None) != covers(consent, category):
            raise MismatchError(
                f"the consent covers no {what}, and they are told"
                if told is not None
                else f"the consent covers {what}, and none are told"
            )
    # Not even that there is nothing: a freeze is the only thing that is told of whoever placed one (R21).
    if flags is not None and flags.frozen and covers_more_than_flags(consent):
        raise MismatchError("more is told of a subject than that it has frozen its record")


def require_lawful(listings: v1.ListingsInForce, at: datetime) -> None:
    """Raise ``MismatchError`` unless each listing may be told at ``at`` (R10, R16), the oldest first.

    Raises ``Refusal`` for the subject's words beyond 200, and ``StatementMalformedError`` for a time that
    nobody can read. By the day, as lenders are told it: one that ends today may still be told.
    """
    before: datetime | None = None
    for listing in listings.listings:
        _require_consistent(listing)
        since, effective = _day(listing.delinquent_since), _day(listing.effective_since)
        if effective > at:
            raise MismatchError("a listing is told before its effect")
        if _day(listing.expires_at) + timedelta(days=1) <= at:
            raise MismatchError("a listing is told after its end")
        if listing.HasField("settled_on") and _day(listing.settled_on) > at:
            raise MismatchError("a settlement is told before its day")
        if before is not None and since < before:
            raise MismatchError("the listings are not told the oldest first")
        before = since
        require_few_words(listing.words.text)


def _require_consistent(listing: v1.ListingInView) -> None:
    if listing.HasField("settled_on") != (listing.mark in _SETTLED):
        raise MismatchError("a listing's mark and its settlement do not fit")
    judgment = listing.kind == ListingKind.LISTING_KIND_JUDGMENT
    if judgment != (listing.basis == ListingBasis.LISTING_BASIS_JUDGMENT):
        raise MismatchError("a listing's kind and what it arose from do not fit")
    if listing.HasField("words") and not listing.words.text:
        raise MismatchError("words are told that say nothing")


def _day(timestamp: Timestamp) -> datetime:
    """Return a whole day; raise ``MismatchError`` for any other time, which would tell more than it may."""
    if timestamp.seconds % _DAY_SECONDS or timestamp.nanos:
        raise MismatchError("a time is told to less than the day")
    return from_timestamp(timestamp)
