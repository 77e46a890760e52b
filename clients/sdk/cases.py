"""A regulator's case look-ups: proposed, approved offline by two officers, looked up, and the answer checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.sdk.errors import AnswerNotVerified, ClientError
from clients.sdk.flow import DEFAULT_SECONDS, Call, Flow, Port, ask, exchange_peer
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import cosign, digest_of, envelope_of, seal
from concordat.trust.envelope import parse_statement, payload_type_of, validate
from concordat.trust.errors import TrustError
from concordat.trust.keys import Signer, key_id
from concordat.v1 import CaseScope
from concordat.verify.case import (
    CaseAnswered,
    open_case,
    open_case_look_up,
    verify_case_answer,
)
from concordat.verify.mismatch import MismatchError

REQUEST_LIFE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseProposal:
    """What a case is to say; its subject is named by its 32-byte reference, and it alone."""

    subject_ref: bytes
    legal_article: str
    case_reference: str
    scopes: Sequence[CaseScope.ValueType]
    ends_at: datetime
    notice_at: datetime


def propose_case(
    proposal: CaseProposal, regulator: str, federation: str, at: datetime
) -> v1.Envelope:
    """Return a case with no signature yet; raise ``StatementMalformedError`` where it breaks a bound."""
    case = v1.CaseRequest(
        case_id=new_id(),
        federation=federation,
        regulator=regulator,
        subject_ref=proposal.subject_ref,
        legal_article=proposal.legal_article,
        case_reference=proposal.case_reference,
        scopes=proposal.scopes,
        issued_at=to_timestamp(at),
        ends_at=to_timestamp(proposal.ends_at),
        notice_at=to_timestamp(proposal.notice_at),
    )
    validate(case)
    payload = case.SerializeToString(deterministic=True)
    return envelope_of(payload_type_of(v1.CaseRequest), payload, [])


def approve_case(case: v1.Envelope, approver: Signer) -> None:
    """Add one approver's signature, over the bytes that the case carries.

    Raises ``ClientError`` where the approver has signed already, and ``StatementMalformedError`` for no case.
    """
    case_of(case)
    if any(each.keyid == key_id(approver.public_key) for each in case.signatures):
        raise ClientError("this approver has signed the case already; another has to")
    cosign(case, approver)


def case_of(case: v1.Envelope) -> v1.CaseRequest:
    """Return what a case says, not verified; raise ``ClientError`` for an envelope of another kind."""
    if case.payload_type != payload_type_of(v1.CaseRequest):
        raise ClientError("the file holds no case; make one with: concordat regulator case propose")
    return parse_statement(v1.CaseRequest, case.payload)


def look_up_case(  # one look-up: who asks what, as of when
    identity: MemberIdentity,
    book: MemberBook,
    case: v1.Envelope,
    scope: CaseScope.ValueType,
    after: bytes,
    now: Callable[[], datetime],
    seconds: float = DEFAULT_SECONDS,
) -> Flow[CaseAnswered]:
    """Look one page of one scope up, and verify the answer in full.

    Raises ``RemoteError`` where the exchange refuses, and ``AnswerNotVerified``. Each call is a look-up of its
    own, in the log and in the month's budget.
    """
    yield from book.refresh(now)
    request = LookUpOrder(identity, book.anchors.federation, case, scope, after).signed(now())
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.CaseService/LookUpCase",
        request,
        v1.LookUpCaseResponse,
        seconds,
    )
    response = yield from ask(call, v1.LookUpCaseResponse)
    return check_answer(request, response, book, identity.member_id, now())


@dataclass(frozen=True, slots=True)
class LookUpOrder:
    """One look-up that is to be asked for."""

    identity: MemberIdentity
    federation: str
    case: v1.Envelope
    scope: CaseScope.ValueType
    after: bytes = b""

    def signed(self, at: datetime) -> v1.LookUpCaseRequest:
        """Return the request, signed by the regulator's own key; sent within two minutes."""
        request = v1.CaseLookUpRequest(
            look_up_id=new_id(),
            federation=self.federation,
            regulator=self.identity.member_id,
            case_digest=digest_of(self.case),
            scope=self.scope,
            after=self.after,
            issued_at=to_timestamp(at),
            expires_at=to_timestamp(at + REQUEST_LIFE),
        )
        return v1.LookUpCaseRequest(case=self.case, request=seal(request, self.identity.signer))


def check_answer(
    request: v1.LookUpCaseRequest,
    response: v1.LookUpCaseResponse,
    book: MemberBook,
    regulator: str,
    at: datetime,
) -> CaseAnswered:
    """Verify an answer against what was asked; raise ``AnswerNotVerified``."""
    try:
        own = book.directory.require(regulator, at)
        exchange = book.directory.require(book.anchors.bundle.exchange_id, at)
        case = open_case(request.case, own, book.anchors)
        look_up = open_case_look_up(request.request, case, own, book.anchors, at)
        return verify_case_answer(response, look_up, exchange, book.anchors)
    except (Refusal, MismatchError, TrustError) as error:
        raise AnswerNotVerified(f"the exchange's answer to the case: {error}") from error
