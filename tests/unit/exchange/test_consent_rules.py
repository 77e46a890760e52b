"""How a consent moves: every state against every event, decided from values alone."""

import itertools

import pytest

from concordat.refusal import Refusal
from concordat.v1 import ConsentEventKind, ConsentState, Period, Reason
from concordat.verify.consent import PERIODS
from exchange.consents.rules import next_state, state_at

STATES = [state for state in ConsentState.values() if state]
KINDS = [kind for kind in ConsentEventKind.values() if kind]
ACTIVE, PAUSED = ConsentState.CONSENT_STATE_ACTIVE, ConsentState.CONSENT_STATE_PAUSED
REVOKED = ConsentState.CONSENT_STATE_REVOKED
EXPIRED = ConsentState.CONSENT_STATE_EXPIRED
LAWFUL = {
    (ACTIVE, ConsentEventKind.CONSENT_EVENT_KIND_PAUSE): PAUSED,
    (PAUSED, ConsentEventKind.CONSENT_EVENT_KIND_RESUME): ACTIVE,
    (ACTIVE, ConsentEventKind.CONSENT_EVENT_KIND_REVOKE): REVOKED,
    (PAUSED, ConsentEventKind.CONSENT_EVENT_KIND_REVOKE): REVOKED,
}
END = 1_000_000


@pytest.mark.parametrize(("state", "kind"), [*itertools.product(STATES, KINDS)])
def test_a_consent_moves_only_as_the_contract_says(
    state: ConsentState.ValueType, kind: ConsentEventKind.ValueType
) -> None:
    if (state, kind) in LAWFUL:
        assert next_state(state, kind) == LAWFUL[state, kind]
        return
    with pytest.raises(Refusal) as failure:
        next_state(state, kind)
    assert failure.value.reason == Reason.REASON_CONSENT_TRANSITION_REFUSED
    assert ConsentState.Name(state) in failure.value.detail


@pytest.mark.parametrize("state", STATES)
def test_what_ran_past_its_end_is_expired_unless_it_ended_otherwise(
    state: ConsentState.ValueType,
) -> None:
    assert state_at(state, END, END - 1) == state
    after = EXPIRED if state in (ACTIVE, PAUSED) else state
    assert state_at(state, END, END) == state_at(state, END, END + 1) == after


def test_every_period_of_the_contract_has_a_length() -> None:
    assert set(PERIODS) == {period for period in Period.values() if period}
    assert sorted(PERIODS.values()) == [PERIODS[period] for period in sorted(PERIODS)]
