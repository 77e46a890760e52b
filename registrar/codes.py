"""Enrolment codes: one-time secrets that say for whom and until when, with no table behind them.

A code is ``base32(nonce || expiry || tag)``: 5 random bytes, the expiry in minutes since the Unix
epoch (uint32, big-endian), and the first 11 bytes of HMAC-SHA-256 over subject_ref || nonce ||
expiry. So the operator's command needs the derivation key and no database, which the running
server has to itself; the database only knows the codes that were used.

Guessing is hopeless at 88 bits, so failed attempts lock nobody out: a lock would let whoever knows
a person's number keep that person from enrolling.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from concordat.refusal import Refusal
from concordat.v1 import Reason
from registrar.derivation import subkey

_NONCE_BYTES, _EXPIRY_BYTES, _TAG_BYTES = 5, 4, 11
_CODE_BYTES = _NONCE_BYTES + _EXPIRY_BYTES + _TAG_BYTES
_CHARACTERS = _CODE_BYTES * 8 // 5
_GROUP = 4
_CONFUSED = str.maketrans("018", "OIB")  # what is no base32 letter but looks like one


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    """A code that was issued for the subject it was checked against; perhaps used since."""

    digest: bytes  # keyed, 32 bytes: what the database knows a used code by
    expires_at: datetime


class EnrolmentCodes:
    """Issues and recognises the codes of one registrar."""

    def __init__(self, key: bytes, federation: str) -> None:
        """Derive the keys for tags and digests from the derivation key."""
        self._tag_key = subkey(key, "enrolment-code", federation)
        self._digest_key = subkey(key, "enrolment-code-digest", federation)

    def issue(self, subject_ref: bytes, expires_at: datetime) -> str:
        """Return a fresh code for a subject, in eight groups of four characters."""
        minutes = int(expires_at.timestamp()) // 60
        body = secrets.token_bytes(_NONCE_BYTES) + struct.pack(">I", minutes)
        text = base64.b32encode(body + self._tag(subject_ref, body)).decode("ascii")
        return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))

    def recognise(self, subject_ref: bytes, written: str) -> EnrolmentCode:
        """Return the code if this registrar issued it for this subject, expired or not.

        Raises ``Refusal`` (REASON_ENROLMENT_CODE_INVALID), which does not tell a wrong code from
        another person's. Spaces, hyphens and case do not matter.
        """
        code = _decode(written)
        body, tag = code[:-_TAG_BYTES], code[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(subject_ref, body)):
            raise Refusal(Reason.REASON_ENROLMENT_CODE_INVALID, "not a code of this subject")
        (minutes,) = struct.unpack(">I", body[_NONCE_BYTES:])
        return EnrolmentCode(
            digest=hmac.digest(self._digest_key, code, hashlib.sha256),
            expires_at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes),
        )

    def _tag(self, subject_ref: bytes, body: bytes) -> bytes:
        return hmac.digest(self._tag_key, subject_ref + body, hashlib.sha256)[:_TAG_BYTES]


def _decode(written: str) -> bytes:
    text = "".join(written.split()).replace("-", "").upper().translate(_CONFUSED)
    try:
        if len(text) == _CHARACTERS:
            return base64.b32decode(text)
    except (binascii.Error, ValueError):
        pass
    raise Refusal(Reason.REASON_ENROLMENT_CODE_INVALID, "not in the form of a code")
