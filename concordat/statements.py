"""Signing the protos' statements: the step between generated messages and ``concordat.trust``."""

from collections.abc import Sequence

from google.protobuf.message import Message

from concordat import v1
from concordat.trust.dsse import statement_digest
from concordat.trust.envelope import (
    RawSignature,
    payload_type_of,
    sign_batch,
    sign_statement,
    validate,
)
from concordat.trust.keys import Signer


def seal(statement: Message, *signers: Signer) -> v1.Envelope:
    """Sign ``statement`` with every signer; raise ``StatementMalformedError`` where it breaks a bound."""
    validate(statement)
    kind, payload = (
        payload_type_of(type(statement)),
        statement.SerializeToString(deterministic=True),
    )
    return envelope_of(kind, payload, [sign_statement(kind, payload, signer) for signer in signers])


def cosign(envelope: v1.Envelope, signer: Signer) -> None:
    """Add one more signature to ``envelope``, over the bytes that it carries."""
    envelope.signatures.append(
        _signature(sign_statement(envelope.payload_type, envelope.payload, signer))
    )


def seal_batch(statements: Sequence[Message], signer: Signer) -> list[v1.Envelope]:
    """Sign up to 1,024 statements with one signature; each envelope still verifies alone.

    Bounds are not checked here (the hot path); whoever opens the envelopes checks them.
    """
    parts = [
        (payload_type_of(type(statement)), statement.SerializeToString(deterministic=True))
        for statement in statements
    ]
    return [
        envelope_of(kind, payload, [signature])
        for (kind, payload), signature in zip(parts, sign_batch(parts, signer), strict=True)
    ]


def digest_of(envelope: v1.Envelope) -> bytes:
    """Return the statement digest (32 bytes) of an envelope that may or may not verify."""
    return statement_digest(envelope.payload_type, envelope.payload)


def envelope_of(kind: str, payload: bytes, signatures: Sequence[RawSignature]) -> v1.Envelope:
    """Put a payload and its signatures together."""
    return v1.Envelope(
        payload=payload, payload_type=kind, signatures=[_signature(raw) for raw in signatures]
    )


def _signature(raw: RawSignature) -> v1.Signature:
    if raw.path is None:
        return v1.Signature(sig=raw.sig, keyid=raw.keyid)
    index, size, siblings = raw.path
    return v1.Signature(
        sig=raw.sig,
        keyid=raw.keyid,
        batch=v1.BatchPath(index=index, size=size, siblings=siblings),
    )
