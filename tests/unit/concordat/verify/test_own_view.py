"""An own view holds offline, to the last point, or the check that fails says why."""

from collections.abc import Callable

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of
from concordat.v1 import CalibrationStanding
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.verify.own_view import OWN_SHOWS, verify_own_view
from concordat.verify.view import ViewNotVerified
from tests.builders import AT, DAY, LENDER, PROVIDERS, Federation, signer
from tests.own_view_builders import OwnViewBuilder, own_look, own_request
from tests.view_builders import Absent, Failed

ONE, TWO, THREE = PROVIDERS


def failed_check(made: OwnViewBuilder, bundle: v1.OwnViewBundle) -> str:
    with pytest.raises(ViewNotVerified) as failure:
        verify_own_view(bundle, made.federation.anchors)
    return failure.value.check


def test_every_check_passes_in_its_order_and_the_whole_score_is_told() -> None:
    made = OwnViewBuilder(answers={ONE: 640, TWO: 700, THREE: 555})
    verified = verify_own_view(made.bundle(), made.federation.anchors)
    assert [check.name for check in verified.checks] == list(OWN_SHOWS)
    assert verified.score == made.score() == verified.view.complete
    assert {name: s.message.score for name, s in verified.statements.items()} == made.answers
    assert verified.missing == []


def test_who_failed_or_froze_is_named_and_moves_no_score() -> None:
    alone = OwnViewBuilder(answers={ONE: 640, TWO: Failed(), THREE: Failed()})
    frozen = Absent(v1.Absence.ABSENCE_FROZEN)
    made = OwnViewBuilder(answers={ONE: 640, TWO: frozen, THREE: Failed()})
    verified = verify_own_view(made.bundle(), made.federation.anchors)
    assert verified.view.WhichOneof("outcome") == "partial"
    assert [outcome.provider for outcome in verified.missing] == [THREE]
    assert verified.score == alone.score()


def test_a_person_that_nobody_knows_has_no_score() -> None:
    made = OwnViewBuilder(answers=dict.fromkeys(PROVIDERS, Absent()))
    verified = verify_own_view(made.bundle(), made.federation.anchors)
    assert verified.score is None
    assert not verified.view.no_score.partial


def test_a_provider_that_the_calibration_does_not_read_is_shown_and_not_pooled() -> None:
    federation = Federation()
    licence = federation.licence("dogwood", v1.Role.ROLE_PROVIDER)
    federation.directory.add_licence(licence, federation.at)  # and no calibration made anew
    ask = v1.RequestOwnViewRequest(
        request=own_request(federation, federation.subject(), providers=[ONE, "dogwood"]),
        binding=federation.subject().binding,
    )
    made = OwnViewBuilder(federation, ask=ask)
    verified = verify_own_view(made.bundle(), federation.anchors)
    assert verified.view.providers[1].calibration == CalibrationStanding.CALIBRATION_STANDING_NONE
    assert verified.score is not None
    assert [part.provider for part in verified.score.contributions] == [ONE]
    assert "dogwood" in verified.statements


Bend = Callable[[OwnViewBuilder, v1.OwnView], None]


