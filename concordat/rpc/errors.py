"""The catalog of refusals, and how they cross gRPC (google.rpc.Status with ErrorInfo and RetryInfo)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import Reason

DOMAIN = "concordat.v1"
_PREFIX = "REASON_"


@dataclass(frozen=True, slots=True)
class Spec:
    """How a reason is shown to the caller: the gRPC code, and what happened with what to do about it."""

    code: grpc.StatusCode
    message: str


_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_DENIED = grpc.StatusCode.PERMISSION_DENIED
_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
_CONFLICT = grpc.StatusCode.ALREADY_EXISTS
_ABSENT = grpc.StatusCode.NOT_FOUND

CATALOG: dict[Reason.ValueType, Spec] = {
    Reason.REASON_MESSAGE_INVALID: Spec(
        _INVALID, "The message breaks a bound of the protos; the protocol reference states them."
    ),
    Reason.REASON_DEADLINE_MISSING: Spec(_INVALID, "Set a deadline on the call."),
    Reason.REASON_METHOD_NOT_SERVED: Spec(
        grpc.StatusCode.UNIMPLEMENTED,
        "This port does not serve the method; members and subjects have their own.",
    ),
    Reason.REASON_DEADLINE_TOO_SHORT: Spec(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "Too little time is left; ask again with a longer deadline.",
    ),
    Reason.REASON_UNAVAILABLE: Spec(
        _UNAVAILABLE, "The service cannot answer now; try again shortly."
    ),
    Reason.REASON_INTERNAL: Spec(
        grpc.StatusCode.INTERNAL,
        "Something failed here and nothing was released; report the request id.",
    ),
    Reason.REASON_CALLER_UNKNOWN: Spec(
        grpc.StatusCode.UNAUTHENTICATED,
        "The certificate names no member of this federation, or has expired.",
    ),
    Reason.REASON_MEMBER_UNLICENSED: Spec(_DENIED, "The member has no licence in this federation."),
    Reason.REASON_MEMBER_SUSPENDED: Spec(_DENIED, "The member is suspended; ask the regulator."),
    Reason.REASON_LICENCE_NOT_IN_FORCE: Spec(
        _DENIED,
        "The member's licence has expired, is not yet valid, or was revoked; ask the regulator.",
    ),
    Reason.REASON_ROLE_NOT_ALLOWED: Spec(_DENIED, "The member's roles do not allow this."),
    Reason.REASON_CALLER_NOT_SIGNER: Spec(
        _DENIED,
        "The statement names another member than the one that calls or signed; send your own.",
    ),
    Reason.REASON_LICENCE_SUPERSEDED: Spec(
        _PRECONDITION,
        "A later licence or status of this member is known; give this one a higher number.",
    ),
    Reason.REASON_DIRECTORY_STALE: Spec(
        _UNAVAILABLE,
        "The list of members is too old to rely on; try again when the exchange is reachable.",
    ),
    Reason.REASON_CALIBRATION_SUPERSEDED: Spec(
        _PRECONDITION,
        "Another calibration of this version is known; give this one a higher version.",
    ),
    Reason.REASON_NO_CALIBRATION: Spec(
        _PRECONDITION,
        "The exchange has no calibration in use, so it pools no scores; the exchange signs one, "
        "the regulators countersign it, and a regulator submits it.",
    ),
    Reason.REASON_STATEMENT_MALFORMED: Spec(
        _INVALID,
        "A statement is not what its type says, or is newer than this version; see the protocol reference.",
    ),
    Reason.REASON_SIGNATURE_INVALID: Spec(
        _DENIED, "A signature does not verify, or its key may not sign this; check key and licence."
    ),
    Reason.REASON_WRONG_FEDERATION: Spec(_INVALID, "The statement is of another federation."),
    Reason.REASON_STATEMENT_NOT_FRESH: Spec(
        _PRECONDITION,
        "The statement's times do not fit the receiver's clock; set your clock and sign a new one.",
    ),
    Reason.REASON_REPLAYED_WITH_OTHER_BYTES: Spec(
        _CONFLICT, "This id was used before with other bytes; use a new id."
    ),
    Reason.REASON_CONSENT_UNKNOWN: Spec(
        _ABSENT, "No such consent is on record; the subject must grant it first."
    ),
    Reason.REASON_CONSENT_PAUSED: Spec(_DENIED, "The subject has paused this consent."),
    Reason.REASON_CONSENT_REVOKED: Spec(_DENIED, "The subject has revoked this consent."),
    Reason.REASON_CONSENT_EXPIRED: Spec(
        _DENIED, "The consent has expired or is not yet valid; ask for a new one."
    ),
    Reason.REASON_CONSENT_EXHAUSTED: Spec(
        _DENIED, "All uses of the consent are spent; ask for a new one."
    ),
    Reason.REASON_CONSENT_TOO_FREQUENT: Spec(
        _EXHAUSTED,
        "The consent allows no further use in this period; the details say when to try again.",
    ),
    Reason.REASON_CONSENT_WRONG_RECIPIENT: Spec(_DENIED, "The consent names another recipient."),
    Reason.REASON_CONSENT_MISMATCH: Spec(
        _DENIED, "The consent is for another subject, purpose or disclosure than the request."
    ),
    Reason.REASON_PROVIDER_NOT_NAMED: Spec(
        _DENIED, "The consent, or the person's own request, does not name this provider."
    ),
    Reason.REASON_CONSENT_STATUS_STALE: Spec(
        _PRECONDITION,
        "The consent status is too old or of another consent; the exchange must staple a fresh one.",
    ),
    Reason.REASON_BINDING_INVALID: Spec(
        _DENIED, "The subject's key binding is unknown, superseded or expired; bind the key anew."
    ),
    Reason.REASON_PURPOSE_NOT_ALLOWED: Spec(
        _DENIED, "The purpose is not open to this member, or not on these terms."
    ),
    Reason.REASON_CONSENT_TRANSITION_REFUSED: Spec(
        _PRECONDITION,
        "The consent's state does not allow this change; list the consent to see where it stands.",
    ),
    Reason.REASON_ACCESS_NOT_LOGGED: Spec(
        _PRECONDITION,
        "No proof that verifies shows this access in the log; the exchange must log it first.",
    ),
    Reason.REASON_SCORE_STORE_FAILED: Spec(
        _UNAVAILABLE, "The provider's own store failed; nothing was released."
    ),
    Reason.REASON_SCORE_OUT_OF_SCALE: Spec(
        _PRECONDITION,
        "The stored score is outside the provider's licensed scale; nothing was released.",
    ),
    Reason.REASON_PROVIDER_TIMED_OUT: Spec(
        grpc.StatusCode.DEADLINE_EXCEEDED, "The provider did not answer in time; ask again later."
    ),
    Reason.REASON_PROVIDER_UNREACHABLE: Spec(
        _UNAVAILABLE, "The provider could not be reached; ask again later."
    ),
    Reason.REASON_PROVIDER_ANSWER_INVALID: Spec(
        grpc.StatusCode.DATA_LOSS, "The provider's answer does not verify and was thrown away."
    ),
    Reason.REASON_ENROLMENT_CODE_INVALID: Spec(
        _DENIED, "The enrolment code is wrong, used or expired; ask the registrar for a new one."
    ),
    Reason.REASON_IDENTITY_MALFORMED: Spec(
        _INVALID, "The identity number is not in a form that the registrar knows."
    ),
    Reason.REASON_QUOTA_EXCEEDED: Spec(
        _EXHAUSTED, "More was asked than the quota allows; the details say when to try again."
    ),
    Reason.REASON_LOG_UNAVAILABLE: Spec(
        _UNAVAILABLE,
        "The log cannot take entries now, so nothing is released; try again with the same request.",
    ),
    Reason.REASON_LOG_UNWITNESSED: Spec(
        _UNAVAILABLE,
        "Too few witnesses have seen the log, so nothing is released; try again later.",
    ),
    Reason.REASON_LISTING_UNKNOWN: Spec(
        _ABSENT, "No such listing, dispute or retraction of yours is on record; check the id."
    ),
    Reason.REASON_LISTING_TRANSITION_REFUSED: Spec(
        _PRECONDITION,
        "The listing's state does not allow this to you; look where it stands, then decide again.",
    ),
    Reason.REASON_LISTING_NOT_ATTESTED: Spec(
        _INVALID,
        "The filing must attest that it is accurate, and say by code why it comes late; check and file anew.",
    ),
    Reason.REASON_LISTING_INELIGIBLE: Spec(
        _PRECONDITION,
        "This debt may not be listed: too small, too recent, secured, frozen, or a minor's.",
    ),
    Reason.REASON_LISTING_OBSOLETE: Spec(
        _PRECONDITION, "The debt is too old to be listed, or its register's entry has ended."
    ),
    Reason.REASON_REINSERTION_NOT_CERTIFIED: Spec(
        _PRECONDITION,
        "The debt had a listing that ended; file it with a reinsertion certificate and new evidence.",
    ),
    Reason.REASON_DEBT_CLOSED: Spec(
        _PRECONDITION, "The debt was settled; it is not listed again. Do not retry."
    ),
    Reason.REASON_LISTING_NOT_OWN: Spec(
        _DENIED, "You are no source of this listing; file the debt yourself, or ask its source."
    ),
    Reason.REASON_DISPUTE_REPEATED: Spec(
        _PRECONDITION,
        "The dispute brings nothing new; add evidence that was not heard yet, or appeal the ruling.",
    ),
    Reason.REASON_APPEAL_TOO_LATE: Spec(
        _PRECONDITION,
        "The time to appeal this ruling is over; raise a new dispute if there is new evidence.",
    ),
    Reason.REASON_REVIEWER_NOT_INDEPENDENT: Spec(
        _DENIED,
        "This reviewer is a party or decided before, or cannot hear this stage; name another one.",
    ),
    Reason.REASON_CORRECTION_NOT_FAVOURABLE: Spec(
        _PRECONDITION,
        "A correction may not put the subject worse; withdraw the listing and file anew.",
    ),
    Reason.REASON_WORDS_TOO_MANY: Spec(
        _INVALID, "The statement has more than 200 words; shorten it and send it again."
    ),
    Reason.REASON_MIRROR_DIFFERS: Spec(
        _PRECONDITION,
        "The court's register and its listings here differ; file and withdraw what is missing, then sync.",
    ),
    Reason.REASON_LISTINGS_STALE: Spec(
        _UNAVAILABLE, "The listings in memory are not current, so nothing is released; try again."
    ),
    Reason.REASON_SUBJECT_FROZEN: Spec(
        _DENIED, "The subject has frozen its record; only the subject can lift that."
    ),
    Reason.REASON_LENDER_STEPPED_UP: Spec(
        _DENIED,
        "Your recent use looks like fishing: ask the subject for a fresh consent, and use it within ten minutes.",
    ),
    Reason.REASON_LENDER_THROTTLED: Spec(
        _EXHAUSTED,
        "Your recent use looks like fishing and is slowed down; the details say when to try again.",
    ),
    Reason.REASON_LENDER_STOPPED: Spec(
        _EXHAUSTED,
        "Your recent use looks like fishing and is stopped; the details say until when. Ask the regulator.",
    ),
    Reason.REASON_THRESHOLD_MOVED: Spec(
        _EXHAUSTED,
        "This lender has already asked whether the subject's score reaches other thresholds, or for its band; "
        "ask for the same again, or wait: the details say how long.",
    ),
    Reason.REASON_OUTCOMES_NOT_OF_CALIBRATION: Spec(
        _PRECONDITION,
        "The counts name a calibration, provider or bin that is not on record; count by the views' own "
        "calibration.",
    ),
    Reason.REASON_OUTCOME_CELL_TOO_SMALL: Spec(
        _INVALID,
        "A bin has too few subjects to be told of; leave it out, or report a longer period.",
    ),
    Reason.REASON_OUTCOME_PERIOD_OVERLAPS: Spec(
        _CONFLICT,
        "Another period that you reported overlaps this one; report that very period again to replace it.",
    ),
    Reason.REASON_OUTCOME_COUNTS_SUPERSEDED: Spec(
        _PRECONDITION, "You have reported later counts of this period; count anew to replace them."
    ),
    Reason.REASON_CASE_NOT_APPROVED: Spec(
        _DENIED,
        "A case look-up takes the signatures of two approvers whom the regulator's licence names; collect them.",
    ),
    Reason.REASON_CASE_ENDED: Spec(
        _PRECONDITION,
        "The case is over, or its request too old; open a new case with a new reference.",
    ),
    Reason.REASON_CASE_OTHER_SUBJECT: Spec(
        _DENIED, "A case is about one person; open another case, with approvals of its own."
    ),
    Reason.REASON_CASE_BUDGET_SPENT: Spec(
        _EXHAUSTED, "The look-ups of this month are spent; the details say when there are more."
    ),
    Reason.REASON_NOTICE_NOT_HELD: Spec(
        _UNAVAILABLE,
        "Too few custodians hold the notice that the subject is owed, so nothing is released; try again later.",
    ),
    Reason.REASON_CASE_TOO_WIDE: Spec(
        _INVALID, "A case may not last so long, or keep its notice back so long; shorten it."
    ),
    Reason.REASON_ORDER_REFUSED: Spec(
        _PRECONDITION,
        "The order does not fit: an unknown or ended listing, no source of it, or a term that is too short.",
    ),
    Reason.REASON_PERIOD_NOT_OVER: Spec(
        _PRECONDITION,
        "Statistics are of whole days or months that are over; ask for an earlier one.",
    ),
    Reason.REASON_ACCESS_UNKNOWN: Spec(
        _ABSENT, "No such access of yours is on record; check the access id in the view's receipt."
    ),
    Reason.REASON_CURSOR_UNKNOWN: Spec(
        _PRECONDITION,
        "The cursor is older than what is kept; start anew, and ask for a view of each person meanwhile.",
    ),
}


def name_of(reason: Reason.ValueType) -> str:
    """Return a reason's name as ``ErrorInfo.reason`` carries it, without the prefix."""
    return Reason.Name(reason).removeprefix(_PREFIX)


