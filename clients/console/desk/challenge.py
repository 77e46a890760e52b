"""The key challenge that an officer signs in with: one line of text, good for one page, one desk, a few minutes.

What is signed begins with a context of its own, so that a signature of a challenge is none of any statement
(statements are signed under DSSE's ``DSSEv1``), and no statement's is one of a challenge.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clients.console.base.failures import PageRefused
from clients.language import marked
from clients.sdk.errors import ClientError
from concordat.trust.errors import SignatureInvalidError
from concordat.trust.keys import KeyRing, Signer, key_id, verify_signature

CONTEXT = b"concordat regulator desk sign-in v1\n"
LIFE = timedelta(minutes=5)
PREFIX = "concordat-sign-in/1"
ANSWER = "concordat-signed-in/1"
_NONCE_BYTES = 32
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_TEXT = re.compile(
    re.escape(PREFIX) + r" origin=(?P<origin>https?://[\w.:\[\]-]{1,80})"
    r" desk=(?P<desk>[a-z][a-z0-9-]{1,62}@[\w.-]{1,100}) nonce=(?P<nonce>[0-9a-f]{64})"
    r" expires=(?P<expires>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)",
    re.ASCII,
)
_ANSWER = re.compile(
    re.escape(ANSWER) + r" key=([0-9a-f]{32}) signature=([A-Za-z0-9+/]{86}==)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What an officer is asked to sign: for which page, which desk (``regulator@federation``), until when."""

    origin: str
    desk: str
    nonce: str  # 32 bytes in hex
    expires_at: datetime  # UTC, whole seconds

    @property
    def text(self) -> str:
        """The line that is shown and signed."""
        return (
            f"{PREFIX} origin={self.origin} desk={self.desk} nonce={self.nonce} "
            f"expires={self.expires_at.strftime(_TIME)}"
        )

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return CONTEXT + self.text.encode()


def parse_challenge(text: str) -> Challenge:
    """Return the challenge that a line is; raise ``ClientError`` for anything else."""
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ClientError("that is no challenge of a desk; copy the whole line that it shows")
    try:
        expires = datetime.strptime(found["expires"], _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise ClientError("the challenge ends at a time that there is not") from error
    return Challenge(found["origin"], found["desk"], found["nonce"], expires)


def sign_challenge(challenge: Challenge, signer: Signer, at: datetime) -> str:
    """Return the line that answers a challenge; raise ``ClientError`` where its time is over."""
    if at >= challenge.expires_at:
        raise ClientError("the challenge has expired; load the page anew and sign the new one")
    signature = base64.b64encode(signer.sign(challenge.signed_bytes)).decode()
    return f"{ANSWER} key={key_id(signer.public_key)} signature={signature}"


class Challenges:
    """Hands challenges out and takes each back once."""

    def __init__(self, desk: str, now: Callable[[], datetime]) -> None:
        """Hand them out for one desk."""
        self._desk = desk
        self._now = now

    def issue(self, origin: str) -> Challenge:
        """Return a fresh challenge for the page at ``origin``."""
        until = (self._now() + LIFE).replace(microsecond=0)
        return Challenge(origin, self._desk, secrets.token_hex(_NONCE_BYTES), until)

    def check(self, challenge: Challenge | None, answer: str, rings: Iterable[KeyRing]) -> str:
        """Return the id of the key that answered; raise ``PageRefused`` where it is in none of ``rings``.

        Who calls has forgotten the challenge by then: it never counts twice, whatever comes of it.
        """
        if challenge is None or self._now() >= challenge.expires_at:
            raise _stale()
        found = _ANSWER.fullmatch(answer)
        if found is None:
            raise _unsigned()
        try:
            signature = base64.b64decode(found[2], validate=True)
            verify_signature(self._key(found[1], rings), signature, challenge.signed_bytes)
        except (binascii.Error, SignatureInvalidError) as error:
            raise _foreign() from error
        return found[1]

    def _key(self, keyid: str, rings: Iterable[KeyRing]) -> bytes:
        """Return a key that counts now; raise ``SignatureInvalidError`` for none."""
        for ring in rings:
            with suppress(SignatureInvalidError):
                return ring.find(keyid, self._now())
        raise SignatureInvalidError(f"key {keyid} is not one that may sign in")


def _stale() -> PageRefused:
    return PageRefused(
        403,
        marked("That challenge is over"),
        marked(
            "A challenge is good for five minutes and for one answer. Load the page to sign in anew, and sign the "
            "new one."
        ),
    )


def _unsigned() -> PageRefused:
    return PageRefused(
        422,
        marked("That is no answer to a challenge"),
        marked("Paste the whole line that the command printed."),
    )


def _foreign() -> PageRefused:
    return PageRefused(
        403,
        marked("That key does not open this desk"),
        marked(
            "Only keys that the regulator's licence names may sign in, while they count, and only by signing this "
            "very challenge. Nobody was signed in."
        ),
    )
