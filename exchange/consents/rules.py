"""How a consent moves, decided from values (design.md section 4: ACTIVE, PAUSED, and the three ends)."""

from concordat.refusal import Refusal
from concordat.v1 import ConsentEventKind, ConsentState, Reason

_MOVES: dict[tuple[ConsentState.ValueType, ConsentEventKind.ValueType], ConsentState.ValueType] = {
    (
        ConsentState.CONSENT_STATE_ACTIVE,
        ConsentEventKind.CONSENT_EVENT_KIND_PAUSE,
    ): ConsentState.CONSENT_STATE_PAUSED,
    (
        ConsentState.CONSENT_STATE_PAUSED,
        ConsentEventKind.CONSENT_EVENT_KIND_RESUME,
    ): ConsentState.CONSENT_STATE_ACTIVE,
    (
        ConsentState.CONSENT_STATE_ACTIVE,
        ConsentEventKind.CONSENT_EVENT_KIND_REVOKE,
    ): ConsentState.CONSENT_STATE_REVOKED,
    (
        ConsentState.CONSENT_STATE_PAUSED,
        ConsentEventKind.CONSENT_EVENT_KIND_REVOKE,
    ): ConsentState.CONSENT_STATE_REVOKED,
}

_LIVE = (ConsentState.CONSENT_STATE_ACTIVE, ConsentState.CONSENT_STATE_PAUSED)
_EXPIRED = ConsentState.CONSENT_STATE_EXPIRED


def next_state(
    state: ConsentState.ValueType, kind: ConsentEventKind.ValueType
) -> ConsentState.ValueType:
    """Return the state that an event leads to; raise ``Refusal`` where it may not happen in this one."""
    after = _MOVES.get((state, kind))
    if after is None:
        raise Refusal(
            Reason.REASON_CONSENT_TRANSITION_REFUSED,
            f"{ConsentEventKind.Name(kind)} in {ConsentState.Name(state)}",
        )
    return after


def state_at(state: ConsentState.ValueType, valid_until: int, at: int) -> ConsentState.ValueType:
    """Return the state at a time: what has run past its end is EXPIRED even if no timer said so yet."""
    return _EXPIRED if state in _LIVE and at >= valid_until else state
