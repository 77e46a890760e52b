"""The labels of all metrics, each with its closed list. No value of any is about a person."""

from collections.abc import Iterable
from typing import Any

from concordat.rpc.policy import POLICY
from concordat.telemetry.label import OTHER, Label
from concordat.v1 import ListingState, ProviderOutcomeKind, Purpose, Reason

OK = "OK"
CANCELLED = "CANCELLED"
PAST_REFUSAL = frozenset({OK, CANCELLED})


def short(kind: Any, prefix: str, value: int) -> str:
    """Return an enum value's name without its prefix; ``other`` for a number that has none."""
    found = kind.DESCRIPTOR.values_by_number.get(value)
    return OTHER if found is None else str(found.name).removeprefix(prefix)


def names(kind: Any, prefix: str) -> frozenset[str]:
    """Return all names of an enum, each without the prefix, but that of no value."""
    return frozenset(short(kind, prefix, value) for value in kind.values() if value)


def _closed(name: str, what: str, values: Iterable[str]) -> Label:
    return Label(name, what, frozenset(values) | {OTHER})


def method_name(path: str) -> str:
    """Return `ViewService/RequestView` for `/concordat.v1.ViewService/RequestView`."""
    return path.removeprefix("/").removeprefix("concordat.v1.")


def reason_name(reason: int) -> str:
    """Return a reason as it stands in labels."""
    return short(Reason, "REASON_", reason)


def purpose_name(purpose: int) -> str:
    """Return a purpose as it stands in labels."""
    return short(Purpose, "PURPOSE_", purpose)


def outcome_name(kind: int) -> str:
    """Return what a provider's answer came to as it stands in labels."""
    return short(ProviderOutcomeKind, "PROVIDER_OUTCOME_KIND_", kind)


def state_name(state: int) -> str:
    """Return a listing's state as it stands in labels."""
    return short(ListingState, "LISTING_STATE_", state)


REASONS = names(Reason, "REASON_")
METHOD = _closed("method", "a row of the method policy", map(method_name, POLICY))
ENDED = _closed("reason", "`OK`, `CANCELLED`, or why it was refused", REASONS | PAST_REFUSAL)
REASON = _closed("reason", "why it was refused", REASONS)
PURPOSE = _closed("purpose", "a purpose of the closed list", names(Purpose, "PURPOSE_"))
RESULT = _closed("result", "what the view holds", ("COMPLETE", "PARTIAL", "NO_SCORE", "REFUSED"))
OUTCOME = _closed(
    "outcome",
    "what a provider's answer came to",
    names(ProviderOutcomeKind, "PROVIDER_OUTCOME_KIND_"),
)
ANSWER = _closed("kind", "what is answered", ("SCORED", "NO_RECORD", "FROZEN", "REFUSED"))
STATE = _closed("state", "a listing's state", names(ListingState, "LISTING_STATE_"))
WITNESSED = _closed("witnessed", "whether enough witnesses cosigned in time", ("yes", "no"))
TASK = _closed(
    "task",
    "what is done on a timer",
    (
        *("tidy", "lenders", "drift", "members", "listings", "book", "statistics", "orders"),
        *("mail", "cases", "keys", "bindings"),
    ),
)
STATUS = _closed("status", "the HTTP status", ("400", "403", "404", "409", "422"))
PROVIDER = Label("provider", "a provider's member id: as many as there are licences")
MEMBER = Label("member", "a member id: as many as there are licences")
LOG = Label("log", "a log's name: as many as the settings name")
VERSION = Label("version", "of this software")
PROCESS = _closed("process", "the program", ("exchange", "provider", "registrar", "witness"))
