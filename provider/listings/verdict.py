"""What became of an order once it was taken in."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether an order is to be sent, or why it is not."""

    QUEUED = "QUEUED"
    UNCHANGED = "UNCHANGED"
    DIFFERS_FROM_FILED = "DIFFERS_FROM_FILED"
    NEEDS_REINSERTION = "NEEDS_REINSERTION"
    NOT_ON_RECORD = "NOT_ON_RECORD"
    FILING_REFUSED = "FILING_REFUSED"
    LISTING_ENDED = "LISTING_ENDED"
    STATEMENT_MALFORMED = "STATEMENT_MALFORMED"
    NOT_THIS_MEMBERS = "NOT_THIS_MEMBERS"

    @property
    def good(self) -> bool:
        """Whether what was asked for is, or will be, so."""
        return self in {Verdict.QUEUED, Verdict.UNCHANGED}


ADVICE: dict[Verdict, str] = {
    Verdict.QUEUED: "signed and durable; it is sent as soon as the exchange can be reached",
    Verdict.UNCHANGED: "this was filed or said before; nothing is sent twice",
    Verdict.DIFFERS_FROM_FILED: "the debt is filed with other facts: correct it, or withdraw it and file anew",
    Verdict.NEEDS_REINSERTION: "a listing of it has ended: check it anew, and certify that with new evidence",
    Verdict.NOT_ON_RECORD: "nothing with this reference was filed here",
    Verdict.FILING_REFUSED: "the exchange refused the filing, so there is no listing",
    Verdict.LISTING_ENDED: "the listing has ended, or was taken back",
    Verdict.STATEMENT_MALFORMED: "it breaks a bound of the contract",
    Verdict.NOT_THIS_MEMBERS: "it names another member or federation as its source",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one order, and the filing that it is about."""

    verdict: Verdict
    filing_id: bytes
