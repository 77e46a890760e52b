"""Where a listing stands after the steps so far, and what every step must keep to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from concordat import v1
from concordat.v1 import ListingState
from concordat.verify.mismatch import MismatchError

State: TypeAlias = "ListingState.ValueType"
Statement: TypeAlias = v1.ListingFiling | v1.ListingEvent | v1.Dispute | v1.Ruling

NONE = ListingState.LISTING_STATE_UNSPECIFIED
DRAFT = ListingState.LISTING_STATE_DRAFT
NOTICED = ListingState.LISTING_STATE_NOTICED
CONTESTED = ListingState.LISTING_STATE_CONTESTED
EFFECTIVE = ListingState.LISTING_STATE_EFFECTIVE
SETTLED = ListingState.LISTING_STATE_SETTLED
UNDER_REVIEW = ListingState.LISTING_STATE_UNDER_REVIEW
APPEAL = ListingState.LISTING_STATE_APPEAL
WITHDRAWN = ListingState.LISTING_STATE_WITHDRAWN
REPAIRED = ListingState.LISTING_STATE_REPAIRED
EXPIRED = ListingState.LISTING_STATE_EXPIRED

DISPUTED = frozenset({CONTESTED, UNDER_REVIEW, APPEAL})
ENDED = frozenset({WITHDRAWN, REPAIRED, EXPIRED})
LIVE = frozenset({DRAFT, NOTICED, EFFECTIVE, SETTLED, *DISPUTED})


@dataclass(frozen=True, slots=True)
class OpenDispute:
    """A dispute that waits for its ruling."""

    dispute_id: bytes
    reviewer: str = ""  # who decides; empty where any of the right role may


@dataclass(frozen=True, slots=True)
class Course:
    """Where a listing stands after the steps so far, as far as they tell."""

    state: State = NONE
    back: State = NONE  # where an open dispute returns it to
    dispute: OpenDispute | None = None
    ruling: v1.Ruling | None = None  # the last
    sources: Mapping[str, bool] = field(default_factory=dict)  # whether each still vouches for it
    courts: frozenset[str] = frozenset()  # those of them that are courts
    debt: bytes = b""
    currency: str = ""
    amount: int = 0
    since: datetime | None = None
    words: v1.SubjectWords | None = None
    ends_by: datetime | None = None  # a judgment: when its register stops showing it
    prolonged: bool = False

    @property
    def live_sources(self) -> frozenset[str]:
        """Those that vouch for it now."""
        return frozenset(source for source, live in self.sources.items() if live)

    @property
    def judgment(self) -> bool:
        """Whether a court vouches for it."""
        return bool(self.courts & (self.live_sources or self.sources.keys()))


def taken_as_told(course: Course, statement: Statement | None, state: State) -> Course:
    """Return the course where a step can't be followed: as the exchange claims.

    So that one false step is told once, and not again with every step after it.
    """
    if isinstance(statement, v1.Ruling):
        course = replace(course, ruling=statement)
    if state not in DISPUTED:
        return replace(course, state=state, back=NONE, dispute=None)
    dispute = course.dispute or OpenDispute(b"")
    if isinstance(statement, v1.Dispute):
        dispute = OpenDispute(statement.dispute_id, statement.reviewer)
    return replace(course, state=state, back=course.back or course.state, dispute=dispute)


def ended_in(course: Course, state: State, *due: State) -> Course:
    """Return the course in a state with no open dispute; raise unless it is one that is due."""
    require_state(state, *due)
    return replace(course, state=state, back=NONE, dispute=None)


def require_in(course: Course, allowed: frozenset[State], what: str) -> None:
    """Raise ``MismatchError`` unless ``what`` is possible where the listing stands."""
    if course.state not in allowed:
        raise MismatchError(f"{what} is not possible in state {name_of(course.state)}")


def require_state(told: State, *due: State) -> None:
    """Raise ``MismatchError`` unless a step is shown with a state that it can lead to."""
    if told not in due:
        expected = " or ".join(name_of(state) for state in due)
        raise MismatchError(f"it leads to {expected}, and is shown with {name_of(told)}")


def name_of(state: State) -> str:
    """Return a state's name without its prefix, in lower case."""
    return ListingState.Name(state).removeprefix("LISTING_STATE_").lower().replace("_", " ")
