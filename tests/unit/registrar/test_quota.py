"""No member can walk through all identity numbers unnoticed."""

from datetime import timedelta

import pytest

from concordat.refusal import Refusal
from concordat.v1 import IdentitySuite, Reason
from tests.builders import AT
from tests.unit.registrar.conftest import NUMBER, SUITE, Office, ref_of

BANK = "alder-bank"  # the office's quota is 10 a day


def ask(office: Office, count: int, member_id: str = BANK, days: int = 0) -> list[bytes]:
    inputs = [NUMBER.encode()] * count
    return office.desk.evaluate(member_id, SUITE, inputs, AT + timedelta(days=days))


def test_answers_come_in_the_order_of_the_inputs_with_gaps(office: Office) -> None:
    inputs = [b"?", NUMBER.encode(), b"\xff"]
    assert office.desk.evaluate(BANK, SUITE, inputs, AT) == [b"", ref_of(), b""]


def test_the_quota_counts_every_input_malformed_ones_too(office: Office) -> None:
    office.desk.evaluate(BANK, SUITE, [b"?"] * 6, AT)
    ask(office, 4)
    with pytest.raises(Refusal) as refused:
        ask(office, 1)
    assert refused.value.reason == Reason.REASON_QUOTA_EXCEEDED
    assert refused.value.retry_after == timedelta(hours=12)  # midnight


def test_a_refused_call_counts_nothing(office: Office) -> None:
    for count in (11, 11):
        with pytest.raises(Refusal):
            ask(office, count)
    ask(office, 7)
    with pytest.raises(Refusal):
        ask(office, 4)
    ask(office, 3)


def test_each_member_and_each_day_has_its_own(office: Office) -> None:
    ask(office, 10)
    ask(office, 10, member_id="birch-payments")
    ask(office, 10, days=1)


def test_a_restart_forgets_no_use(office: Office) -> None:
    ask(office, 8)
    again = office.restarted()
    with pytest.raises(Refusal):
        ask(again, 3)
    ask(again, 2)
    again.desk.store.close()


def test_a_suite_that_is_not_served_counts_nothing(office: Office) -> None:
    with pytest.raises(Refusal):
        office.desk.evaluate(
            BANK, IdentitySuite.IDENTITY_SUITE_OPRF_RISTRETTO255_SHA512, [bytes(32)], AT
        )
    ask(office, 10)