def to_status(refusal: Refusal, request_id: str) -> Any:
    """Return the gRPC status that a refusal leaves as: public message, ErrorInfo, RetryInfo where set."""
    spec = CATALOG[refusal.reason]
    status = status_pb2.Status(code=code_pb2.Code.Value(spec.code.name), message=spec.message)
    info = error_details_pb2.ErrorInfo(
        reason=name_of(refusal.reason), domain=DOMAIN, metadata={"request_id": request_id}
    )
    status.details.append(_packed(info))
    if refusal.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(refusal.retry_after)
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return rpc_status.to_status(status)


def to_item(refusal: Refusal) -> v1.ItemRefusal:
    """Return a refusal as one item of a batched answer."""
    item = v1.ItemRefusal(reason=refusal.reason, message=CATALOG[refusal.reason].message)
    if refusal.retry_after is not None:
        item.retry_after.FromTimedelta(refusal.retry_after)
    return item


@dataclass(eq=False)  # not frozen: contextlib sets an exception's traceback
class RemoteError(Exception):
    """A call failed at the other side, or never got there.

    ``reason`` is REASON_UNSPECIFIED where the failure is the transport's and not a refusal of the peer.
    """

    code: grpc.StatusCode
    reason: Reason.ValueType
    message: str
    request_id: str = ""
    retry_after: timedelta | None = None

    def __str__(self) -> str:
        """Name the reason, then what to do."""
        return f"{name_of(self.reason) if self.reason else self.code.name}: {self.message}"


def from_rpc_error(error: grpc.RpcError) -> RemoteError:
    """Read a failed call's status back into its reason; details that make no sense are passed over."""
    code, text = error.code(), error.details() or ""
    try:
        return _from_details(code, text, rpc_status.from_call(error))
    except (ValueError, OverflowError, DecodeError):
        return RemoteError(code, Reason.REASON_UNSPECIFIED, text)


def _from_details(code: grpc.StatusCode, text: str, status: Any) -> RemoteError:
    reason: Reason.ValueType = Reason.REASON_UNSPECIFIED
    request_id, retry = "", None
    for detail in status.details if status else ():
        info, delay = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
            if _PREFIX + info.reason in Reason.DESCRIPTOR.values_by_name:
                reason = Reason.Value(_PREFIX + info.reason)
            request_id = info.metadata.get("request_id", "")
        elif detail.Is(delay.DESCRIPTOR) and detail.Unpack(delay):
            retry = delay.retry_delay.ToTimedelta()
    return RemoteError(code, reason, text, request_id, retry)


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
