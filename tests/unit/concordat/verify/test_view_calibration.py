"""The calibration that a view was pooled by: named, signed, in use then, and said of each provider as it is."""

from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import Absence, CalibrationStanding
from concordat.verify.view import ViewNotVerified, verify_view_bundle
from tests.builders import AT, DAY, EXCHANGE, PROVIDERS, Federation, scale, signer
from tests.view_builders import Absent, Failed, ViewBuilder, failed_check

ALDER, BIRCH, CEDAR = PROVIDERS
BAND = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_BAND)
UNMARKED = CalibrationStanding.CALIBRATION_STANDING_UNSPECIFIED
STALE = CalibrationStanding.CALIBRATION_STANDING_STALE
NONE = CalibrationStanding.CALIBRATION_STANDING_NONE


def federation(**fields: Any) -> Federation:
    """Return a federation with one calibration, bent by ``fields``."""
    made = Federation(calibrated=False)
    made.calibrate(**fields)
    return made


def knowing(*providers: str) -> v1.PoolingModel:
    """Return a model that reads only these."""
    model = v1.Calibration.FromString(Federation().calibration().payload).model
    kept = [reading for reading in model.providers if reading.provider in providers]
    del model.providers[:]
    model.providers.extend(kept)
    del model.ramps[len(kept) :]
    return model


def marks(made: ViewBuilder) -> list[CalibrationStanding.ValueType]:
    view = verify_view_bundle(made.bundle(), made.federation.anchors).view
    return [outcome.calibration for outcome in view.providers]


def bent(made: ViewBuilder, place: int, mark: CalibrationStanding.ValueType) -> str:
    """Return the check that fails where the exchange marks a provider otherwise."""
    view = made.view()
    view.providers[place].calibration = mark
    return failed_check(made, made.bundle(view)).check


def test_what_pooled_a_view_is_shown() -> None:
    made = ViewBuilder()
    verified = verify_view_bundle(made.bundle(), made.federation.anchors)
    assert verified.calibration is not None
    assert verified.calibration.digest == made.calibration.digest
    (check,) = [check for check in verified.checks if check.name == "calibration"]
    assert check.shows.startswith(
        "version 1, in use since 2026-05-22, signed by the exchange and 2 roots: "
    )


def test_a_full_score_needs_the_calibration() -> None:
    made = ViewBuilder()
    assert failed_check(made, made.bundle(calibration=None)).check == "calibration"


@pytest.mark.parametrize(
    "fields",
    [
        {"consent_fields": {"disclosure": BAND}},
        {"answers": dict.fromkeys(PROVIDERS, Absent())},
    ],
)
def test_less_than_a_full_score_may_come_without(fields: Any) -> None:
    made = ViewBuilder(**fields)
    assert (
        verify_view_bundle(made.bundle(calibration=None), made.federation.anchors).calibration
        is None
    )
    assert verify_view_bundle(made.bundle(), made.federation.anchors).calibration is not None


@pytest.mark.parametrize("fields", [{}, {"consent_fields": {"disclosure": BAND}}])
def test_another_calibration_than_the_one_named_is_refused(fields: Any) -> None:
    made = ViewBuilder(**fields)
    other = made.federation.calibration()
    assert failed_check(made, made.bundle(calibration=other)).check == "calibration"


@pytest.mark.parametrize(
    "signatures", [{"roots": 1}, {"signed_by": "stranger"}, {"signed_by": "root-2"}]
)
def test_one_that_exchange_and_roots_did_not_sign_is_refused(signatures: Any) -> None:
    made = ViewBuilder()
    view = made.view()
    payload = v1.Calibration.FromString(made.calibration.envelope.payload)
    forged = made.federation.calibration(calibration_id=payload.calibration_id, **signatures)
    assert forged.payload == made.calibration.envelope.payload
    failure = failed_check(made, made.bundle(view, calibration=forged))
    assert failure.check == "calibration"
    assert failure.reason == v1.Reason.REASON_SIGNATURE_INVALID


@pytest.mark.parametrize("field", ["not_before", "made_at"])
def test_one_that_was_not_in_use_yet_is_refused(field: str) -> None:
    made = ViewBuilder()
    late: dict[str, Any] = {field: to_timestamp(AT + DAY)}
    envelope = made.federation.calibration(version=2, **late)
    made.calibration = made.federation.directory.open_calibration(envelope, AT + DAY)
    assert failed_check(made, made.bundle()).check == "calibration"


