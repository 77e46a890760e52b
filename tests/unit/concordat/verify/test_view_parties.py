"""Who must have signed what, under which licence and when, for a view to verify."""

from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import MAX_SKEW, to_timestamp
from concordat.statements import seal
from concordat.v1 import Reason
from concordat.verify.view import ViewNotVerified, verify_view_bundle
from tests.builders import AT, DAY, EXCHANGE, LENDER, PROVIDERS, Federation, signer
from tests.view_builders import SECOND, Failed, ViewBuilder, failed_check

ALDER, BIRCH, CEDAR = PROVIDERS
BAND = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_BAND)
OTHER = b"\x07" * 32


@pytest.mark.parametrize("forger", [LENDER, ALDER, "registrar", "stranger"])
def test_a_view_signed_by_anyone_but_the_exchange_is_refused(forger: str) -> None:
    made = ViewBuilder()
    failure = failed_check(made, made.bundle(signed_by=forger))
    assert (failure.check, failure.reason) == ("view", Reason.REASON_SIGNATURE_INVALID)


@pytest.mark.parametrize("place", range(5))
def test_a_licence_with_one_root_signature_too_few_is_refused(place: int) -> None:
    made = ViewBuilder()
    del made.licences[place].signatures[1]
    assert failed_check(made, made.bundle()).check == "licences"


@pytest.mark.parametrize("place", range(5))
def test_a_root_signature_counted_twice_is_refused(place: int) -> None:
    made = ViewBuilder()
    made.licences[place].signatures[1].CopyFrom(made.licences[place].signatures[0])
    assert failed_check(made, made.bundle()).check == "licences"


ROLES = v1.Role
LICENCES: dict[str, tuple[int, str, v1.Role.ValueType, dict[str, object]]] = {
    "the exchange is another member": (0, "other-exchange", ROLES.ROLE_EXCHANGE, {}),
    "the exchange lacks the role": (0, EXCHANGE, ROLES.ROLE_WITNESS, {}),
    "the lender lacks the role": (1, LENDER, ROLES.ROLE_WITNESS, {}),
    "the lender's has expired": (1, LENDER, ROLES.ROLE_LENDER, {"not_after": to_timestamp(AT)}),
    "a provider lacks the role": (2, ALDER, ROLES.ROLE_FURNISHER, {}),
    "a provider's has expired": (2, ALDER, ROLES.ROLE_PROVIDER, {"not_after": to_timestamp(AT)}),
    "a provider's is not yet valid": (
        2,
        ALDER,
        ROLES.ROLE_PROVIDER,
        {"not_before": to_timestamp(AT + DAY)},
    ),
    "of another federation": (2, ALDER, ROLES.ROLE_PROVIDER, {"federation": "other"}),
    "a provider comes twice": (2, BIRCH, ROLES.ROLE_PROVIDER, {}),
}


@pytest.mark.parametrize(("place", "member", "role", "fields"), LICENCES.values(), ids=LICENCES)
def test_a_member_without_the_right_licence_in_force_is_refused(
    place: int, member: str, role: Any, fields: Any
) -> None:
    made = ViewBuilder()
    made.licences[place] = made.federation.licence(member, role, **fields)
    assert failed_check(made, made.bundle()).check == "licences"


def test_a_key_that_the_licence_no_longer_lets_sign_is_refused() -> None:
    made = ViewBuilder()
    ended = v1.SigningKey(
        public_key=signer(ALDER).public_key,
        not_before=to_timestamp(AT - DAY),
        not_after=to_timestamp(AT),
    )
    made.licences[2] = made.federation.licence(ALDER, ROLES.ROLE_PROVIDER, keys=[ended])
    assert failed_check(made, made.bundle()).check == "statements"


def test_the_licence_of_a_provider_that_did_not_answer_is_refused() -> None:
    made = ViewBuilder(answers={CEDAR: Failed()})
    made.licences.append(made.federation.member(CEDAR).licence_envelope)
    assert failed_check(made, made.bundle()).check == "outcomes"


def test_a_lender_not_licensed_for_the_purpose_is_refused() -> None:
    made = ViewBuilder()
    narrow = made.federation.licence(LENDER, ROLES.ROLE_LENDER, purposes=[2])
    made.licences[1] = narrow
    failure = failed_check(made, made.bundle())
    assert (failure.check, failure.reason) == ("request", Reason.REASON_PURPOSE_NOT_ALLOWED)


# The subject's side.


def test_a_request_that_the_lender_did_not_sign_is_refused() -> None:
    made = ViewBuilder()
    made.request = made.federation.view_request(made.granted, signed_by=EXCHANGE)
    made.statements = {name: made.statement(name) for name in PROVIDERS}
    assert failed_check(made, made.bundle()).check == "request"


def test_a_request_in_another_lenders_name_is_refused_though_its_consent_names_that_lender() -> (
    None
):
    federation = Federation()
    federation.enrol("other-lender", ROLES.ROLE_LENDER)
    made = ViewBuilder(federation, consent_fields={"recipient": "other-lender"})
    made.request = federation.view_request(made.granted, lender="other-lender", signed_by=LENDER)
    made.licences[1] = federation.member(LENDER).licence_envelope
    made.statements = {name: made.statement(name) for name in PROVIDERS}
    view = made.view()
    view.lender = LENDER
    failure = failed_check(made, made.bundle(view))
    assert (failure.check, failure.reason) == ("request", Reason.REASON_CALLER_NOT_SIGNER)


