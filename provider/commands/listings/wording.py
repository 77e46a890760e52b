"""Enums of the protos in plain words."""

from concordat.rpc.errors import name_of
from concordat.v1 import ListingAction, ListingState, Reason


def reason_name(reason: int) -> str:
    """Return a reason's name without the prefix; its number where this version does not know it."""
    if reason not in Reason.values():
        return str(reason)
    return name_of(Reason.ValueType(reason))


def action_name(action: int) -> str:
    """Return what a statement does; 0 stands for a filing."""
    if not action:
        return "file"
    name = ListingAction.Name(ListingAction.ValueType(action))
    return name.removeprefix("LISTING_ACTION_").lower().replace("_", " ")


def state_name(state: int) -> str:
    """Return where a listing stands; 0 stands for one that was not answered yet."""
    if not state:
        return "not answered yet"
    if state not in ListingState.values():
        return str(state)
    name = ListingState.Name(ListingState.ValueType(state))
    return name.removeprefix("LISTING_STATE_").lower().replace("_", " ")
