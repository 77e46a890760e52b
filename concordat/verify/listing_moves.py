"""Whether a listing can have moved as its history says: pure, from statements to states.

The exchange has the rules in full, with the limits of the profile. A subject has neither the clock nor the
profile of that time, and checks what needs neither: that each step leads from the state before it to the one
that it is shown with, that whoever decided was the one asked, and what the facts on record must be.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import ListingAction, WithdrawalCode
from concordat.verify.listing_course import (
    APPEAL,
    CONTESTED,
    DISPUTED,
    DRAFT,
    EFFECTIVE,
    EXPIRED,
    LIVE,
    NOTICED,
    REPAIRED,
    SETTLED,
    UNDER_REVIEW,
    WITHDRAWN,
    Course,
    OpenDispute,
    State,
    Statement,
    ended_in,
    require_in,
    require_state,
)
from concordat.verify.listing_rulings import corrected, disputed, ruled, undecided
from concordat.verify.mismatch import MismatchError


def moved(course: Course, statement: Statement, state: State) -> Course:
    """Return the course after a step that is shown with ``state``; raise ``MismatchError`` if it can't be."""
    match statement:
        case v1.ListingFiling():
            return _filed(course, statement, state)
        case v1.ListingEvent():
            return _happened(course, statement, state)
        case v1.Dispute():
            return disputed(course, statement, state)
        case v1.Ruling():
            return ruled(course, statement, state)


def _filed(course: Course, filing: v1.ListingFiling, state: State) -> Course:
    first = not course.sources
    require_state(state, DRAFT if first else course.state)
    if not first:
        require_in(course, LIVE, "a filing")
        if filing.debt_commitment != course.debt:
            raise MismatchError("the filing is of another debt")
    since = from_timestamp(filing.delinquent_since)
    amount = filing.amount.minor
    judgment = filing.kind == v1.ListingKind.LISTING_KIND_JUDGMENT
    if not first:
        amount = (
            min(course.amount, amount)
            if filing.amount.currency == course.currency
            else course.amount
        )
        since = min(since, course.since or since)
    ends_by = from_timestamp(filing.source_ends_at) if judgment else None
    return replace(
        course,
        state=state,
        sources={**course.sources, filing.source: True},
        courts=course.courts | ({filing.source} if judgment else set()),
        debt=filing.debt_commitment,
        currency=course.currency or filing.amount.currency,
        amount=amount,
        since=since,
        ends_by=min(filter(None, (course.ends_by, ends_by)), default=None),
    )


def _happened(course: Course, event: v1.ListingEvent, state: State) -> Course:
    name = ListingAction.Name(event.action).removeprefix("LISTING_ACTION_").lower()
    require_in(course, _ALLOWED_IN[event.action], name.replace("_", " "))
    of_source = bool(event.actor) and event.action in _BY_SOURCES and not _strikes_out(event)
    if of_source and event.actor not in course.live_sources:
        raise MismatchError(f"{event.actor} is no source of it")
    return _EVENTS[event.action](course, event, state)


def _unchanged(course: Course, _: v1.ListingEvent, state: State) -> Course:
    require_state(state, course.state)
    return course


def _worded(course: Course, event: v1.ListingEvent, state: State) -> Course:
    words = event.words if event.words.text else None
    return replace(_unchanged(course, event, state), words=words)


def _corrected_by_event(course: Course, event: v1.ListingEvent, state: State) -> Course:
    return corrected(_unchanged(course, event, state), event.correction)


def _prolonged(course: Course, event: v1.ListingEvent, state: State) -> Course:
    return replace(_unchanged(course, event, state), prolonged=True)


def _noticed(course: Course, _: v1.ListingEvent, state: State) -> Course:
    return ended_in(course, state, NOTICED)


def _took_effect(course: Course, _: v1.ListingEvent, state: State) -> Course:
    return ended_in(course, state, EFFECTIVE)


def _expired(course: Course, _: v1.ListingEvent, state: State) -> Course:
    return ended_in(course, state, EXPIRED)


def _repaired(course: Course, _: v1.ListingEvent, state: State) -> Course:
    if SETTLED not in (course.state, course.back):
        raise MismatchError("it ends early, and is not settled")
    return ended_in(course, state, REPAIRED, WITHDRAWN)


def _settled(course: Course, _: v1.ListingEvent, state: State) -> Course:
    if course.state == EFFECTIVE:
        return ended_in(course, state, SETTLED)
    require_state(state, course.state)
    if course.back != EFFECTIVE:
        raise MismatchError("it was settled while it was not in force")
    return replace(course, back=SETTLED)


