"""What a lender is told of one subject's listings and flags, checked offline.

    told = verify_listing_answer(ask, response, exchange=exchange, lender=lender, anchors=anchors, at=now)
    told.answer.listings

Pure: the members as the caller knows them, and the time, are passed in.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.trust.envelope import Verified, open_envelope, parse_statement
from concordat.v1 import DataCategory, LogEntryKind, ReleaseResult
from concordat.verify.consent import (
    open_binding,
    open_consent,
    require_consent_covers,
    require_consent_in_force,
)
from concordat.verify.finding import finding, made_at
from concordat.verify.listing_bounds import require_covered, require_lawful
from concordat.verify.mismatch import MismatchError
from concordat.verify.receipt import Logged, open_receipt, require_intent_of
from concordat.verify.request import open_view_request


@dataclass(frozen=True, slots=True)
class VerifiedAnswer:
    """What the exchange told of one subject's listings and flags, and what shows it."""

    signed: Verified[v1.ListingAnswer]
    consent: v1.Consent
    intent: Logged
    release: Logged

    @property
    def answer(self) -> v1.ListingAnswer:
        """The answer itself."""
        return self.signed.message


def verify_listing_answer(
    ask: v1.RequestViewRequest,
    response: v1.CheckListingsResponse,
    *,
    exchange: Member,
    lender: Member,
    anchors: Anchors,
    at: datetime,
) -> VerifiedAnswer:
    """Check that the exchange answered this very request, within the consent, on record.

    ``at`` is when it is checked: an answer from after it is refused. Raises ``AnswerBroken``.
    """
    with finding():
        claimed = parse_statement(v1.ListingAnswer, response.answer.payload)
        made = made_at(claimed.issued_at, at)
        signed = open_envelope(response.answer, v1.ListingAnswer, exchange.keys, made)
        answer = signed.message
        anchors.require_federation(answer.federation)
        request = open_view_request(ask.request, lender, anchors, made)
        binding = open_binding(ask.binding, anchors, made)
        consent = open_consent(ask.consent, binding, anchors, made)
        require_consent_in_force(consent.message, made)
        require_consent_covers(consent, request.message)
        _require_terms(answer, request, consent)
        _require_told(answer, consent.message, made)
        intent = open_receipt(response.intent, anchors)
        require_intent_of(intent, request)
        release = open_receipt(response.release, anchors)
        _require_release_of(release, signed)
        _require_recorded_first(intent, release, answer.access_id, made)
        return VerifiedAnswer(signed, consent.message, intent, release)


def _require_terms(
    answer: v1.ListingAnswer, request: Verified[v1.ViewRequest], consent: Verified[v1.Consent]
) -> None:
    """Raise unless the answer is to this request, on this consent's terms."""
    asked, terms = request.message, consent.message
    if answer.request_digest != request.digest or answer.lender != asked.lender:
        raise MismatchError("the answer is to another request")
    if answer.consent_digest != consent.digest:
        raise MismatchError("the answer rests on another consent")
    if answer.subject_ref != terms.subject_ref:
        raise MismatchError("the answer is about another subject")
    if answer.purpose != terms.purpose:
        raise MismatchError("the answer is for another purpose")


def _require_told(answer: v1.ListingAnswer, consent: v1.Consent, made: datetime) -> None:
    """Raise unless the answer tells what the consent covers, and nothing that may not be told."""
    listings = answer.listings if answer.HasField("listings") else None
    require_covered(consent, listings, answer.flags if answer.HasField("flags") else None)
    require_lawful(answer.listings, made)
    kept = timedelta(days=consent.data_life_days)
    if from_timestamp(answer.delete_by) != made + kept:
        raise MismatchError("the day of deletion is not the consent's")


def _require_recorded_first(
    intent: Logged, release: Logged, access_id: bytes, made: datetime
) -> None:
    """Raise unless the access was on record before the answer was made, and in the log before its release."""
    if intent.record.record_id != access_id:
        raise MismatchError("the log's entry is not the access that the answer names")
    recorded = from_timestamp(intent.record.recorded_at)
    if recorded > made:
        raise MismatchError(f"the access was recorded at {recorded}, after the answer was made")
    if intent.index >= release.index:
        raise MismatchError("the log has the release before the access that it was made under")


def _require_release_of(logged: Logged, signed: Verified[v1.ListingAnswer]) -> None:
    """Raise unless the log has this very answer as released, and what of it."""
    answer, release = signed.message, logged.record.release
    if logged.entry.kind != LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE:
        raise MismatchError("the entry is of another kind of act")
    if (
        release.view_digest != signed.digest
        or release.access_id != answer.access_id
        or release.lender != answer.lender
        or logged.record.subject_ref != answer.subject_ref
    ):
        raise MismatchError("the log's release is of another answer")
    told = {
        DataCategory.DATA_CATEGORY_LISTINGS: answer.HasField("listings"),
        DataCategory.DATA_CATEGORY_FLAGS: answer.HasField("flags"),
    }
    if (
        release.result != ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY
        or set(release.categories) != {category for category, is_told in told.items() if is_told}
        or release.listings != len(answer.listings.listings)
    ):
        raise MismatchError("the log says that something else was released")
