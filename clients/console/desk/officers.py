"""Who has signed in: an officer by a key of the regulator's licence, and what that key may do."""

from dataclasses import dataclass
from datetime import datetime

from clients.console.base.failures import PageRefused
from clients.language import marked, tr
from concordat.federation.directory import Member
from concordat.trust.errors import SignatureInvalidError
from concordat.trust.keys import KeyRing, key_id


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody whose key the licence names. ``approves`` cases, or acts for the desk with its own key."""

    key_id: str
    approves: bool
    number: int  # in the licence's list, from 1
    serial: str = ""  # of the certificate that it signed in with, in hex; empty for a challenge

    @property
    def name(self) -> str:
        """How the officer is told of."""
        if self.approves:
            return tr("approver {number}", number=self.number)
        return tr("the desk's own key")

    @property
    def role(self) -> str:
        """As the journal keeps it."""
        return f"approver-{self.number}" if self.approves else "desk"

    @property
    def how(self) -> str:
        """How the officer signed in, as the journal keeps it."""
        return f"certificate {self.serial}" if self.serial else "challenge"

    @property
    def means(self) -> str:
        """How the officer signed in, as it is told."""
        if self.serial:
            return tr("certificate {serial}", serial=self.serial)
        return tr("a challenge signed with the key")

    def require_approver(self) -> None:
        """Raise ``PageRefused`` unless the officer may approve cases."""
        if not self.approves:
            raise PageRefused(
                403,
                marked("Only an approver may do that"),
                marked(
                    "Cases are approved by officers whom the licence names as approvers, never by the desk's own "
                    "key. Sign out, and have an approver sign in."
                ),
            )

    def require_desk(self) -> None:
        """Raise ``PageRefused`` unless the officer acts with the desk's own key."""
        if self.approves:
            raise PageRefused(
                403,
                marked("Only the desk's own key may do that"),
                marked(
                    "Who approves a case does not look it up, nor act for the desk. Have whoever holds the "
                    "regulator's own key sign in."
                ),
            )


def officer_of(regulator: Member, keyid: str, at: datetime) -> Officer | None:
    """Return whose key it is by the licence, while it counts; None for nobody's."""
    for approves, ring, listed in (
        (True, regulator.approvers, regulator.licence.approvers),
        (False, regulator.keys, regulator.licence.keys),
    ):
        for number, each in enumerate(listed, 1):
            if key_id(each.public_key) == keyid and _counts(ring, keyid, at):
                return Officer(keyid, approves, number)
    return None


def _counts(ring: KeyRing, keyid: str, at: datetime) -> bool:
    try:
        ring.find(keyid, at)
    except SignatureInvalidError:
        return False
    return True
