"""Each purpose of the closed list, and what a consent for it must look like."""

from typing import Any

import pytest

from concordat import v1
from concordat.federation.purposes import (
    PURPOSES,
    require_licensed_purpose,
    require_purpose_allows,
)
from concordat.refusal import Refusal
from concordat.v1 import ConsentMode, DataCategory, DisclosureKind, Period, Purpose
from tests.builders import LENDER, Federation

FULL, BAND, THRESHOLD = DisclosureKind.values()[1:]
LISTED = [purpose for purpose in Purpose.values() if purpose != Purpose.PURPOSE_UNSPECIFIED]
ONCE, PERIODIC = ConsentMode.CONSENT_MODE_ONCE, ConsentMode.CONSENT_MODE_PERIODIC


def consent(
    purpose: Purpose.ValueType, disclosure: DisclosureKind.ValueType = FULL, **fields: Any
) -> v1.Consent:
    given: dict[str, Any] = {
        "purpose": purpose,
        "disclosure": v1.Disclosure(kind=disclosure),
        "mode": ONCE,
        "data_categories": [DataCategory.DATA_CATEGORY_SCORE],
    }
    return v1.Consent(**(given | fields))


def allowed(given: v1.Consent) -> bool:
    try:
        require_purpose_allows(given)
    except Refusal as refusal:
        return refusal.reason != v1.Reason.REASON_PURPOSE_NOT_ALLOWED
    return True


def often(uses: int, period: Period.ValueType) -> v1.Frequency:
    return v1.Frequency(uses=uses, period=period)


def test_every_purpose_of_the_protos_has_its_rule() -> None:
    assert set(PURPOSES) == set(LISTED)


@pytest.mark.parametrize(
    ("purpose", "disclosures"),
    [
        (Purpose.PURPOSE_CREDIT_APPLICATION, {FULL, BAND, THRESHOLD}),
        (Purpose.PURPOSE_GUARANTOR_CHECK, {FULL, BAND, THRESHOLD}),
        (Purpose.PURPOSE_ACCOUNT_REVIEW, set()),  # never with a consent for one use
        (Purpose.PURPOSE_DEPOSIT_WAIVER, {THRESHOLD}),
        (Purpose.PURPOSE_FRAUD_FLAGS, set()),
    ],
)
def test_a_purpose_allows_its_disclosures_and_no_other(
    purpose: Purpose.ValueType, disclosures: set[int]
) -> None:
    found = {kind for kind in (FULL, BAND, THRESHOLD) if allowed(consent(purpose, kind))}
    assert found == disclosures


@pytest.mark.parametrize("period", Period.values()[1:])
@pytest.mark.parametrize("uses", [1, 2])
def test_an_account_is_reviewed_once_a_quarter_at_most(uses: int, period: Period.ValueType) -> None:
    review = consent(Purpose.PURPOSE_ACCOUNT_REVIEW, mode=PERIODIC, frequency=often(uses, period))
    seldom = uses == 1 and period in {Period.PERIOD_QUARTER, Period.PERIOD_YEAR}
    assert allowed(review) == seldom


@pytest.mark.parametrize("purpose", LISTED)
def test_no_purpose_releases_a_score_that_the_consent_does_not_cover(
    purpose: Purpose.ValueType,
) -> None:
    for categories in ([], [DataCategory.DATA_CATEGORY_FLAGS, DataCategory.DATA_CATEGORY_LISTINGS]):
        assert not allowed(
            consent(
                purpose,
                THRESHOLD,
                mode=PERIODIC,
                frequency=often(1, Period.PERIOD_YEAR),
                data_categories=categories,
            )
        )


def test_a_consent_does_not_widen_a_lenders_licence() -> None:
    licence = Federation().member(LENDER).licence
    del licence.purposes[:]
    licence.purposes.append(Purpose.PURPOSE_DEPOSIT_WAIVER)
    require_licensed_purpose(licence, Purpose.PURPOSE_DEPOSIT_WAIVER)
    for purpose in set(LISTED) - {Purpose.PURPOSE_DEPOSIT_WAIVER}:
        with pytest.raises(Refusal, match="not licensed for"):
            require_licensed_purpose(licence, purpose)