def _withdrawn(course: Course, event: v1.ListingEvent, state: State) -> Course:
    if _strikes_out(event):
        require_in(course, frozenset({NOTICED, CONTESTED}), "striking it out")
        return ended_in(course, state, WITHDRAWN)
    course = replace(course, sources={**course.sources, event.actor: False})
    done = event.withdrawal in (
        WithdrawalCode.WITHDRAWAL_CODE_PAID,
        WithdrawalCode.WITHDRAWAL_CODE_WAIVED,
    )
    if course.live_sources and not done:
        require_state(state, course.state)
        return course
    return ended_in(course, state, WITHDRAWN)


def _review_opened(course: Course, event: v1.ListingEvent, state: State) -> Course:
    require_state(state, UNDER_REVIEW)
    return replace(course, state=state, back=course.state, dispute=OpenDispute(event.event_id))


def _review_ended(course: Course, event: v1.ListingEvent, state: State) -> Course:
    dispute = course.dispute
    if dispute is None or dispute.dispute_id != event.review_id or dispute.reviewer:
        raise MismatchError("no order opened the review that it ends")
    return ended_in(course, state, course.back)


def _timed_out(course: Course, _: v1.ListingEvent, state: State) -> Course:
    return undecided(course, state)


def _strikes_out(event: v1.ListingEvent) -> bool:
    return event.withdrawal == WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT


_Move: TypeAlias = Callable[[Course, v1.ListingEvent, State], Course]
_EVENTS: Mapping[int, _Move] = {
    ListingAction.LISTING_ACTION_RECONFIRM: _unchanged,
    ListingAction.LISTING_ACTION_SETTLE: _settled,
    ListingAction.LISTING_ACTION_WITHDRAW: _withdrawn,
    ListingAction.LISTING_ACTION_CORRECT: _corrected_by_event,
    ListingAction.LISTING_ACTION_OPEN_REVIEW: _review_opened,
    ListingAction.LISTING_ACTION_EXTEND: _unchanged,
    ListingAction.LISTING_ACTION_STATE: _worded,
    ListingAction.LISTING_ACTION_NOTICE_SERVED: _noticed,
    ListingAction.LISTING_ACTION_TAKE_EFFECT: _took_effect,
    ListingAction.LISTING_ACTION_TIME_OUT: _timed_out,
    ListingAction.LISTING_ACTION_REPAIR: _repaired,
    ListingAction.LISTING_ACTION_EXPIRE: _expired,
    ListingAction.LISTING_ACTION_PROLONG: _prolonged,
    ListingAction.LISTING_ACTION_END_REVIEW: _review_ended,
}
_BY_SOURCES = frozenset(
    {
        ListingAction.LISTING_ACTION_RECONFIRM,
        ListingAction.LISTING_ACTION_SETTLE,
        ListingAction.LISTING_ACTION_WITHDRAW,
        ListingAction.LISTING_ACTION_CORRECT,
        ListingAction.LISTING_ACTION_PROLONG,
    }
)
_ALLOWED_IN: Mapping[int, frozenset[State]] = {
    ListingAction.LISTING_ACTION_RECONFIRM: LIVE,
    ListingAction.LISTING_ACTION_SETTLE: frozenset({EFFECTIVE, UNDER_REVIEW, APPEAL}),
    ListingAction.LISTING_ACTION_WITHDRAW: LIVE,
    ListingAction.LISTING_ACTION_CORRECT: LIVE,
    ListingAction.LISTING_ACTION_OPEN_REVIEW: frozenset({EFFECTIVE, SETTLED}),
    ListingAction.LISTING_ACTION_EXTEND: frozenset({CONTESTED, UNDER_REVIEW}),
    ListingAction.LISTING_ACTION_STATE: LIVE,
    ListingAction.LISTING_ACTION_NOTICE_SERVED: frozenset({DRAFT}),
    ListingAction.LISTING_ACTION_TAKE_EFFECT: frozenset({NOTICED}),
    ListingAction.LISTING_ACTION_TIME_OUT: DISPUTED,
    ListingAction.LISTING_ACTION_REPAIR: frozenset({SETTLED, *DISPUTED}),
    ListingAction.LISTING_ACTION_EXPIRE: LIVE,
    ListingAction.LISTING_ACTION_PROLONG: frozenset({EFFECTIVE}),
    ListingAction.LISTING_ACTION_END_REVIEW: frozenset({UNDER_REVIEW}),
}
