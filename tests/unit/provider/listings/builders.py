"""Orders as commands make them, and an intake that takes them in: for tests of what comes after."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.trust.debt import DebtToken
from concordat.v1 import ListingBasis, ListingKind
from provider.listings.events import Speaker
from provider.listings.intake import Intake
from provider.listings.orders import FilingOrder
from tests.builders import NAME, signer
from tests.unit.provider.house import SELF

NOW = datetime.now(UTC).replace(microsecond=0)
TOKEN_SECRET = hashlib.sha256(b"debt secret").digest()


def ref(name: str) -> bytes:
    return hashlib.sha256(b"subject " + name.encode()).digest()


def evidence(name: str = "contract") -> bytes:
    return hashlib.sha256(name.encode()).digest()


def order(
    reference: str = "L-1", subject: str = "ada", source: str = SELF, **fields: Any
) -> FilingOrder:
    """Return the order to file a lawful debt; ``fields`` replace the filing's."""
    subject_ref = ref(subject)
    given: dict[str, Any] = {
        "filing_id": new_id(),
        "federation": NAME,
        "source": source,
        "subject_ref": subject_ref,
        "debt_commitment": DebtToken(source, reference, TOKEN_SECRET).commitment(subject_ref),
        "kind": ListingKind.LISTING_KIND_DEBT,
        "basis": ListingBasis.LISTING_BASIS_LOAN,
        "amount": v1.Money(currency="EUR", minor=50_000),
        "delinquent_since": to_timestamp(NOW - timedelta(days=85)),
        "evidence_hash": evidence(),
        "attestation": v1.Attestation(accurate=True, adult=True, unsecured=True, not_frozen=True),
        "filed_at": to_timestamp(NOW),
    }
    return FilingOrder(v1.ListingFiling(**(given | fields)), source, reference)


def intake(member_id: str = SELF) -> Intake:
    return Intake(member_id, NAME, signer(member_id))


def speaker(member_id: str = SELF) -> Speaker:
    return Speaker(member_id, NAME, NOW)
