"""What the journal says of a request: made from the request alone, pure."""

from contextlib import suppress
from datetime import datetime

from google.protobuf.message import DecodeError

from concordat import v1
from concordat.clock import to_micros
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.trust.dsse import statement_digest
from concordat.trust.envelope import payload_type_of
from provider.guard import Checked
from provider.own_guard import OwnChecked
from provider.store.journal import OWN_LOOK, Access, Outcome

_STATEMENT = payload_type_of(v1.ScoreStatement)


def access_of(
    item: Checked,
    at: datetime,
    *,
    statement: v1.ScoreStatement | None = None,
    refusal: Refusal | None = None,
) -> Access:
    """Return the row of a request that passed its checks: answered, or refused by what is known."""
    request = item.request.message
    outcome, digest = _outcome(statement)
    return Access(
        subject_ref=item.subject_ref,
        request_digest=item.request.digest,
        request_id=request.request_id,
        lender=request.lender,
        purpose=request.purpose,
        consent_id=item.consent.consent_id,
        outcome=outcome,
        reason=refusal.reason if refusal else 0,
        at=to_micros(at),
        statement_digest=digest,
        receipt=item.receipt,
    )


def own_access_of(
    item: OwnChecked,
    at: datetime,
    *,
    statement: v1.ScoreStatement | None = None,
    refusal: Refusal | None = None,
) -> Access:
    """Return the row of a person's own look that passed its checks: no lender, purpose or consent."""
    outcome, digest = _outcome(statement)
    return Access(
        subject_ref=item.subject_ref,
        request_digest=item.request.digest,
        request_id=item.request.message.request_id,
        lender=OWN_LOOK,
        purpose=0,
        consent_id=b"",
        outcome=outcome,
        reason=refusal.reason if refusal else 0,
        at=to_micros(at),
        statement_digest=digest,
        receipt=item.receipt,
    )


def _outcome(statement: v1.ScoreStatement | None) -> tuple[Outcome, bytes | None]:
    """Return what became of a request, and the digest of the statement, if there is one."""
    if statement is None:
        return Outcome.REFUSED, None
    absent = statement.WhichOneof("answer") == "absence"
    digest = statement_digest(_STATEMENT, statement.SerializeToString(deterministic=True))
    return Outcome.NO_RECORD if absent else Outcome.SCORED, digest


def refused_access_of(
    ask: v1.ScoreRequest, proven: v1.ViewRequest | None, refusal: Refusal, at: datetime
) -> Access | None:
    """Return the journal's row for an attempt that failed a check; its claims may be false.

    The lender is named only where it signed. None where the request names no subject.
    """
    request, consent = v1.ViewRequest(), v1.Consent()
    with suppress(DecodeError):
        request.ParseFromString(ask.view_request.payload)
        consent.ParseFromString(ask.consent.payload)
    if len(request.subject_ref) != 32 or len(request.request_id) != 16:  # noqa: PLR2004 - proto
        return None
    return Access(
        subject_ref=request.subject_ref,
        request_digest=digest_of(ask.view_request),
        request_id=request.request_id,
        lender=proven.lender if proven else None,
        purpose=proven.purpose if proven else 0,
        consent_id=consent.consent_id[:16],
        outcome=Outcome.REFUSED,
        reason=refusal.reason,
        at=to_micros(at),
    )
