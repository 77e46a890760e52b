"""A subject's report checked offline, from the trust bundle alone.

What it shows is the exchange's signed word: that it left no access out is shown by the log
(``verify.history``), and that each step of a listing was its signer's by ``verify.listing_history``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import DecodeError

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member, open_licence, require_in_force
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope
from concordat.v1 import Reason, SubjectQuery
from concordat.verify.consent import open_binding, open_subject_request
from concordat.verify.own_view import VerifiedOwnView, verify_own_view

_MERGED = ("listings", "consents", "accesses")


@dataclass(frozen=True, slots=True)
class VerifiedReport:
    """A report, every page checked. Made by ``verify_report``."""

    report: v1.SubjectReport  # the first page, with the parts of all
    bundle: v1.SubjectReportBundle
    exchange: Member
    own_view: VerifiedOwnView | None


def verify_report(
    bundle: v1.SubjectReportBundle, anchors: Anchors, *, at: datetime | None = None
) -> VerifiedReport:
    """Check everything that ``bundle`` claims; return it.

    Each page is the exchange's, under a licence in force then, about the subject who signed the request, and
    they follow each other without a gap. With ``at``, one from after that time is refused too. Raises
    ``Refusal``, and ``ViewNotVerified`` for an own view that does not hold.
    """
    made_at = _made_at(bundle)
    exchange = open_licence(bundle.licence, anchors, made_at)
    if exchange.member_id != anchors.bundle.exchange_id:
        raise Refusal(Reason.REASON_SIGNATURE_INVALID, "the licence is not the exchange's")
    require_in_force(exchange, made_at)
    if at is not None and made_at > at:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"the report is from {made_at}")
    binding = open_binding(bundle.binding, anchors, made_at)
    query = SubjectQuery.SUBJECT_QUERY_REPORT
    asked = open_subject_request(bundle.request, query, binding, anchors, made_at)
    pages = [_open(page, exchange, made_at) for page in bundle.pages]
    for page in pages:
        _require_answers(page, asked, anchors)
    _require_in_order(pages)
    own_view = None
    if bundle.HasField("own_view"):
        own_view = verify_own_view(bundle.own_view, anchors, at=at)
        if own_view.view.subject_ref != asked.message.subject_ref:
            raise Refusal(Reason.REASON_BINDING_INVALID, "the score is another person's")
    return VerifiedReport(_merged(pages), bundle, exchange, own_view)


def _made_at(bundle: v1.SubjectReportBundle) -> datetime:
    """Return the moment that the last page names; not verified yet."""
    with refusing_untrusted():
        if not bundle.pages:
            raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "the report has no page")
        last = v1.SubjectReport()
        try:
            last.ParseFromString(bundle.pages[-1].payload)
        except DecodeError as error:
            raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "no report") from error
        return from_timestamp(last.as_of)


def _open(page: v1.Envelope, exchange: Member, at: datetime) -> v1.SubjectReport:
    with refusing_untrusted():
        return open_envelope(page, v1.SubjectReport, exchange.keys, at).message


def _require_answers(
    page: v1.SubjectReport, asked: Verified[v1.SubjectRequest], anchors: Anchors
) -> None:
    anchors.require_federation(page.federation)
    if (page.subject_ref, page.request_digest) != (asked.message.subject_ref, asked.digest):
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "a page answers another request")


def _require_in_order(pages: Sequence[v1.SubjectReport]) -> None:
    """Raise ``Refusal`` where a page is missing, twice there, or out of its place."""
    expected = b""
    for number, page in enumerate(pages):
        if page.after != expected or (number and not expected):
            raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "a page of the report is missing")
        expected = page.next
    if expected:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "the report ends early")


def _merged(pages: Sequence[v1.SubjectReport]) -> v1.SubjectReport:
    whole = v1.SubjectReport()
    whole.CopyFrom(pages[0])
    for page in pages[1:]:
        for name in _MERGED:
            getattr(whole, name).extend(getattr(page, name))
    whole.next = b""
    return whole
