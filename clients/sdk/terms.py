"""A consent from plain values, with its notice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.sdk.notice import notice_hash
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.purposes import PURPOSES
from concordat.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentTerms:
    """What the subject agrees to; the defaults are the narrowest: once, a week, one month's keeping.

    Where no score is covered no provider is asked; ``providers`` then names the exchange alone, for a consent
    names somebody.
    """

    recipient: str
    providers: Sequence[str]
    categories: Sequence[v1.DataCategory.ValueType] = (v1.DataCategory.DATA_CATEGORY_SCORE,)
    purpose: v1.Purpose.ValueType = v1.Purpose.PURPOSE_CREDIT_APPLICATION
    disclosure: v1.DisclosureKind.ValueType = v1.DisclosureKind.DISCLOSURE_KIND_FULL
    threshold: int = 0  # points; with DISCLOSURE_KIND_THRESHOLD
    frequency: v1.Frequency | None = None  # None: once
    max_uses: int = 1
    valid_days: int = 7
    data_life_days: int = 30
    profile: v1.Profile.ValueType = v1.Profile.PROFILE_EU
    language: str = "en"


def make_consent(
    terms: ConsentTerms, federation: str, subject_ref: bytes, at: datetime
) -> v1.Consent:
    """Return the unsigned consent, valid from ``at`` (to the second), with the hash of its notice.

    Raises ``NoticeLanguageError`` for a language without a notice; bounds are checked when it is
    signed.
    """
    start = at - timedelta(microseconds=at.microsecond)
    once = terms.frequency is None
    consent = v1.Consent(
        consent_id=new_id(),
        federation=federation,
        subject_ref=subject_ref,
        notice_language=terms.language,
        purpose=terms.purpose,
        recipient=terms.recipient,
        providers=terms.providers,
        data_categories=terms.categories,
        disclosure=_disclosure(terms),
        mode=v1.ConsentMode.CONSENT_MODE_ONCE if once else v1.ConsentMode.CONSENT_MODE_PERIODIC,
        frequency=terms.frequency,
        max_uses=1 if once else terms.max_uses,
        data_life_days=terms.data_life_days,
        valid_from=to_timestamp(start),
        valid_until=to_timestamp(start + timedelta(days=terms.valid_days)),
        profile=terms.profile,
    )
    consent.notice_hash = notice_hash(consent)
    return consent


def _disclosure(terms: ConsentTerms) -> v1.Disclosure:
    """Return how much of the score is told; where none is, the least that the purpose allows to be written."""
    allowed = PURPOSES[terms.purpose].disclosures
    band = v1.DisclosureKind.DISCLOSURE_KIND_BAND
    if v1.DataCategory.DATA_CATEGORY_SCORE not in terms.categories and band in allowed:
        return v1.Disclosure(kind=band)
    return v1.Disclosure(kind=terms.disclosure, threshold=terms.threshold)