def test_who_is_not_read_is_said_to_be_out_and_is() -> None:
    made = ViewBuilder(federation(model=knowing(ALDER, BIRCH)))
    assert marks(made) == [UNMARKED, UNMARKED, NONE]
    full = made.view().complete.full
    assert [one.provider for one in full.contributions] == [ALDER, BIRCH]
    assert bent(made, 2, UNMARKED) == "outcomes"
    assert bent(made, 2, STALE) == "outcomes"
    assert bent(made, 0, NONE) == "outcomes"


def test_nobody_is_read_on_another_scale_than_the_fits() -> None:
    made_before = federation()
    made_before.directory.add_licence(
        made_before.licence(ALDER, v1.Role.ROLE_PROVIDER, version=2, score_scale=scale(300, 900)),
        AT,
    )
    assert marks(ViewBuilder(made_before)) == [NONE, UNMARKED, UNMARKED]


def test_scores_that_are_not_read_make_no_score() -> None:
    made = ViewBuilder(federation(model=knowing(ALDER)), answers={ALDER: Absent()})
    verified = verify_view_bundle(made.bundle(), made.federation.anchors)
    assert verified.view.WhichOneof("outcome") == "no_score"
    assert not verified.view.no_score.partial


def test_past_its_date_every_provider_that_answered_is_marked() -> None:
    made = ViewBuilder(
        federation(stale_from=to_timestamp(AT - DAY)),
        answers={ALDER: Absent(Absence.ABSENCE_FROZEN), CEDAR: Failed()},
    )
    assert marks(made) == [STALE, STALE, UNMARKED]
    assert bent(made, 1, UNMARKED) == "outcomes"
    assert bent(made, 2, STALE) == "outcomes"
    (check,) = [
        check
        for check in verify_view_bundle(made.bundle(), made.federation.anchors).checks
        if check.name == "calibration"
    ]
    assert check.shows.endswith("stale since 2026-05-31")


def test_whom_the_exchange_finds_drifted_it_may_mark_before() -> None:
    made = ViewBuilder(stale=frozenset({BIRCH}))
    assert marks(made) == [UNMARKED, STALE, UNMARKED]


def test_the_score_is_that_of_the_calibration_named_and_no_other() -> None:
    made = ViewBuilder()
    view = made.view()
    other = made.federation.calibrate(
        version=2,
        model=knowing(ALDER, BIRCH, CEDAR),
        points=v1.PointScale(at_odds=500, odds=30, to_double=20),
    )
    told = replace_score(view, made, other)
    assert failed_check(made, made.bundle(told)).check == "score"


def replace_score(view: v1.View, made: ViewBuilder, other: Any) -> v1.View:
    """Return the view with the score that another calibration gives."""
    known, made.calibration = made.calibration, other
    score = made.score()
    made.calibration = known
    assert score is not None
    view.complete.full.CopyFrom(score)
    return view


def test_a_cost_left_out_is_found() -> None:
    made = ViewBuilder(answers=dict.fromkeys(PROVIDERS, 400))
    view = made.view()
    assert view.complete.full.costs
    del view.complete.full.costs[0]
    assert failed_check(made, made.bundle(view)).check == "score"


def test_an_exchange_that_rolled_its_key_keeps_the_old_one_in_its_licence() -> None:
    made = ViewBuilder()
    key = made.federation.member(EXCHANGE).licence.keys[0]
    new = v1.SigningKey()
    new.CopyFrom(key)
    new.public_key = signer("new").public_key
    licence = made.federation.licence(EXCHANGE, v1.Role.ROLE_EXCHANGE, version=2, keys=[key, new])
    made.licences[0] = licence
    verify_view_bundle(made.bundle(), made.federation.anchors)
    made.licences[0] = made.federation.licence(
        EXCHANGE, v1.Role.ROLE_EXCHANGE, version=3, keys=[new]
    )
    with pytest.raises(ViewNotVerified, match="calibration"):
        verify_view_bundle(made.bundle(signed_by="new"), made.federation.anchors)
