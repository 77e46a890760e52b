"""A lender's clients report decisions, hear what is due, and watch changes, over real gRPC."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from clients.sdk import AioLenderClient, Decision, LenderClient, OutcomeRefused
from clients.sdk import outcome_events_words as said
from concordat import v1
from concordat.clock import to_timestamp
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import DecisionReason, LenderChangeKind, OutcomeKind, Reason, ReviewerRole
from tests.builders import AT, LENDER
from tests.fake_lenders import Watched

GRANTED, NOT_GRANTED = OutcomeKind.OUTCOME_KIND_GRANTED, OutcomeKind.OUTCOME_KIND_NOT_GRANTED
DEBT = DecisionReason.DECISION_REASON_HIGH_DEBT


@pytest.fixture
def fake() -> Iterator[Watched]:
    with Watched(datetime.now(UTC)) as fake:
        yield fake


def decision(
    number: int,
    fake: Watched,
    outcome: OutcomeKind.ValueType = GRANTED,
    *reasons: DecisionReason.ValueType,
) -> Decision:
    return Decision(number.to_bytes(16), bytes(32), bytes(32), outcome, fake.at, reasons)


def test_many_are_handed_in_a_hundred_at_once_and_one_that_is_refused_refuses_no_other(
    fake: Watched,
) -> None:
    fake.known = {number.to_bytes(16) for number in range(1, 150)}
    decisions = [decision(number, fake) for number in range(150)]
    with LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
        reports = client.report_outcome_events(decisions)
    assert [each.decision for each in reports] == decisions
    refused = [each.result for each in reports if isinstance(each.result, OutcomeRefused)]
    assert [each.reason for each in refused] == [Reason.REASON_ACCESS_UNKNOWN]
    assert len(fake.reported) == 149


def test_nothing_is_sent_where_one_breaks_a_bound(fake: Watched) -> None:
    fake.known = {number.to_bytes(16) for number in range(2)}
    with (
        LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client,
        pytest.raises(StatementMalformedError),
    ):
        client.report_outcome_events([decision(0, fake), decision(1, fake, NOT_GRANTED)])
    assert fake.reported == []


def test_what_is_due_is_read_page_by_page(fake: Watched) -> None:
    fake.due = [v1.OutcomeDue(access_id=bytes([number]) * 16) for number in range(3)]
    with LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
        assert client.outcomes_due() == fake.due
        assert client.outcomes_due(most=2) == fake.due[:2]


def test_the_asyncio_client_does_the_same(fake: Watched) -> None:
    fake.known = {bytes(16)}
    fake.due = [v1.OutcomeDue(access_id=bytes(16))]
    fake.change(LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_ENDED)

    async def all_of_it() -> None:
        async with AioLenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
            (report,) = await client.report_outcome_events([decision(0, fake, NOT_GRANTED, DEBT)])
            assert isinstance(report.result, v1.OutcomeTaken)
            assert report.result.unreviewed
            assert await client.outcomes_due() == fake.due
            async with aclosing(client.watch_changes()) as changes:
                async for message in changes:
                    assert message.changes == fake.changes
                    return

    asyncio.run(all_of_it())


def test_the_words_say_what_was_decided_and_what_one_may_do() -> None:
    event = v1.OutcomeEvent(outcome=NOT_GRANTED, reasons=[DEBT])
    assert said.decided(event) == "not granted"
    assert "debts are high" in said.why(event)
    assert "you may ask" in said.review(event)
    event.reviewed_by_person = True
    event.reviewer_role = ReviewerRole.REVIEWER_ROLE_CREDIT_COMMITTEE
    assert said.review(event) == "a credit committee reviewed it"
    awaited = v1.ReportedOutcome(due_by=to_timestamp(AT))
    assert said.standing(awaited, AT).startswith("overdue")
    assert said.standing(v1.ReportedOutcome(), AT) == said.AWAITED


def test_every_name_of_the_closed_lists_has_its_words() -> None:
    assert set(said.DECIDED) == set(OutcomeKind.values()) - {0}
    assert set(said.WHY) == set(DecisionReason.values()) - {0}
    assert set(said.REVIEWED_BY) == set(ReviewerRole.values()) - {0}
