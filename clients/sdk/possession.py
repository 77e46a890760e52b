"""Proof to the registrar that whoever asks for a binding holds the key (BindSubjectRequest)."""

from concordat.trust.dsse import pae

POSSESSION_TYPE = "application/vnd.concordat.key-possession.v1"


def possession_bytes(federation: str, identity_number: str, enrolment_code: str) -> bytes:
    """Return what the key signs: the PAE of the three as sent, kept apart by zero bytes."""
    parts = (federation, identity_number, enrolment_code)
    return pae(POSSESSION_TYPE, b"\x00".join(part.encode() for part in parts))
