"""A reviewer's or appeal body's side: its queue, one dispute with its evidence, and the ruling."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.members import MemberBook
from concordat import v1
from concordat.federation.evidence import Evidence, open_evidence
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import parse_statement
from concordat.trust.errors import SealInvalidError
from concordat.trust.sealed import SealingKey
from concordat.verify.consent import open_binding
from concordat.verify.listing_statements import open_dispute, open_filing, open_ruling

_SERVICE = "/concordat.v1.ReviewService/"
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class ShownFiling:
    """A source's filing; ``fault`` says why it does not hold, and is empty where it does."""

    filing: v1.ListingFiling
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """One dispute as its reviewer is shown it.

    ``dispute`` is None where a reviewer or the regulator opened the review; ``fault`` says why the subject's
    signature on it does not hold, empty where it does.
    """

    shown: v1.GetReviewResponse
    dispute: v1.Dispute | None
    filings: tuple[ShownFiling, ...]
    ruling: v1.Ruling | None  # of an appeal: the ruling that is appealed, its signature checked
    fault: str = ""

    @property
    def summary(self) -> v1.ReviewSummary:
        """Its place in the queue."""
        return self.shown.summary


@dataclass(frozen=True, slots=True)
class OpenedEvidence:
    """A sealed attachment, opened; or why it could not be."""

    evidence: Evidence | None
    fault: str = ""


def list_reviews(book: MemberBook) -> Flow[list[v1.ReviewSummary]]:
    """Return the open disputes that the caller decides, the nearest deadline first; up to 200."""
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        _SERVICE + "ListReviews",
        v1.ListReviewsRequest(most=AT_ONCE),
        v1.ListReviewsResponse,
    )
    answer = yield from ask(call, v1.ListReviewsResponse)
    return list(answer.reviews)


def get_review(book: MemberBook, dispute_id: bytes, now: Callable[[], datetime]) -> Flow[Review]:
    """Return one dispute that the caller decides.

    A filing that does not hold is shown as such. Raises ``AnswerNotVerified`` where the parts are not of
    one dispute, or the ruling that is appealed is not who it names.
    """
    yield from book.refresh(now)
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        _SERVICE + "GetReview",
        v1.GetReviewRequest(dispute_id=dispute_id),
        v1.GetReviewResponse,
    )
    shown = yield from ask(call, v1.GetReviewResponse)
    try:
        with refusing_untrusted():
            return _review(shown, dispute_id, book, now())
    except Refusal as refusal:
        raise AnswerNotVerified(f"the exchange's account of the dispute: {refusal}") from refusal


def _review(
    shown: v1.GetReviewResponse, dispute_id: bytes, book: MemberBook, at: datetime
) -> Review:
    summary, dispute, fault = shown.summary, None, ""
    if summary.dispute_id != dispute_id or shown.standing.listing_id != summary.listing_id:
        raise AnswerNotVerified("the exchange showed another dispute")
    if shown.HasField("dispute"):
        dispute = parse_statement(v1.Dispute, shown.dispute.payload)
        if (dispute.dispute_id, dispute.listing_id, dispute.subject_ref) != (
            dispute_id,
            summary.listing_id,
            summary.subject_ref,
        ):
            raise AnswerNotVerified("the subject's statement is of another dispute")
        fault = _not_signed(shown, book, at)
    ruling = None
    if shown.HasField("ruling"):
        named = parse_statement(v1.Ruling, shown.ruling.payload).reviewer
        reviewer = book.directory.require(named, at)
        ruling = open_ruling(shown.ruling, reviewer, book.anchors, at).message
        if ruling.listing_id != summary.listing_id:
            raise AnswerNotVerified("the ruling that is appealed is of another listing")
    filings = tuple(_filing(envelope, summary, book, at) for envelope in shown.filings)
    return Review(shown, dispute, filings, ruling, fault)


def _not_signed(shown: v1.GetReviewResponse, book: MemberBook, at: datetime) -> str:
    """Return why the subject's signature on its dispute does not hold; empty where it does.

    A subject that bound another key since cannot be told from a forgery here: the reviewer asks it.
    """
    if not shown.HasField("binding"):
        return "the exchange shows no binding of the subject's key"
    try:
        binding = open_binding(shown.binding, book.anchors, at)
        open_dispute(shown.dispute, binding, book.anchors, at)
    except Refusal as refusal:
        return refusal.detail or str(refusal)
    return ""


def _filing(
    envelope: v1.Envelope, summary: v1.ReviewSummary, book: MemberBook, at: datetime
) -> ShownFiling:
    filing = parse_statement(v1.ListingFiling, envelope.payload)
    if filing.subject_ref != summary.subject_ref:
        return ShownFiling(filing, "it is about somebody else")
    try:
        open_filing(envelope, book.directory.require(filing.source, at), book.anchors, at)
    except Refusal as refusal:
        return ShownFiling(filing, refusal.detail or str(refusal))
    return ShownFiling(filing)


def open_attachments(review: Review, key: SealingKey) -> list[OpenedEvidence]:
    """Open the evidence sealed to ``key``; what does not open, or the dispute does not name, says so."""
    named = set(review.dispute.evidence_hashes) if review.dispute else set()
    opened: list[OpenedEvidence] = []
    for attachment in review.shown.attachments:
        try:
            evidence = open_evidence(key, attachment.sealed, review.summary.dispute_id)
        except SealInvalidError as error:
            opened.append(OpenedEvidence(None, str(error)))
            continue
        unnamed = evidence.digest not in named
        fault = "the subject's statement does not name it" if unnamed else ""
        opened.append(OpenedEvidence(evidence, fault))
    return opened


def submit_ruling(book: MemberBook, ruling: v1.Envelope) -> Flow[v1.ListingStanding]:
    """Hand a ruling in; return where the listing stands. Repeating the same bytes is safe."""
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        _SERVICE + "SubmitRuling",
        v1.SubmitRulingRequest(ruling=ruling),
        v1.SubmitRulingResponse,
    )
    answer = yield from ask(call, v1.SubmitRulingResponse)
    return answer.standing


def submit_event(book: MemberBook, event: v1.Envelope) -> Flow[v1.ListingStanding]:
    """Hand a reviewer's event in; return where the listing stands. Repeating the same bytes is safe."""
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        _SERVICE + "SubmitReviewEvent",
        v1.SubmitReviewEventRequest(event=event),
        v1.SubmitReviewEventResponse,
    )
    answer = yield from ask(call, v1.SubmitReviewEventResponse)
    return answer.standing
