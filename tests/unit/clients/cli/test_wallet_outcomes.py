"""`concordat wallet outcomes`: what lenders decided, in words that tell people what they may do."""

import json
from typing import Any

from rich.console import Console

from clients.cli.wallet_outcomes import outcome_facts, outcomes_table
from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import seal
from concordat.v1 import DecisionReason, OutcomeKind, ReviewerRole
from tests.builders import AT, DAY, LENDER, NAME, signer
from tests.unit.clients.cli.conftest import ListingDesk


def event(**fields: Any) -> v1.Envelope:
    said = v1.OutcomeEvent(
        event_id=bytes(16),
        federation=NAME,
        lender=LENDER,
        access_id=bytes(16),
        subject_ref=bytes(32),
        answer_digest=bytes(32),
        outcome=OutcomeKind.OUTCOME_KIND_NOT_GRANTED,
        reasons=[DecisionReason.DECISION_REASON_HIGH_DEBT],
        decided_at=to_timestamp(AT),
        sequence=1,
        **fields,
    )
    return seal(said, signer(LENDER))


def outcome(**fields: Any) -> v1.ReportedOutcome:
    due = to_timestamp(AT + 30 * DAY)
    given: dict[str, Any] = {"access_id": bytes(16), "lender": LENDER, "due_by": due}
    return v1.ReportedOutcome(**(given | fields))


def text(*outcomes: v1.ReportedOutcome) -> str:
    console = Console(width=300)
    with console.capture() as captured:
        console.print(outcomes_table(v1.SubjectReport(outcomes=outcomes), AT + 31 * DAY))
    return captured.get()


def test_a_person_reads_what_was_decided_why_and_what_it_may_do() -> None:
    shown = text(outcome(event=event()))
    assert "not granted" in shown
    assert "your debts are high" in shown
    assert "no person reviewed it: you may ask the lender for that" in shown
    officer = ReviewerRole.REVIEWER_ROLE_CREDIT_OFFICER
    reviewed = event(reviewed_by_person=True, reviewer_role=officer)
    assert "a credit officer reviewed it" in text(outcome(event=reviewed))


def test_who_did_not_say_is_overdue_or_awaited() -> None:
    assert "overdue" in text(outcome())
    assert "not said yet" in text(outcome(due_by=to_timestamp(AT + 40 * DAY)))


def test_programs_read_the_same() -> None:
    facts = outcome_facts(outcome(event=event()), AT + 31 * DAY)
    assert facts["outcome"] == "not granted"
    assert facts["reasons"] == ["high debt"]
    assert (facts["reviewed_by_person"], facts["reviewer"], facts["overdue"]) == (
        False,
        None,
        False,
    )
    assert outcome_facts(outcome(), AT + 31 * DAY)["overdue"] is True
    assert json.dumps(outcome_facts(outcome(), AT), default=str)


def test_the_command_takes_them_from_the_report(listed: ListingDesk) -> None:
    wallet = listed.wallet()
    assert listed.json("wallet", "outcomes", *wallet)["outcomes"] == []
    told = listed.run("wallet", "outcomes", *wallet)
    assert "No lender has anything to say" in told.stdout
