"""A view verifies offline as the exchange makes it, and every check of it can fail."""

from collections.abc import Callable
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.v1 import Reason
from concordat.verify.view import SHOWS, verify_view_bundle
from tests.builders import AT, DAY, PROVIDERS
from tests.unit.concordat.verify.test_listing_answer import shown
from tests.view_builders import SECOND, Absent, Failed, ViewBuilder, failed_check

ALDER, BIRCH, CEDAR = PROVIDERS
BAND = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_BAND)
NONE = v1.CalibrationStanding.CALIBRATION_STANDING_NONE
THRESHOLD = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=600)


def test_a_lawful_view_passes_every_check_in_order() -> None:
    made = ViewBuilder()
    verified = verify_view_bundle(made.bundle(), made.federation.anchors)
    assert [check.name for check in verified.checks] == list(SHOWS)
    assert verified.view.complete.full == made.score()
    assert list(verified.statements) == list(PROVIDERS)
    assert not verified.missing


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({}, "complete"),
        ({BIRCH: Absent()}, "complete"),
        ({BIRCH: Failed()}, "partial"),
        ({ALDER: Absent(v1.Absence.ABSENCE_FROZEN), CEDAR: Failed()}, "partial"),
        (dict.fromkeys(PROVIDERS, Absent()), "no_score"),
        (dict.fromkeys(PROVIDERS, Failed()), "no_score"),
    ],
)
@pytest.mark.parametrize("disclosure", [None, BAND, THRESHOLD])
def test_every_mix_of_answers_verifies_in_every_disclosure(
    answers: Any, outcome: str, disclosure: Any
) -> None:
    made = ViewBuilder(
        answers=answers, consent_fields={"disclosure": disclosure} if disclosure else {}
    )
    verified = verify_view_bundle(made.bundle(), made.federation.anchors)
    if disclosure and outcome == "partial":
        outcome = "no_score"  # less than the full score is told of all or not at all
    assert verified.view.WhichOneof("outcome") == outcome
    assert len(verified.missing) == sum(isinstance(a, Failed) for a in answers.values())
    assert bool(verified.statements) == (disclosure is None and bool(made.statements))


# A view with one field replaced, signed again by the exchange itself: the exchange cannot lie.

Bend = Callable[[v1.View], object]
OTHER = b"\x07" * 32


def _swap_licences(view: v1.View) -> None:
    order = list(view.licence_digests)
    view.licence_digests[:] = [order[0], order[1], order[3], order[2], order[4]]


def _hide_a_missing_provider(view: v1.View) -> None:
    view.providers[1].CopyFrom(
        v1.ProviderOutcome(
            provider=BIRCH,
            kind=Kind.PROVIDER_OUTCOME_KIND_REFUSED,
            reason=Reason.REASON_INTERNAL,
        )
    )


def _record_a_day_later(view: v1.View) -> None:
    view.receipt.recorded_at.CopyFrom(to_timestamp(AT + DAY))
    view.issued_at.CopyFrom(to_timestamp(AT + DAY))


