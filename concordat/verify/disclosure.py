"""How much of a score goes out under a disclosure (docs/disclosure.md)."""

from collections.abc import Iterable

from concordat import v1
from concordat.v1 import DisclosureKind
from concordat.v1 import ProviderOutcomeKind as Kind

ANSWERED = frozenset(
    {
        Kind.PROVIDER_OUTCOME_KIND_SCORED,
        Kind.PROVIDER_OUTCOME_KIND_NO_RECORD,
        Kind.PROVIDER_OUTCOME_KIND_FROZEN,
    }
)
"""Outcomes of providers that are not missing."""

# A provider without a licence is missing by the regulators' doing, for everybody, and not for a moment.
_SETTLED = ANSWERED | {Kind.PROVIDER_OUTCOME_KIND_NOT_LICENSED}


def is_withheld(disclosure: v1.Disclosure, outcomes: Iterable[v1.ProviderOutcome]) -> bool:
    """Tell whether no score goes out although providers stated some.

    A band or a threshold is told of all named providers or not at all. A lender could else ask again, with
    deadlines that slow providers miss, and be told the same of one set of providers after another.
    """
    if disclosure.kind == DisclosureKind.DISCLOSURE_KIND_FULL:
        return False
    return any(outcome.kind not in _SETTLED for outcome in outcomes)
