"""Each purpose of the closed list, and what a consent for it must look like."""

from typing import Any

import pytest

from concordat import v1
from concordat.federation.purposes import (
    PURPOSES,
    covers,
    require_licensed_purpose,
    require_purpose_allows,
    require_releases_score,
)
from concordat.refusal import Refusal
from concordat.v1 import ConsentMode, DataCategory, DisclosureKind, Period, Purpose
from tests.builders import LENDER, Federation

FULL, BAND, THRESHOLD = DisclosureKind.values()[1:]
SCORE, LISTINGS, FLAGS = DataCategory.values()[1:]
LISTED = [purpose for purpose in Purpose.values() if purpose != Purpose.PURPOSE_UNSPECIFIED]
ONCE, PERIODIC = ConsentMode.CONSENT_MODE_ONCE, ConsentMode.CONSENT_MODE_PERIODIC


def consent(
    purpose: Purpose.ValueType, disclosure: DisclosureKind.ValueType = FULL, **fields: Any
) -> v1.Consent:
    given: dict[str, Any] = {
        "purpose": purpose,
        "disclosure": v1.Disclosure(kind=disclosure),
        "mode": ONCE,
        "data_categories": [FLAGS if purpose == Purpose.PURPOSE_FRAUD_FLAGS else SCORE],
    }
    return v1.Consent(**(given | fields))


def seldom(purpose: Purpose.ValueType, categories: list[DataCategory.ValueType]) -> v1.Consent:
    """Return a consent whose other terms every purpose allows."""
    return consent(
        purpose,
        THRESHOLD,
        mode=PERIODIC,
        frequency=often(1, Period.PERIOD_YEAR),
        data_categories=categories,
    )


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
        (Purpose.PURPOSE_FRAUD_FLAGS, {FULL, BAND, THRESHOLD}),  # of a score that it never releases
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


@pytest.mark.parametrize(
    ("purpose", "categories"),
    [
        (Purpose.PURPOSE_CREDIT_APPLICATION, {SCORE, LISTINGS, FLAGS}),
        (Purpose.PURPOSE_GUARANTOR_CHECK, {SCORE, LISTINGS, FLAGS}),
        (Purpose.PURPOSE_ACCOUNT_REVIEW, {SCORE, LISTINGS, FLAGS}),
        (Purpose.PURPOSE_DEPOSIT_WAIVER, {SCORE, FLAGS}),  # yes or no: never a listing
        (Purpose.PURPOSE_FRAUD_FLAGS, {FLAGS}),
    ],
)
def test_a_purpose_covers_its_categories_and_no_other(
    purpose: Purpose.ValueType, categories: set[int]
) -> None:
    for category in (SCORE, LISTINGS, FLAGS):
        given = seldom(purpose, [category])
        assert allowed(given) == covers(given, category) == (category in categories)
    everything = seldom(purpose, [SCORE, LISTINGS, FLAGS])
    assert allowed(everything) == (categories == {SCORE, LISTINGS, FLAGS})


@pytest.mark.parametrize(("kind", "lawful"), [(FULL, True), (BAND, False), (THRESHOLD, False)])
def test_a_lenders_own_score_moves_no_band_or_threshold_that_it_is_told(
    kind: v1.DisclosureKind.ValueType, lawful: bool
) -> None:
    given = consent(Purpose.PURPOSE_CREDIT_APPLICATION, kind)
    given.providers.append(given.recipient)
    assert allowed(given) is lawful
    del given.data_categories[:]
    given.data_categories.append(FLAGS)  # nothing of a score goes out
    assert allowed(given)


@pytest.mark.parametrize("purpose", LISTED)
def test_a_consent_to_nothing_is_none(purpose: Purpose.ValueType) -> None:
    assert not allowed(seldom(purpose, []))


@pytest.mark.parametrize("purpose", LISTED)
def test_no_purpose_releases_a_score_that_the_consent_does_not_cover(
    purpose: Purpose.ValueType,
) -> None:
    for categories in ([FLAGS], [LISTINGS, FLAGS], []):
        with pytest.raises(Refusal, match="covers no score"):
            require_releases_score(seldom(purpose, categories))


def test_fraud_flags_release_no_score_even_where_the_consent_names_one() -> None:
    with pytest.raises(Refusal, match="covers no score"):
        require_releases_score(seldom(Purpose.PURPOSE_FRAUD_FLAGS, [SCORE, FLAGS]))
    require_releases_score(seldom(Purpose.PURPOSE_DEPOSIT_WAIVER, [SCORE]))


def test_a_consent_does_not_widen_a_lenders_licence() -> None:
    licence = Federation().member(LENDER).licence
    del licence.purposes[:]
    licence.purposes.append(Purpose.PURPOSE_DEPOSIT_WAIVER)
    require_licensed_purpose(licence, Purpose.PURPOSE_DEPOSIT_WAIVER)
    for purpose in set(LISTED) - {Purpose.PURPOSE_DEPOSIT_WAIVER}:
        with pytest.raises(Refusal, match="not licensed for"):
            require_licensed_purpose(licence, purpose)