BENT: dict[str, tuple[Bend, str]] = {
    "another federation": (lambda v: setattr(v, "federation", "other"), "view"),
    "another lender": (lambda v: setattr(v, "lender", "other"), "view"),
    "another subject": (lambda v: setattr(v, "subject_ref", OTHER), "terms"),
    "another request": (lambda v: setattr(v, "request_digest", OTHER), "digests"),
    "another consent": (lambda v: setattr(v, "consent_digest", OTHER), "digests"),
    "another binding": (lambda v: setattr(v, "binding_digest", OTHER), "digests"),
    "another status": (lambda v: setattr(v, "consent_status_digest", OTHER), "digests"),
    "another purpose": (lambda v: setattr(v, "purpose", 2), "terms"),
    "another disclosure": (lambda v: v.disclosure.CopyFrom(BAND), "terms"),
    "said partial": (lambda v: v.partial.CopyFrom(v.complete), "outcomes"),
    "said no score": (lambda v: v.no_score.SetInParent(), "outcomes"),
    "an outcome left out": (lambda v: v.providers.pop(), "outcomes"),
    "outcomes in another order": (lambda v: v.providers.reverse(), "outcomes"),
    "a provider hidden": (_hide_a_missing_provider, "outcomes"),
    "an answer with a reason": (lambda v: setattr(v.providers[0], "reason", 6), "outcomes"),
    "an answer undigested": (
        lambda v: setattr(v.providers[0], "statement_digest", b""),
        "outcomes",
    ),
    "frozen, not scored": (lambda v: setattr(v.providers[0], "kind", 3), "statements"),
    "another statement": (
        lambda v: setattr(v.providers[0], "statement_digest", OTHER),
        "statements",
    ),
    "another version": (lambda v: setattr(v, "calibration_version", 2), "calibration"),
    "another calibration": (lambda v: setattr(v, "calibration_digest", OTHER), "calibration"),
    "said unread": (lambda v: setattr(v.providers[0], "calibration", NONE), "outcomes"),
    "another cost": (lambda v: v.complete.full.costs.add(provider=BIRCH, points=1), "score"),
    "a point more": (lambda v: setattr(v.complete.full, "points", 601), "score"),
    "another band": (lambda v: setattr(v.complete.full, "band", 5), "score"),
    "another probability": (lambda v: setattr(v.complete.full, "default_ppm", 9), "score"),
    "a narrower interval": (lambda v: setattr(v.complete.full, "points_low", 590), "score"),
    "another contribution": (
        lambda v: setattr(v.complete.full.contributions[0], "points", 900),
        "score",
    ),
    "more told than asked": (
        lambda v: v.complete.CopyFrom(v1.ScoreAnswer(band=v1.Band.BAND_A)),
        "score",
    ),
    "licences in another order": (_swap_licences, "view"),
    "a licence left out": (lambda v: v.licence_digests.pop(), "view"),
    "recorded afterwards": (
        lambda v: v.receipt.recorded_at.CopyFrom(to_timestamp(AT + 2 * SECOND)),
        "receipt",
    ),
    "recorded long after the request": (
        _record_a_day_later,
        "request",
    ),
    "made a day after the status": (
        lambda v: v.issued_at.CopyFrom(to_timestamp(AT + DAY)),
        "consent status",
    ),
    "made before the licences": (
        lambda v: v.issued_at.CopyFrom(to_timestamp(AT - 60 * DAY)),
        "licences",
    ),
    "made after the licences": (
        lambda v: v.issued_at.CopyFrom(to_timestamp(AT + 301 * DAY)),
        "licences",
    ),
    "kept longer": (lambda v: v.delete_by.CopyFrom(to_timestamp(AT + 99 * DAY)), "deletion date"),
    "kept a nanosecond longer": (
        lambda v: setattr(v.delete_by, "nanos", v.delete_by.nanos + 1),
        "deletion date",
    ),
}


@pytest.mark.parametrize(("bend", "check"), BENT.values(), ids=BENT)
def test_a_view_that_the_exchange_bent_is_refused(bend: Bend, check: str) -> None:
    made = ViewBuilder()
    view = made.view()
    bend(view)
    assert failed_check(made, made.bundle(view)).check == check


@pytest.mark.parametrize(
    "bend",
    [
        lambda v: v.complete.CopyFrom(v1.ScoreAnswer(full=ViewBuilder().score())),
        lambda v: setattr(v.complete.threshold, "threshold", 500),
    ],
    ids=["in full", "another threshold"],
)
def test_a_threshold_consent_is_answered_by_that_threshold_alone(bend: Bend) -> None:
    made = ViewBuilder(consent_fields={"disclosure": THRESHOLD})
    view = made.view()
    bend(view)
    assert failed_check(made, made.bundle(view)).check == "score"


def test_statements_beside_a_band_are_refused() -> None:
    made = ViewBuilder(consent_fields={"disclosure": BAND})
    leaky = made.bundle(statements=list(made.statements.values()))
    assert failed_check(made, leaky).check == "statements"


def test_no_score_must_say_whether_a_provider_is_missing() -> None:
    made = ViewBuilder(answers={ALDER: Failed(), BIRCH: Absent(), CEDAR: Absent()})
    view = made.view()
    view.no_score.partial = False
    assert failed_check(made, made.bundle(view)).check == "outcomes"


# Listings and flags.

LISTED = {
    "data_categories": [
        v1.DataCategory.DATA_CATEGORY_SCORE,
        v1.DataCategory.DATA_CATEGORY_LISTINGS,
        v1.DataCategory.DATA_CATEGORY_FLAGS,
    ]
}


