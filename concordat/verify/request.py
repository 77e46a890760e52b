"""A lender's request and a provider's answer to it."""

from datetime import datetime

from google.protobuf.message import DecodeError

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.federation.purposes import require_licensed_purpose
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope
from concordat.v1 import Reason
from concordat.verify.consent import require_fresh

Asked = Verified[v1.ViewRequest] | Verified[v1.OwnViewRequest]
"""What a provider states a score in answer to: a lender's request, or the subject's own."""


def open_view_request(
    envelope: v1.Envelope, lender: Member, anchors: Anchors, at: datetime
) -> Verified[v1.ViewRequest]:
    """Verify that ``lender`` signed the request, may ask for its purpose, and did so just now.

    Whether the lender is licensed at all is the directory's to say. Raises ``Refusal``.
    """
    with refusing_untrusted():
        verified = open_envelope(envelope, v1.ViewRequest, lender.keys, at)
        request = verified.message
        issued, expires = from_timestamp(request.issued_at), from_timestamp(request.expires_at)
    anchors.require_federation(request.federation)
    if request.lender != lender.member_id:
        raise Refusal(Reason.REASON_CALLER_NOT_SIGNER, f"the request names {request.lender}")
    require_licensed_purpose(lender.licence, request.purpose)
    require_fresh(issued, expires, at)
    return verified


def lender_named_in(envelope: v1.Envelope) -> str:
    """Return the lender that a request *claims* to be from: what to look a licence up by, not a fact."""
    request = v1.ViewRequest()
    try:
        request.ParseFromString(envelope.payload)
    except DecodeError as error:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "no view request") from error
    return request.lender


def open_score_statement(
    envelope: v1.Envelope,
    provider: Member,
    request: Asked,
    anchors: Anchors,
    at: datetime,
) -> Verified[v1.ScoreStatement]:
    """Verify that ``provider`` itself answered this very request, within its licence.

    A statement from another provider, for another request or subject, out of the licensed scale, with an
    unlicensed reason code, or made before the request or in the future does not count. Raises ``Refusal``.
    """
    with refusing_untrusted():
        verified = open_envelope(envelope, v1.ScoreStatement, provider.keys, at)
        statement = verified.message
        made, asked = from_timestamp(statement.issued_at), from_timestamp(request.message.issued_at)
    anchors.require_federation(statement.federation)
    if statement.provider != provider.member_id:
        raise _invalid(f"{provider.member_id} signed a statement of {statement.provider}")
    if statement.request_digest != request.digest:
        raise _invalid("the statement answers another request")
    if statement.subject_ref != request.message.subject_ref:
        raise _invalid("the statement is about another subject")
    if not asked - MAX_SKEW <= made <= at + MAX_SKEW:
        raise _invalid(f"the statement was made at {made}")
    _require_within_licence(statement, provider)
    return verified


def _require_within_licence(statement: v1.ScoreStatement, provider: Member) -> None:
    """Raise unless the score is on the licensed scale and the reason codes are the licence's."""
    if statement.WhichOneof("answer") == "absence":
        if statement.reasons or statement.model_version or statement.HasField("as_of"):
            raise _invalid("an absence carries no reasons, model or date")
        return
    scale = provider.licence.score_scale
    if not scale.minimum <= statement.score <= scale.maximum:
        raise Refusal(Reason.REASON_SCORE_OUT_OF_SCALE, provider.member_id)
    if not (statement.model_version and statement.HasField("as_of")):
        raise _invalid("a score names its model and its date")
    if not set(statement.reasons) <= {reason.code for reason in scale.reasons}:
        raise _invalid("a reason code is not in the provider's licence")


def _invalid(detail: str) -> Refusal:
    return Refusal(Reason.REASON_PROVIDER_ANSWER_INVALID, detail)
