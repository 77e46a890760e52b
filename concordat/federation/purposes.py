"""The closed list of purposes and what each demands (rights.md: purposes; rules R01, R02, R04)."""

from dataclasses import dataclass

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import Reason


@dataclass(frozen=True, slots=True)
class PurposeRule:
    """What a consent for one purpose must look like."""

    categories: frozenset[int] = frozenset(
        {
            v1.DataCategory.DATA_CATEGORY_SCORE,
            v1.DataCategory.DATA_CATEGORY_LISTINGS,
            v1.DataCategory.DATA_CATEGORY_FLAGS,
        }
    )
    disclosures: frozenset[int] = frozenset(
        {
            v1.DisclosureKind.DISCLOSURE_KIND_FULL,
            v1.DisclosureKind.DISCLOSURE_KIND_BAND,
            v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD,
        }
    )
    at_most_quarterly: bool = False


PURPOSES: dict[int, PurposeRule] = {
    v1.Purpose.PURPOSE_CREDIT_APPLICATION: PurposeRule(),
    v1.Purpose.PURPOSE_GUARANTOR_CHECK: PurposeRule(),
    v1.Purpose.PURPOSE_ACCOUNT_REVIEW: PurposeRule(at_most_quarterly=True),
    # Yes or no and nothing else; the subject's own warning may go along, and no listing ever.
    v1.Purpose.PURPOSE_DEPOSIT_WAIVER: PurposeRule(
        categories=frozenset(
            {v1.DataCategory.DATA_CATEGORY_SCORE, v1.DataCategory.DATA_CATEGORY_FLAGS}
        ),
        disclosures=frozenset({v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD}),
    ),
    v1.Purpose.PURPOSE_FRAUD_FLAGS: PurposeRule(
        categories=frozenset({v1.DataCategory.DATA_CATEGORY_FLAGS})
    ),
}

_AT_LEAST_A_QUARTER = {v1.Period.PERIOD_QUARTER, v1.Period.PERIOD_YEAR}


def require_purpose_allows(consent: v1.Consent) -> None:
    """Raise ``Refusal`` (REASON_PURPOSE_NOT_ALLOWED) unless the purpose allows ``consent``'s terms at all.

    Whatever is released under it: a score needs ``require_releases_score`` too.
    """
    rule = PURPOSES[consent.purpose]
    if not consent.data_categories or not rule.categories.issuperset(consent.data_categories):
        raise Refusal(
            Reason.REASON_PURPOSE_NOT_ALLOWED, "the purpose does not cover these categories of data"
        )
    if consent.disclosure.kind not in rule.disclosures:
        raise Refusal(
            Reason.REASON_PURPOSE_NOT_ALLOWED, "the purpose allows a threshold disclosure only"
        )
    if rule.at_most_quarterly and not (
        consent.mode == v1.ConsentMode.CONSENT_MODE_PERIODIC
        and consent.frequency.uses == 1
        and consent.frequency.period in _AT_LEAST_A_QUARTER
    ):
        raise Refusal(
            Reason.REASON_PURPOSE_NOT_ALLOWED, "an account review is periodic, at most quarterly"
        )
    _require_no_score_of_its_own(consent)


def _require_no_score_of_its_own(consent: v1.Consent) -> None:
    """Raise ``Refusal`` where the lender's own score would be pooled into less than the full score.

    A lender that is a provider too could state one score after another, and see from which one on the same
    threshold is reached: that tells the others' scores.
    """
    lesser = consent.disclosure.kind != v1.DisclosureKind.DISCLOSURE_KIND_FULL
    scored = covers(consent, v1.DataCategory.DATA_CATEGORY_SCORE)
    if lesser and scored and consent.recipient in consent.providers:
        raise Refusal(
            Reason.REASON_PURPOSE_NOT_ALLOWED,
            "of less than the full score, the lender is never one of the providers",
        )


def require_releases_score(consent: v1.Consent) -> None:
    """Raise ``Refusal`` (REASON_PURPOSE_NOT_ALLOWED) unless ``consent`` covers a score.

    Says nothing of its other terms: see ``require_purpose_allows``.
    """
    if not covers(consent, v1.DataCategory.DATA_CATEGORY_SCORE):
        raise Refusal(Reason.REASON_PURPOSE_NOT_ALLOWED, "the consent covers no score")


def require_releases_listings(consent: v1.Consent) -> None:
    """Raise ``Refusal`` (REASON_PURPOSE_NOT_ALLOWED) unless ``consent`` covers listings or flags."""
    if not (
        covers(consent, v1.DataCategory.DATA_CATEGORY_LISTINGS)
        or covers(consent, v1.DataCategory.DATA_CATEGORY_FLAGS)
    ):
        raise Refusal(
            Reason.REASON_PURPOSE_NOT_ALLOWED, "the consent covers neither listings nor flags"
        )


def covers(consent: v1.Consent, category: v1.DataCategory.ValueType) -> bool:
    """Tell whether ``consent`` covers a category of data, for a purpose that may."""
    return category in consent.data_categories and category in PURPOSES[consent.purpose].categories


def covers_more_than_flags(consent: v1.Consent) -> bool:
    """Tell whether anything but freeze and fraud alert may be released under ``consent``."""
    return any(
        category != v1.DataCategory.DATA_CATEGORY_FLAGS for category in consent.data_categories
    )


def require_licensed_purpose(lender: v1.Licence, purpose: v1.Purpose.ValueType) -> None:
    """Raise ``Refusal`` unless the lender's licence names ``purpose``; no consent can widen it (R01)."""
    if purpose not in lender.purposes:
        raise Refusal(
            Reason.REASON_PURPOSE_NOT_ALLOWED,
            f"{lender.member_id} is not licensed for {v1.Purpose.Name(purpose)}",
        )