def with_listings(made: ViewBuilder, *listings: v1.ListingInView) -> v1.View:
    view = made.view()
    view.listings.CopyFrom(v1.ListingsInForce(listings=listings))
    view.flags.fraud_alert = True
    return view


def test_a_view_tells_listings_and_flags_where_the_consent_covers_them() -> None:
    made = ViewBuilder(consent_fields=LISTED)
    bundle = made.bundle(with_listings(made, shown()))
    verified = verify_view_bundle(bundle, made.federation.anchors)
    assert len(verified.view.listings.listings) == 1


@pytest.mark.parametrize("name", ["listings", "flags"])
def test_what_the_consent_covers_is_told_and_nothing_else(name: str) -> None:
    covered, plain = ViewBuilder(consent_fields=LISTED), ViewBuilder()
    view = with_listings(covered)
    view.ClearField(name)  # type: ignore[arg-type]
    assert failed_check(covered, covered.bundle(view)).check == "listings"
    view = plain.view()
    getattr(view, name).SetInParent()
    assert failed_check(plain, plain.bundle(view)).check == "listings"


def test_a_listing_that_has_ended_is_refused_in_a_view_too() -> None:
    made = ViewBuilder(consent_fields=LISTED)
    ended = shown(expires_at=to_timestamp(AT.replace(hour=0) - DAY))
    assert failed_check(made, made.bundle(with_listings(made, ended))).check == "listings"


def test_nothing_is_released_about_a_subject_who_has_frozen_its_record() -> None:
    made = ViewBuilder(consent_fields=LISTED)
    view = with_listings(made)
    view.flags.frozen = True
    failure = failed_check(made, made.bundle(view))
    assert (failure.check, "frozen" in failure.detail) == ("listings", True)


def test_a_view_with_more_listings_than_its_subject_is_told_of_is_refused() -> None:
    made = ViewBuilder(consent_fields=LISTED)
    view = with_listings(made, shown())
    bundle = made.bundle(view)
    other = made.bundle(with_listings(made))
    record = v1.LogRecord.FromString(bundle.release.opening.record)
    record.release.listings = 0
    kind = v1.LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE
    bundle.release.CopyFrom(made.federation.receipt(record, kind))
    assert failed_check(made, bundle).check == "listings"
    assert verify_view_bundle(other, made.federation.anchors).view.flags.fraud_alert


# Statements bent by a provider, with the exchange's view made to fit.

STATEMENTS: dict[str, dict[str, object]] = {
    "signed by another provider": {"signed_by": BIRCH},
    "of another provider": {"provider": BIRCH},
    "of another federation": {"federation": "other"},
    "for another request": {"request_digest": OTHER},
    "about another subject": {"subject_ref": OTHER},
    "above the scale": {"score": 851},
    "below the scale": {"score": 299},
    "with an unlicensed reason": {"reasons": ["ZZ99"]},
    "with no model": {"model_version": ""},
    "from yesterday": {"issued_at": to_timestamp(AT - DAY)},
    "from tomorrow": {"issued_at": to_timestamp(AT + DAY)},
}


@pytest.mark.parametrize("fields", STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement_that_does_not_count_is_refused(fields: Any) -> None:
    made = ViewBuilder()
    made.statements[ALDER] = made.statement(ALDER, **fields)
    assert failed_check(made, made.bundle()).check == "statements"


def test_a_statement_from_another_provider_in_its_place_is_refused() -> None:
    made = ViewBuilder()
    made.statements[ALDER] = made.statements[BIRCH]
    assert failed_check(made, made.bundle()).check == "statements"


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_missing_or_extra_statement_is_refused(count: int) -> None:
    made = ViewBuilder()
    held = list(made.statements.values())
    wrong = made.bundle(statements=(held + held)[:count])
    assert failed_check(made, wrong).check == "statements"


def test_statements_in_another_order_are_refused() -> None:
    made = ViewBuilder()
    swapped = made.bundle(statements=list(made.statements.values())[::-1])
    assert failed_check(made, swapped).check == "statements"


def test_an_absence_reported_as_a_score_of_nobody_is_refused() -> None:
    made = ViewBuilder(answers={BIRCH: Absent()})
    view = made.view()
    view.providers[1].kind = Kind.PROVIDER_OUTCOME_KIND_FROZEN
    assert failed_check(made, made.bundle(view)).check == "statements"
