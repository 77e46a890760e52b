"""Proof that whoever asks for a binding holds the key."""

from concordat import v1
from concordat.refusal import refusing_untrusted
from concordat.trust.dsse import pae
from concordat.trust.keys import verify_signature

POSSESSION_TYPE = "application/vnd.concordat.key-possession.v1"


def possession_bytes(federation: str, identity_number: str, enrolment_code: str) -> bytes:
    """Return what the key signs: the PAE of the three as sent, kept apart by zero bytes."""
    parts = (federation, identity_number, enrolment_code)
    return pae(POSSESSION_TYPE, b"\x00".join(part.encode() for part in parts))


def require_possession(request: v1.BindSubjectRequest, federation: str) -> None:
    """Raise ``Refusal`` (REASON_SIGNATURE_INVALID) unless the key to bind signed the request."""
    signed = possession_bytes(federation, request.identity_number, request.enrolment_code)
    with refusing_untrusted():
        verify_signature(request.public_key, request.possession_sig, signed)
