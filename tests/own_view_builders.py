"""A person's own look at its score, for tests that bend a part of it.

request = own_request(federation, person)            # signed by the person, for all providers
ask = own_ask(federation, person, request)           # what the exchange passes on to a provider
"""

from datetime import datetime, timedelta
from typing import Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import LogEntryKind
from tests.builders import DAY, Federation, Subject, signer

LOOK = LogEntryKind.LOG_ENTRY_KIND_OWN_LOOK


def own_request(
    federation: Federation,
    person: Subject,
    /,
    *,
    signed_by: str | None = None,
    made: datetime | None = None,
    **fields: Any,
) -> v1.Envelope:
    """Return a person's request for its own score, of all providers, made at ``made``, for a minute."""
    made = made or federation.at
    given: dict[str, Any] = {
        "request_id": new_id(),
        "federation": federation.name,
        "subject_ref": person.ref,
        "providers": federation.providers,
        "issued_at": to_timestamp(made),
        "expires_at": to_timestamp(made + timedelta(minutes=1)),
    }
    request = v1.OwnViewRequest(**(given | fields))
    return seal(request, signer(signed_by) if signed_by else person.signer)


def look_record(request: v1.Envelope, look_id: bytes, at: datetime) -> v1.LogRecord:
    """Return what an exchange logs before it asks providers for a person."""
    asked = v1.OwnViewRequest.FromString(request.payload)
    return v1.LogRecord(
        record_id=look_id,
        recorded_at=to_timestamp(at),
        subject_ref=asked.subject_ref,
        own_look=v1.OwnLook(request_digest=digest_of(request), providers=asked.providers),
    )


def own_look(
    federation: Federation,
    request: v1.Envelope,
    *,
    look_id: bytes | None = None,
    log: Ed25519Signer | None = None,
) -> v1.LogReceipt:
    """Return the log's receipt of a look."""
    record = look_record(request, look_id or new_id(), federation.at)
    return federation.receipt(record, LOOK, log=log)


def own_ask(
    federation: Federation, person: Subject, request: v1.Envelope | None = None, **parts: Any
) -> v1.RequestOwnScoresRequest:
    """Return what the exchange passes on to a provider; ``parts`` replace whole fields of it."""
    request = request or own_request(federation, person)
    given: dict[str, Any] = {
        "request": request,
        "binding": person.binding,
        "intent": own_look(federation, request),
    }
    return v1.RequestOwnScoresRequest(**(given | parts))


def own_statement(
    federation: Federation,
    provider: str,
    request: v1.Envelope,
    *,
    signed_by: str | None = None,
    **fields: Any,
) -> v1.Envelope:
    """Return a provider's answer to an own request; ``absence=...`` in ``fields`` makes it one."""
    given: dict[str, Any] = {
        "federation": federation.name,
        "provider": provider,
        "request_digest": digest_of(request),
        "subject_ref": v1.OwnViewRequest.FromString(request.payload).subject_ref,
        "issued_at": to_timestamp(federation.at),
        "salt": b"\x07" * 16,
    }
    if "absence" not in fields:
        given |= {
            "score": 700,
            "reasons": ["BK01", "BK02"],
            "model_version": "model-1",
            "as_of": to_timestamp(federation.at - DAY),
        }
    return seal(v1.ScoreStatement(**(given | fields)), signer(signed_by or provider))