def more_points(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.complete.points += 1


def other_reasons(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.complete.costs.append(v1.ScoreCost(provider=ONE, code="BK09", points=1))


def no_score(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.no_score.partial = False


def said_to_be_partial(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.partial.CopyFrom(view.complete)


def of_another_request(made: OwnViewBuilder, view: v1.OwnView) -> None:
    view.request_digest = digest_of(own_request(made.federation, made.person))


def of_another_person(made: OwnViewBuilder, view: v1.OwnView) -> None:
    view.subject_ref = made.federation.subject("bob").ref


def under_another_binding(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.binding_digest = bytes(32)


def a_provider_left_out(_: OwnViewBuilder, view: v1.OwnView) -> None:
    del view.providers[2]


def in_another_order(_: OwnViewBuilder, view: v1.OwnView) -> None:
    first = v1.ProviderOutcome()
    first.CopyFrom(view.providers[0])
    view.providers[0].CopyFrom(view.providers[1])
    view.providers[1].CopyFrom(first)


def a_score_called_absent(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.providers[0].kind = Kind.PROVIDER_OUTCOME_KIND_NO_RECORD


def another_statements_digest(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.providers[0].statement_digest = bytes(32)


def called_unread(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.providers[0].calibration = CalibrationStanding.CALIBRATION_STANDING_NONE


def of_another_calibration(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.calibration_version += 1


def under_other_licences(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.licence_digests[0] = bytes(32)


def recorded_after(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.receipt.recorded_at.CopyFrom(to_timestamp(AT + DAY))


def under_another_look(_: OwnViewBuilder, view: v1.OwnView) -> None:
    view.receipt.access_id = new_id()


BENT: dict[Bend, str] = {
    more_points: "score",
    other_reasons: "score",
    no_score: "outcomes",
    said_to_be_partial: "outcomes",
    of_another_request: "digests",
    of_another_person: "digests",
    under_another_binding: "digests",
    a_provider_left_out: "outcomes",
    in_another_order: "outcomes",
    a_score_called_absent: "statements",
    another_statements_digest: "statements",
    called_unread: "outcomes",
    of_another_calibration: "calibration",
    under_other_licences: "view",
    recorded_after: "receipt",
    under_another_look: "log: look",
}


@pytest.mark.parametrize("bend", BENT, ids=lambda bend: bend.__name__)
def test_an_exchange_that_lies_to_the_person_is_found_out(bend: Bend) -> None:
    made = OwnViewBuilder()
    view = made.view()
    bend(made, view)
    assert failed_check(made, made.bundle(view)) == BENT[bend]


Part = Callable[[OwnViewBuilder], v1.OwnViewBundle]

PARTS: dict[str, tuple[Part, str]] = {
    "signed by a lender": (lambda made: made.bundle(signed_by=LENDER), "view"),
    "a statement missing": (
        lambda made: made.bundle(statements=list(made.statements.values())[1:]),
        "statements",
    ),
    "a statement by another": (
        lambda made: made.bundle(
            statements=[
                made.statement(ONE, signed_by=TWO),
                *list(made.statements.values())[1:],
            ]
        ),
        "statements",
    ),
    "a statement of another score": (
        lambda made: made.bundle(
            statements=[made.statement(ONE, score=820), *list(made.statements.values())[1:]]
        ),
        "statements",
    ),
    "a request by another": (
        lambda made: made.bundle(
            request=own_request(made.federation, made.person, signed_by="mallory")
        ),
        "request",
    ),
    "another's binding": (
        lambda made: made.bundle(binding=made.federation.subject("bob").binding),
        "request",
    ),
    "a calibration with no roots": (
        lambda made: made.bundle(calibration=made.federation.calibration(roots=1)),
        "calibration",
    ),
    "another look": (
        lambda made: made.bundle(
            intent=own_look(made.federation, own_request(made.federation, made.person))
        ),
        "log: look",
    ),
    "a log of its own": (
        lambda made: made.bundle(
            intent=own_look(
                made.federation, made.request, look_id=made.look_id, log=signer("mallory")
            )
        ),
        "log: look",
    ),
    "the look for the release": (
        lambda made: made.bundle(release=own_look(made.federation, made.request)),
        "log: release",
    ),
    "no licence of a provider": (lambda made: made.bundle(licences=made.licences()[:-1]), "view"),
    "a lender's licence first": (
        lambda made: made.bundle(
            licences=[made.federation.member(LENDER).licence_envelope, *made.licences()[1:]]
        ),
        "licences",
    ),
}


@pytest.mark.parametrize("what", PARTS)
def test_a_part_that_is_another_is_found_out(what: str) -> None:
    made = OwnViewBuilder()
    part, check = PARTS[what]
    assert failed_check(made, part(made)) == check


def test_a_view_from_after_now_is_refused() -> None:
    made = OwnViewBuilder()
    with pytest.raises(ViewNotVerified) as failure:
        verify_own_view(made.bundle(), made.federation.anchors, at=AT - DAY)
    assert failure.value.check == "receipt"
