"""The words that rows may use, and why a row is not filed."""

from enum import StrEnum

from concordat.v1 import LateFilingCode, ListingBasis, ListingKind

KINDS = {
    "debt": ListingKind.LISTING_KIND_DEBT,
    "judgment": ListingKind.LISTING_KIND_JUDGMENT,
}
BASES = {
    "loan": ListingBasis.LISTING_BASIS_LOAN,
    "revolving-credit": ListingBasis.LISTING_BASIS_REVOLVING_CREDIT,
    "service-contract": ListingBasis.LISTING_BASIS_SERVICE_CONTRACT,
    "guarantee": ListingBasis.LISTING_BASIS_GUARANTEE,
    "judgment": ListingBasis.LISTING_BASIS_JUDGMENT,
}
LATE_CODES = {
    "": LateFilingCode.LATE_FILING_CODE_UNSPECIFIED,
    "waited-to-be-eligible": LateFilingCode.LATE_FILING_CODE_WAITED_TO_BE_ELIGIBLE,
    "acquired": LateFilingCode.LATE_FILING_CODE_ACQUIRED,
    "judgment": LateFilingCode.LATE_FILING_CODE_JUDGMENT,
    "joined-later": LateFilingCode.LATE_FILING_CODE_JOINED_LATER,
}


class Reject(StrEnum):
    """Why a row was not filed."""

    FIELD_COUNT_WRONG = "FIELD_COUNT_WRONG"
    SUBJECT_REF_MALFORMED = "SUBJECT_REF_MALFORMED"
    IDENTITY_MALFORMED = "IDENTITY_MALFORMED"
    REFERENCE_MALFORMED = "REFERENCE_MALFORMED"
    DEBT_TOKEN_MALFORMED = "DEBT_TOKEN_MALFORMED"  # noqa: S105 - a reason's name
    KIND_UNKNOWN = "KIND_UNKNOWN"
    BASIS_UNKNOWN = "BASIS_UNKNOWN"
    AMOUNT_MALFORMED = "AMOUNT_MALFORMED"
    CURRENCY_MALFORMED = "CURRENCY_MALFORMED"
    DATE_MALFORMED = "DATE_MALFORMED"
    EVIDENCE_MALFORMED = "EVIDENCE_MALFORMED"
    EVIDENCE_MISSING = "EVIDENCE_MISSING"
    LATE_CODE_UNKNOWN = "LATE_CODE_UNKNOWN"
    JUDGMENT_INCOMPLETE = "JUDGMENT_INCOMPLETE"
    DATE_IN_FUTURE = "DATE_IN_FUTURE"
    LATE_CODE_MISSING = "LATE_CODE_MISSING"


ADVICE: dict[Reject, str] = {
    Reject.FIELD_COUNT_WRONG: "as many fields as the header, separated by commas",
    Reject.SUBJECT_REF_MALFORMED: "64 hex digits",
    Reject.IDENTITY_MALFORMED: "an identity number that the registrar knows the form of",
    Reject.REFERENCE_MALFORMED: "1 to 128 bytes of UTF-8, no control characters; a token's own, if both",
    Reject.DEBT_TOKEN_MALFORMED: "the line that debt-token printed, to the letter",
    Reject.KIND_UNKNOWN: ", ".join(KINDS),
    Reject.BASIS_UNKNOWN: ", ".join(BASES),
    Reject.AMOUNT_MALFORMED: "digits, with a point before the currency's own decimals if any; no sign",
    Reject.CURRENCY_MALFORMED: "an ISO 4217 code",
    Reject.DATE_MALFORMED: "an ISO 8601 date or time from 1970 on; UTC where no offset is given",
    Reject.EVIDENCE_MALFORMED: "the SHA-256 of the evidence, 64 hex digits",
    Reject.EVIDENCE_MISSING: "the evidence file can't be read",
    Reject.LATE_CODE_UNKNOWN: ", ".join(code for code in LATE_CODES if code),
    Reject.JUDGMENT_INCOMPLETE: "kind and basis judgment go together, with source_ends_at; else none of them",
    Reject.DATE_IN_FUTURE: "no later than now",
    Reject.LATE_CODE_MISSING: "it began more than 90 days ago: say why it comes so late, by a code",
}


class RowRejected(Exception):  # noqa: N818 - as Refusal
    """A row was not filed."""

    def __init__(self, reject: Reject) -> None:
        """Reject for ``reject``."""
        super().__init__(reject.value)
        self.reject = reject
