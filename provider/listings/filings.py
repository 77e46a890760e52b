"""Making filings of good rows: whose debt it is, what is attested, and whether it comes in time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import MAX_SKEW, from_micros, to_micros, to_timestamp
from concordat.ids import new_id
from concordat.trust.debt import DebtToken
from concordat.v1 import LateFilingCode
from provider.listings.debts import DebtKey
from provider.listings.orders import FilingOrder
from provider.listings.rejects import Reject, RowRejected
from provider.listings.rows import DebtRow

LATE_AFTER = timedelta(days=90)  # rights.md R07
ATTESTED = ("accurate", "adult", "unsecured", "not-frozen")


def attestation(said: str) -> v1.Attestation:
    """Return what a list such as ``accurate,adult`` attests; raise ``ValueError`` for an unknown word."""
    words = [word.strip() for word in said.split(",")]
    if unknown := [word for word in words if word not in ATTESTED]:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(ATTESTED)}")
    return v1.Attestation(**{word.replace("-", "_"): True for word in words})


@dataclass(frozen=True, slots=True)
class Filer:
    """Files in one member's name."""

    member_id: str
    federation: str
    debt_key: DebtKey
    attestation: v1.Attestation
    reinsert: bool = False  # certify that a debt which was listed before was checked anew

    def token(self, row: DebtRow) -> DebtToken:
        """Return the token of a row's debt: its own, or that of a debt of this member."""
        return row.token or self.debt_key.token(row.reference)

    def order(self, row: DebtRow, subject_ref: bytes, at: datetime) -> FilingOrder:
        """Return the order to file a row; raise ``RowRejected`` where it can only be refused.

        ``subject_ref`` is empty where the registrar did not know the form of the identity number.
        """
        if not subject_ref:
            raise RowRejected(Reject.IDENTITY_MALFORMED)
        since = from_micros(row.delinquent_since)
        if row.delinquent_since > to_micros(at + MAX_SKEW):
            raise RowRejected(Reject.DATE_IN_FUTURE)
        unexplained = row.late == LateFilingCode.LATE_FILING_CODE_UNSPECIFIED
        if unexplained and at - since > LATE_AFTER:
            raise RowRejected(Reject.LATE_CODE_MISSING)
        token = self.token(row)
        filing = v1.ListingFiling(
            filing_id=new_id(),
            federation=self.federation,
            source=self.member_id,
            subject_ref=subject_ref,
            debt_commitment=token.commitment(subject_ref),
            kind=row.kind,
            basis=row.basis,
            amount=v1.Money(currency=row.currency, minor=row.minor),
            delinquent_since=to_timestamp(since),
            evidence_hash=row.evidence_hash,
            attestation=self.attestation,
            late=row.late,
            filed_at=to_timestamp(at),
        )
        if self.reinsert:
            filing.reinsertion.certified = True
            filing.reinsertion.new_evidence_hash = row.evidence_hash
        if row.source_ends_at is not None:
            filing.source_ends_at.CopyFrom(to_timestamp(from_micros(row.source_ends_at)))
        return FilingOrder(filing, token.creditor, row.reference)
