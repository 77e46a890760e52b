"""What disputes and rulings do to a listing, as far as its subject can tell."""

from collections.abc import Mapping
from dataclasses import replace

from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import DisputeStage, RulingOutcome
from concordat.verify.listing_course import (
    APPEAL,
    CONTESTED,
    DISPUTED,
    EFFECTIVE,
    NOTICED,
    SETTLED,
    UNDER_REVIEW,
    WITHDRAWN,
    Course,
    OpenDispute,
    State,
    ended_in,
    require_in,
    require_state,
)
from concordat.verify.mismatch import MismatchError

_STAGES: Mapping[int, tuple[frozenset[State], State]] = {
    DisputeStage.DISPUTE_STAGE_CONTEST: (frozenset({NOTICED}), CONTESTED),
    DisputeStage.DISPUTE_STAGE_REVIEW: (frozenset({EFFECTIVE, SETTLED}), UNDER_REVIEW),
    DisputeStage.DISPUTE_STAGE_APPEAL: (frozenset({NOTICED, EFFECTIVE, SETTLED}), APPEAL),
}


def disputed(course: Course, dispute: v1.Dispute, state: State) -> Course:
    """Follow a dispute; raise ``MismatchError`` where it can't be raised there."""
    allowed, to = _STAGES[dispute.stage]
    require_in(course, allowed, "a dispute of this kind")
    require_state(state, to)
    last = course.ruling
    if dispute.stage == DisputeStage.DISPUTE_STAGE_APPEAL and (
        last is None or last.ruling_id != dispute.ruling_id
    ):
        raise MismatchError("the appeal is not of the last ruling")
    opened = OpenDispute(dispute.dispute_id, dispute.reviewer)
    return replace(course, state=state, back=course.state, dispute=opened)


def ruled(course: Course, ruling: v1.Ruling, state: State) -> Course:
    """Follow a ruling; raise ``MismatchError`` where another was asked, or it leads elsewhere."""
    require_in(course, DISPUTED, "a ruling")
    dispute = course.dispute or OpenDispute(b"")
    if dispute.dispute_id and dispute.dispute_id != ruling.dispute_id:
        raise MismatchError("the ruling is on another dispute than the open one")
    if dispute.reviewer not in ("", ruling.reviewer):
        raise MismatchError(f"{ruling.reviewer} decided, and {dispute.reviewer} was asked")
    if ruling.reviewer in course.sources:
        raise MismatchError(f"{ruling.reviewer} decided on its own listing")
    before = course.ruling
    if course.state == APPEAL and before is not None and before.reviewer == ruling.reviewer:
        raise MismatchError(f"{ruling.reviewer} decided on its own ruling")
    course = replace(course, ruling=ruling)
    match ruling.outcome:
        case RulingOutcome.RULING_OUTCOME_UPHELD:
            return ended_in(course, state, WITHDRAWN)
        case RulingOutcome.RULING_OUTCOME_UNVERIFIABLE:
            return undecided(course, state)
        case RulingOutcome.RULING_OUTCOME_RECTIFIED:
            course = corrected(course, ruling.correction)
            if ruling.not_settled:
                _require_settled(course)
                course = replace(course, back=EFFECTIVE)
    return returned(course, state)


def _require_settled(course: Course) -> None:
    if course.back != SETTLED:
        raise MismatchError("the ruling strikes out a settlement, and there is none")


def undecided(course: Course, state: State) -> Course:
    """Follow what becomes of a listing whose dispute could not be decided (R12).

    Of one that courts and others vouch for, only the courts' entry is left.
    """
    if not course.judgment:
        return ended_in(course, state, WITHDRAWN)
    left = {name: live and name in course.courts for name, live in course.sources.items()}
    course = replace(course, sources=left)
    if course.state == APPEAL:
        return returned(course, state)
    require_state(state, APPEAL)
    dispute_id = course.dispute.dispute_id if course.dispute else b""
    return replace(course, state=APPEAL, dispute=OpenDispute(dispute_id))


def returned(course: Course, state: State) -> Course:
    """Follow a listing to where its dispute found it; what was contested may take effect at once."""
    at_once = course.state == CONTESTED and course.back == NOTICED
    return ended_in(course, state, course.back, *([EFFECTIVE] if at_once else []))


def corrected(course: Course, facts: v1.Correction) -> Course:
    """Return the course with corrected facts; raise ``MismatchError`` where they are worse for the subject."""
    since = from_timestamp(facts.delinquent_since)
    if (
        facts.amount.currency != course.currency
        or facts.amount.minor > course.amount
        or (course.since is not None and since > course.since)
    ):
        raise MismatchError("the correction puts you worse")
    return replace(course, amount=facts.amount.minor, since=since)
