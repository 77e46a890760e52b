"""What lenders say that they decided, in plain words: for the people whom it is about."""

from collections.abc import Mapping
from datetime import datetime

from clients.language import marked, tr
from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import DecisionReason, OutcomeKind, ReviewerRole
from concordat.verify.outcome_events import is_unreviewed

DECIDED: Mapping[int, str] = {
    OutcomeKind.OUTCOME_KIND_GRANTED: marked("granted"),
    OutcomeKind.OUTCOME_KIND_GRANTED_ON_OTHER_TERMS: marked("granted, on other terms"),
    OutcomeKind.OUTCOME_KIND_NOT_GRANTED: marked("not granted"),
    OutcomeKind.OUTCOME_KIND_WITHDRAWN_BY_SUBJECT: marked("withdrawn by you"),
}
WHY: Mapping[int, str] = {
    DecisionReason.DECISION_REASON_TOO_LITTLE_HISTORY: marked("too little is known about you"),
    DecisionReason.DECISION_REASON_HIGH_DEBT: marked(
        "your debts are high for what you have to pay them with"
    ),
    DecisionReason.DECISION_REASON_LISTING_IN_FORCE: marked("a listing in force"),
    DecisionReason.DECISION_REASON_SCORE_BAND: marked("your score"),
    DecisionReason.DECISION_REASON_INCOME_NOT_VERIFIED: marked("your income could not be verified"),
    DecisionReason.DECISION_REASON_IDENTITY_NOT_VERIFIED: marked(
        "your identity could not be verified"
    ),
    DecisionReason.DECISION_REASON_OTHER_TERMS_OF_LENDER: marked(
        "the lender's own terms, not what it was told here"
    ),
}
REVIEWED_BY: Mapping[int, str] = {
    ReviewerRole.REVIEWER_ROLE_CREDIT_OFFICER: marked("a credit officer reviewed it"),
    ReviewerRole.REVIEWER_ROLE_SENIOR_CREDIT_OFFICER: marked("a senior credit officer reviewed it"),
    ReviewerRole.REVIEWER_ROLE_CREDIT_COMMITTEE: marked("a credit committee reviewed it"),
    ReviewerRole.REVIEWER_ROLE_COMPLAINTS_OFFICER: marked("a complaints officer reviewed it"),
}
ASK_FOR_REVIEW = marked(
    "no person reviewed it: you may ask the lender for that, and complain to the regulator"
)
OVERDUE = marked(
    "overdue: the lender has not said what it decided; you may complain to the regulator"
)
AWAITED = marked("not said yet")


def decided(event: v1.OutcomeEvent) -> str:
    """Return what was decided."""
    return tr(DECIDED.get(event.outcome, "unknown"))


def why(event: v1.OutcomeEvent) -> str:
    """Return the principal reasons, the weightiest first; empty where none are given."""
    return "; ".join(tr(WHY.get(reason, "unknown")) for reason in event.reasons)


def review(event: v1.OutcomeEvent) -> str:
    """Return who reviewed a decision, or what one may do where nobody did (R17); empty where nobody had to."""
    if is_unreviewed(event):
        return tr(ASK_FOR_REVIEW)
    return tr(REVIEWED_BY.get(event.reviewer_role, ""))


def event_in(outcome: v1.ReportedOutcome) -> v1.OutcomeEvent | None:
    """Return what a lender said, from a report that was verified; None where it said nothing."""
    if not outcome.HasField("event"):
        return None
    return v1.OutcomeEvent.FromString(outcome.event.payload)


def standing(outcome: v1.ReportedOutcome, at: datetime) -> str:
    """Return what was decided, or that it was not said, and whether that is overdue."""
    event = event_in(outcome)
    if event is not None:
        return decided(event)
    late = outcome.HasField("due_by") and from_timestamp(outcome.due_by) <= at
    return tr(OVERDUE if late else AWAITED)
