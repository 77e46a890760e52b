"""What a person is told in words of its own score is what the figures say."""

from clients.cli.own_report_words import costs_of, parts_of
from concordat.clock import to_timestamp
from concordat.v1 import CalibrationStanding
from concordat.verify.own_view import VerifiedOwnView, verify_own_view
from tests.builders import AT, DAY, PROVIDERS, Federation
from tests.own_view_builders import OwnViewBuilder

ONE = PROVIDERS[0]


def verified(builder: OwnViewBuilder) -> VerifiedOwnView:
    return verify_own_view(builder.bundle(), builder.federation.anchors)


def test_a_provider_that_took_points_and_gave_no_reason_is_not_passed_over() -> None:
    builder = OwnViewBuilder(answers={ONE: 400})
    builder.statements[ONE] = builder.statement(ONE, reasons=[])
    (cost,) = costs_of(verified(builder))
    assert cost.startswith("Alder-Bank took ")
    assert cost.endswith("points: it gave no reason")


def test_the_costliest_provider_comes_first() -> None:
    builder = OwnViewBuilder(answers={ONE: 500, PROVIDERS[1]: 400})
    told = costs_of(verified(builder))
    assert [line.split(" took")[0] for line in told] == ["Birch-Payments", "Alder-Bank"]


def test_a_provider_whose_scores_drifted_is_not_said_to_be_past_a_date() -> None:
    builder = OwnViewBuilder()
    view = builder.view()
    view.providers[0].calibration = CalibrationStanding.CALIBRATION_STANDING_STALE
    drifted = parts_of(verify_own_view(builder.bundle(view), builder.federation.anchors))
    assert "no longer fits well" in drifted[0].says
    assert "past its date" not in drifted[0].says
    assert "no longer fits" not in drifted[1].says


def test_past_the_calibrations_date_that_is_said() -> None:
    federation = Federation(calibrated=False)
    federation.calibrate(stale_from=to_timestamp(AT - DAY))
    (says, *_) = [part.says for part in parts_of(verified(OwnViewBuilder(federation)))]
    assert says.endswith("the calibration of its scores is past its date")
