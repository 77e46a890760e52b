"""Case look-ups checked: the case by its approvers, the look-up by the regulator, the answer by both."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope, parse_statement
from concordat.trust.errors import SignatureInvalidError
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.consent import require_fresh
from concordat.verify.listing_statements import open_member_statement
from concordat.verify.mismatch import MismatchError
from concordat.verify.receipt import open_receipt

APPROVERS_NEEDED = 2


@dataclass(frozen=True, slots=True)
class LookUp:
    """A look-up that verified, and the case it is in."""

    case: Verified[v1.CaseRequest]
    request: Verified[v1.CaseLookUpRequest]


@dataclass(frozen=True, slots=True)
class CaseAnswered:
    """An answer to a look-up, every part checked; ``page`` is what was looked at."""

    answer: v1.CaseAnswer
    page: v1.CasePage
    entry_index: int


def open_case(
    envelope: v1.Envelope, regulator: Member, anchors: Anchors
) -> Verified[v1.CaseRequest]:
    """Verify that two of the regulator's approvers signed a case, with keys valid when it was issued.

    Says nothing of its dates: ``exchange.supervision.cases.rules`` does. Raises ``Refusal``
    (REASON_CASE_NOT_APPROVED where too few approvers signed; unknown and repeated signatures never count).
    """
    with refusing_untrusted():
        issued = from_timestamp(parse_statement(v1.CaseRequest, envelope.payload).issued_at)
        try:
            case = open_envelope(
                envelope, v1.CaseRequest, regulator.approvers, issued, threshold=APPROVERS_NEEDED
            )
        except SignatureInvalidError as error:
            raise Refusal(Reason.REASON_CASE_NOT_APPROVED, str(error)) from error
    anchors.require_federation(case.message.federation)
    if case.message.regulator != regulator.member_id:
        raise Refusal(Reason.REASON_CALLER_NOT_SIGNER, f"a case of {case.message.regulator}")
    return case


def open_case_look_up(
    envelope: v1.Envelope,
    case: Verified[v1.CaseRequest],
    regulator: Member,
    anchors: Anchors,
    at: datetime,
) -> LookUp:
    """Verify the regulator's own request to look up in ``case``, fresh at ``at``. Raises ``Refusal``.

    A scope that the case does not name is refused with REASON_CASE_TOO_WIDE.
    """
    request = open_member_statement(envelope, v1.CaseLookUpRequest, regulator, anchors, at)
    said = request.message
    with refusing_untrusted():
        require_fresh(from_timestamp(said.issued_at), from_timestamp(said.expires_at), at)
    if said.regulator != regulator.member_id:
        raise Refusal(Reason.REASON_CALLER_NOT_SIGNER, f"a look-up of {said.regulator}")
    if said.case_digest != case.digest:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "the look-up is in another case")
    if said.scope not in case.message.scopes:
        raise Refusal(Reason.REASON_CASE_TOO_WIDE, "the case does not name this scope")
    return LookUp(case, request)


def verify_case_answer(
    response: v1.LookUpCaseResponse, look_up: LookUp, exchange: Member, anchors: Anchors
) -> CaseAnswered:
    """Verify an answer: signed by the exchange, to this look-up, about its subject alone, and in the log.

    Raises ``Refusal``, or ``MismatchError`` where the parts do not belong together.
    """
    with refusing_untrusted():
        issued = parse_statement(v1.CaseAnswer, response.answer.payload).issued_at
        answer = open_envelope(
            response.answer, v1.CaseAnswer, exchange.keys, from_timestamp(issued)
        )
        page = parse_statement(v1.CasePage, response.page)
    said, case = answer.message, look_up.case
    anchors.require_federation(said.federation)
    if (said.case_digest, said.request_digest, said.subject_ref, said.regulator, said.scope) != (
        case.digest,
        look_up.request.digest,
        case.message.subject_ref,
        case.message.regulator,
        look_up.request.message.scope,
    ):
        raise MismatchError("the answer is to another look-up")
    if hashlib.sha256(response.page).digest() != said.page_hash:
        raise MismatchError("the page is not the one that the answer names")
    require_one_subject(page, said.subject_ref)
    return CaseAnswered(said, page, _logged(response.entry, answer, look_up, anchors))


def require_one_subject(page: v1.CasePage, subject_ref: bytes) -> None:
    """Raise ``MismatchError`` where anything on the page names another subject."""
    if page.subject_ref != subject_ref:
        raise MismatchError("the page is about somebody else")
    for record in page.consents:
        if v1.Consent.FromString(record.consent.payload).subject_ref != subject_ref:
            raise MismatchError("a consent on the page is somebody else's")
    for listing in page.listings:
        for step in listing.steps:
            if _subject_of(step.statement) not in (subject_ref, None):
                raise MismatchError("a listing on the page is about somebody else")


_STEPS: dict[
    str, type[v1.ListingFiling] | type[v1.ListingEvent] | type[v1.Dispute] | type[v1.Ruling]
] = {
    "listing-filing": v1.ListingFiling,
    "listing-event": v1.ListingEvent,
    "dispute": v1.Dispute,
    "ruling": v1.Ruling,
}


def _subject_of(statement: v1.Envelope) -> bytes | None:
    """Return whom a step's statement names; None for a kind that names nobody."""
    kind = statement.payload_type.removeprefix("application/vnd.concordat.").split(".")[0]
    made = _STEPS.get(kind)
    return None if made is None else made.FromString(statement.payload).subject_ref


def _logged(
    receipt: v1.LogReceipt, answer: Verified[v1.CaseAnswer], look_up: LookUp, anchors: Anchors
) -> int:
    """Return the entry's place; raise ``Refusal`` unless it is the sealed entry of this very answer."""
    logged = open_receipt(receipt, anchors)
    act = logged.record.case_look_up
    if (
        logged.entry.kind != LogEntryKind.LOG_ENTRY_KIND_CASE_LOOK_UP
        or act.answer_digest != answer.digest
        or act.case_digest != look_up.case.digest
        or act.subject_ref != answer.message.subject_ref
        or logged.record.subject_ref
    ):
        raise Refusal(Reason.REASON_ACCESS_NOT_LOGGED, "the entry is of another look-up")
    return logged.index