def test_a_stale_request_is_refused() -> None:
    made = ViewBuilder()
    made.request = made.federation.view_request(
        made.granted,
        issued_at=to_timestamp(AT - DAY),
        expires_at=to_timestamp(AT - DAY + SECOND),
    )
    made.statements = {name: made.statement(name) for name in PROVIDERS}
    failure = failed_check(made, made.bundle())
    assert (failure.check, failure.reason) == ("request", Reason.REASON_STATEMENT_NOT_FRESH)


def test_a_binding_that_the_registrar_did_not_sign_is_refused() -> None:
    made = ViewBuilder()
    binding = v1.SubjectBinding.FromString(made.person.binding.payload)
    forged = made.bundle(binding=seal(binding, signer(EXCHANGE)))
    assert failed_check(made, forged).check == "binding"


def test_an_expired_binding_is_refused() -> None:
    made = ViewBuilder()
    old = made.federation.subject("ada", not_after=to_timestamp(AT)).binding
    assert failed_check(made, made.bundle(binding=old)).check == "binding"


def test_a_consent_that_another_person_signed_is_refused() -> None:
    made = ViewBuilder()
    forged = seal(made.granted.consent, signer("wallet-eve"))
    assert failed_check(made, made.bundle(consent=forged)).check == "consent"


@pytest.mark.parametrize(
    "fields",
    [{"valid_from": to_timestamp(AT + DAY)}, {"valid_until": to_timestamp(AT)}],
    ids=["not yet valid", "expired"],
)
def test_a_consent_out_of_its_dates_is_refused(fields: Any) -> None:
    made = ViewBuilder(consent_fields=fields)
    failure = failed_check(made, made.bundle())
    assert (failure.check, failure.reason) == ("consent", Reason.REASON_CONSENT_EXPIRED)


@pytest.mark.parametrize("state", [2, 3, 4, 5])
def test_a_consent_that_was_not_active_is_refused(state: Any) -> None:
    made = ViewBuilder()
    made.status = made.federation.consent_status(made.granted, state=state)
    assert failed_check(made, made.bundle()).check == "consent status"


@pytest.mark.parametrize(
    "fields",
    [
        {"signed_by": LENDER},
        {"consent_digest": OTHER},
        {"consent_id": b"\x07" * 16},
        {"subject_ref": OTHER},
        {"federation": "other"},
        {"binding_version": 2},
        {"uses": 0},
        {"uses": 2},
        {"issued_at": to_timestamp(AT - MAX_SKEW)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_consent_status_that_does_not_fit_is_refused(fields: Any) -> None:
    made = ViewBuilder()
    made.status = made.federation.consent_status(made.granted, **fields)
    assert failed_check(made, made.bundle()).check == "consent status"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"purpose": 2}, Reason.REASON_CONSENT_MISMATCH),
        ({"disclosure": BAND}, Reason.REASON_CONSENT_MISMATCH),
        ({"consent_digest": OTHER}, Reason.REASON_CONSENT_MISMATCH),
        ({"subject_ref": OTHER}, Reason.REASON_CONSENT_MISMATCH),
    ],
)
def test_a_request_for_more_than_the_consent_gives_is_refused(fields: Any, reason: Any) -> None:
    made = ViewBuilder()
    made.request = made.federation.view_request(made.granted, **fields)
    made.statements = {name: made.statement(name) for name in PROVIDERS}
    failure = failed_check(made, made.bundle())
    assert (failure.check, failure.reason) == ("terms", reason)


def test_a_consent_to_another_lender_is_refused() -> None:
    federation = Federation()
    federation.enrol("other-lender", ROLES.ROLE_LENDER)
    made = ViewBuilder(federation, consent_fields={"recipient": "other-lender"})
    made.request = federation.view_request(made.granted, lender=LENDER)
    made.licences[1] = federation.member(LENDER).licence_envelope
    made.statements = {name: made.statement(name) for name in PROVIDERS}
    view = made.view()
    view.lender = LENDER
    failure = failed_check(made, made.bundle(view))
    assert failure.reason == Reason.REASON_CONSENT_WRONG_RECIPIENT


# Form, time and the trust bundle.


def test_another_federations_trust_bundle_verifies_nothing() -> None:
    made = ViewBuilder()
    other = Federation(name="other.concordat")
    with pytest.raises(ViewNotVerified) as failure:
        verify_view_bundle(made.bundle(), other.anchors)
    assert failure.value.check == "licences"


def test_a_view_from_the_future_is_refused() -> None:
    made = ViewBuilder()
    verify_view_bundle(made.bundle(), made.federation.anchors, at=AT - MAX_SKEW + SECOND)
    with pytest.raises(ViewNotVerified) as failure:
        verify_view_bundle(made.bundle(), made.federation.anchors, at=AT - timedelta(minutes=10))
    assert failure.value.check == "receipt"


def test_unknown_fields_are_refused_and_left_in_place() -> None:
    made = ViewBuilder()
    raw = made.bundle().SerializeToString() + b"\x98\x06\x01"  # field 99, varint
    bundle = v1.ViewBundle.FromString(raw)
    assert failed_check(made, bundle).check == "form"
    assert bundle.SerializeToString() == raw


def test_a_failure_tells_what_had_passed() -> None:
    made = ViewBuilder()
    failure = failed_check(made, made.bundle(signed_by=LENDER))
    assert [check.name for check in failure.passed] == ["form", "licences"]
    assert str(failure).startswith("view: ")
