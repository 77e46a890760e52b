"""Who can bind a key to a person: whoever was handed the code, once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.refusal import Refusal
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import Reason
from concordat.verify.consent import open_binding
from tests.builders import AT, Federation, signer
from tests.unit.registrar.conftest import NUMBER, SUITE, Office, ref_of

OTHER_NUMBER = "ZZ99999999"


def refused(office: Office, code: str, **given: Any) -> str:
    with pytest.raises(Refusal) as caught:
        office.bind(code, **given)
    return Reason.Name(caught.value.reason).removeprefix("REASON_")


def version_of(envelope: v1.Envelope) -> int:
    return v1.SubjectBinding.FromString(envelope.payload).version


def test_a_binding_verifies_against_the_trust_bundle(office: Office) -> None:
    binding = open_binding(office.bind(office.code()), Federation().anchors, AT).message
    assert binding.subject_ref == ref_of()
    assert binding.public_key == signer("wallet").public_key
    assert binding.version == 1


def test_the_code_may_be_typed_as_a_person_types(office: Office) -> None:
    code = office.code()
    office.bind(f" {code.lower().replace('-', ' ')} ")


def test_a_wrong_code_binds_nothing(office: Office) -> None:
    code = office.code()
    wrong = ("B" if code[0] == "A" else "A") + code[1:]
    for attempt in (wrong, code[:-1], "", "?" * 39, "A" * 64, "é" * 32, code + code):
        assert refused(office, attempt) == "ENROLMENT_CODE_INVALID"
    assert version_of(office.bind(code)) == 1


def test_the_expiry_of_a_code_cannot_be_moved(office: Office) -> None:
    code = office.code(hours=-1)
    for place in range(10, 17):  # the expiry's characters
        for letter in "A7":
            assert refused(office, code[:place] + letter + code[place + 1 :]) == (
                "ENROLMENT_CODE_INVALID"
            )


def test_a_code_for_another_person_is_refused(office: Office) -> None:
    assert refused(office, office.code(OTHER_NUMBER)) == "ENROLMENT_CODE_INVALID"


def test_a_code_of_another_federation_or_key_is_refused(office: Office) -> None:
    ends = AT + timedelta(hours=1)
    for key, federation in ((bytes(32), "test.concordat"), (bytes(range(32)), "other.concordat")):
        foreign = type(office.desk.codes)(key, federation).issue(ref_of(), ends)
        assert refused(office, foreign) == "ENROLMENT_CODE_INVALID"


def test_an_expired_code_is_refused_from_its_last_minute_on(office: Office) -> None:
    code = office.code(hours=1)
    assert refused(office, code, at=AT + timedelta(hours=1)) == "ENROLMENT_CODE_INVALID"
    office.bind(code, at=AT + timedelta(minutes=59, seconds=59))


def test_a_used_code_does_not_bind_another_key(office: Office) -> None:
    code = office.code()
    office.bind(code)
    assert refused(office, code, wallet=signer("thief")) == "ENROLMENT_CODE_INVALID"


def test_repeating_the_request_after_a_lost_answer_gives_the_same_binding(office: Office) -> None:
    code = office.code(hours=1)
    first = office.bind(code)
    assert office.bind(code) == first
    assert office.bind(code, at=AT + timedelta(days=9)) == first


def test_a_new_code_replaces_the_key_with_a_higher_version(office: Office) -> None:
    assert version_of(office.bind(office.code())) == 1
    assert version_of(office.bind(office.code(), wallet=signer("new phone"))) == 2
    assert version_of(office.bind(office.code(OTHER_NUMBER), number=OTHER_NUMBER)) == 1


def test_what_was_used_stays_used_across_a_restart(office: Office) -> None:
    code = office.code()
    first = office.bind(code)
    again = office.restarted()
    assert again.bind(code) == first
    assert refused(again, code, wallet=signer("thief")) == "ENROLMENT_CODE_INVALID"
    assert version_of(again.bind(again.code())) == 2
    again.desk.store.close()


@pytest.mark.parametrize(
    "signed",
    [{"federation": "other.concordat"}, {"possession_sig": bytes(64)}],
)
def test_a_key_that_the_caller_does_not_hold_is_not_bound(
    office: Office, signed: dict[str, object]
) -> None:
    code = office.code()
    assert refused(office, code, **signed) == "SIGNATURE_INVALID"
    victim = signer("someone else's")
    assert refused(office, code, public_key=victim.public_key) == "SIGNATURE_INVALID"
    assert version_of(office.bind(code)) == 1


def test_a_possession_proof_of_one_code_is_none_for_another(office: Office) -> None:
    proof = office.request(office.code()).possession_sig
    assert refused(office, office.code(), possession_sig=proof) == "SIGNATURE_INVALID"


@pytest.mark.parametrize("number", ["x", "no such form!", "AB1234\x005678"])
def test_what_is_no_identity_number_is_refused(office: Office, number: str) -> None:
    assert refused(office, office.code(), number=number) == "IDENTITY_MALFORMED"


def test_of_many_keys_racing_for_one_code_one_wins(office: Office) -> None:
    code = office.code()
    wallets = [Ed25519Signer.generate() for _ in range(16)]

    def attempt(wallet: Ed25519Signer) -> bool:
        try:
            office.bind(code, wallet=wallet)
        except Refusal:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, wallets)) == 1


def test_the_same_request_many_times_at_once_is_bound_once(office: Office) -> None:
    code = office.code()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: office.bind(code).SerializeToString(), range(64)))
    assert len(set(answers)) == 1


def test_neither_number_nor_code_is_in_the_database(office: Office) -> None:
    code = office.code()
    office.bind(code)
    office.desk.evaluate("alder-bank", SUITE, [NUMBER.encode()], AT)
    office.desk.store.close()
    content = b"".join(path.read_bytes() for path in office.database.parent.iterdir())
    assert ref_of() in content
    for secret in (NUMBER, "AB12345678", "12345678", code, code.replace("-", "")):
        assert secret.encode() not in content
