"""Lenders tell what came of accesses: checked, shown to the subject, counted for the regulator."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import to_timestamp
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import DecisionReason, LogEntryKind, OutcomeKind, Purpose, ReviewerRole
from concordat.v1 import StatisticsMeasure as M
from exchange.lenders import duties
from exchange.log import table as log
from exchange.subjects.erasing import erase_holdings
from exchange.subjects.erasure_holdings import Holdings
from exchange.supervision.statistics.members import outcomes
from exchange.supervision.statistics.periods import Period
from exchange.supervision.statistics.sources import Sources
from exchange.tables import outcome_event
from tests.builders import AT, DAY, LENDER
from tests.lender_builders import NOT_GRANTED, OTHER_LENDER, Access, DutyDesk

HIGH_DEBT = DecisionReason.DECISION_REASON_HIGH_DEBT
OFFICER = ReviewerRole.REVIEWER_ROLE_CREDIT_OFFICER
BAND = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_BAND)

MALFORMED: list[dict[str, Any]] = [
    {"outcome": NOT_GRANTED},
    {"reasons": [HIGH_DEBT]},
    {"outcome": NOT_GRANTED, "reasons": [HIGH_DEBT, HIGH_DEBT]},
    {"outcome": NOT_GRANTED, "reasons": [1, 2, 3, 4, 5]},
    {"reviewed_by_person": True},
    {"reviewer_role": OFFICER},
    {"outcome": OutcomeKind.OUTCOME_KIND_UNSPECIFIED},
    {"sequence": 0},
]


@pytest.fixture
def desk() -> Iterator[DutyDesk]:
    made = DutyDesk()
    yield made
    made.close()


def test_an_outcome_is_shown_to_its_subject_and_stands_in_its_log(desk: DutyDesk) -> None:
    access = desk.access()
    event = desk.outcome(access)
    assert desk.report(event) == [""]
    (shown,) = desk.outcomes()
    assert (shown.access_id, shown.lender, shown.event) == (access.access_id, LENDER, event)
    assert shown.due_by == AT + 30 * DAY
    acts = [each.outcome for each in desk.history() if each.HasField("outcome")]
    assert [(each.lender, each.access_id, each.reviewed) for each in acts] == [
        (LENDER, access.access_id, False)
    ]


def test_the_same_bytes_again_change_nothing_and_a_later_one_replaces(desk: DutyDesk) -> None:
    access = desk.access()
    first = desk.outcome(access, outcome=NOT_GRANTED, reasons=[HIGH_DEBT])
    assert desk.report(first, first) == ["", ""]
    assert desk.report(first) == [""]
    assert desk.unreviewed() == {LENDER: 1}
    reviewed = desk.outcome(
        access,
        outcome=NOT_GRANTED,
        reasons=[HIGH_DEBT],
        reviewed_by_person=True,
        reviewer_role=OFFICER,
        sequence=2,
    )
    assert desk.report(reviewed) == [""]
    assert desk.unreviewed() == {}
    assert desk.report(first, desk.outcome(access, sequence=2)) == [
        "REPLAYED_WITH_OTHER_BYTES",
        "REPLAYED_WITH_OTHER_BYTES",
    ]
    (shown,) = desk.outcomes()
    assert shown.event == reviewed
    kind = LogEntryKind.LOG_ENTRY_KIND_OUTCOME
    assert sum(entry.kind == kind for entry in desk.entries()) == 2


def test_an_event_that_the_next_one_in_its_call_replaces_stands_in_the_log_too(
    desk: DutyDesk,
) -> None:
    access = desk.access()
    alone = desk.outcome(access, outcome=NOT_GRANTED, reasons=[HIGH_DEBT])
    reviewed = desk.outcome(
        access,
        outcome=NOT_GRANTED,
        reasons=[HIGH_DEBT],
        reviewed_by_person=True,
        reviewer_role=OFFICER,
        sequence=2,
    )
    assert desk.report(alone, reviewed) == ["", ""]
    acts = [each.outcome for each in desk.history() if each.HasField("outcome")]
    assert [act.reviewed for act in acts] == [False, True]
    assert desk.outcomes()[0].event == reviewed
    assert desk.unreviewed() == {}


def test_no_lender_learns_whether_anothers_access_exists(desk: DutyDesk) -> None:
    access = desk.access()
    other = desk.federation.subject("bob")
    unknown = Access(access.subject_ref, bytes(16), access.digest)
    not_it = Access(other.ref, access.access_id, access.digest)
    stolen = desk.outcome(access, signed_by=OTHER_LENDER)
    assert desk.report(stolen, lender=OTHER_LENDER) == ["ACCESS_UNKNOWN"]
    assert desk.report(desk.outcome(unknown), desk.outcome(not_it), desk.outcome(access)) == [
        "ACCESS_UNKNOWN",
        "ACCESS_UNKNOWN",
        "",
    ]


def test_an_event_that_another_signed_is_refused_alone(desk: DutyDesk) -> None:
    first, second = desk.access(), desk.access()
    forged = desk.outcome(first, signed_by=OTHER_LENDER)
    assert desk.report(forged, desk.outcome(second)) == ["SIGNATURE_INVALID", ""]


def test_what_was_decided_before_the_access_or_later_than_now_is_refused(desk: DutyDesk) -> None:
    access = desk.access()
    early = desk.outcome(access, decided_at=to_timestamp(AT - timedelta(hours=1)))
    late = desk.outcome(access, decided_at=to_timestamp(AT + timedelta(hours=1)))
    assert desk.report(early, late) == ["STATEMENT_NOT_FRESH", "STATEMENT_NOT_FRESH"]


def test_an_event_that_says_too_little_or_too_much_cannot_be_made(desk: DutyDesk) -> None:
    nothing = Access(bytes(32), bytes(16), bytes(32))
    for fields in MALFORMED:
        with pytest.raises(StatementMalformedError):
            desk.outcome(nothing, **fields)


def test_what_is_owed_is_counted_and_shown_as_overdue_until_it_is_told(desk: DutyDesk) -> None:
    access, told = desk.access(), desk.access(desk.federation.subject("bob"))
    assert desk.report(desk.outcome(told)) == [""]
    assert (desk.due(), desk.overdue()) == ([], {})
    desk.federation.at += 20 * DAY
    assert desk.due() == [access.access_id]
    assert desk.due(OTHER_LENDER) == []
    desk.federation.at += 11 * DAY
    assert desk.overdue() == {LENDER: (2, 1)}
    assert [each.is_overdue(desk.federation.at) for each in desk.outcomes()] == [True]
    assert desk.report(desk.outcome(access)) == [""]
    assert (desk.due(), desk.overdue()) == ([], {LENDER: (2, 0)})
    assert [each.is_overdue(desk.federation.at) for each in desk.outcomes()] == [False]


def test_a_view_that_is_read_again_is_owed_once(desk: DutyDesk) -> None:
    granted = desk.desk.grant(desk.subject)
    request = desk.federation.view_request(granted)
    for _ in range(2):
        assert isinstance(desk.desk.ask(granted, request), v1.RequestViewResponse)
    desk.federation.at += 31 * DAY
    assert desk.overdue() == {LENDER: (1, 1)}


def test_a_check_of_listings_is_owed_and_an_account_review_only_where_it_is_told(
    desk: DutyDesk,
) -> None:
    answer = v1.ListingAnswer.FromString(desk.check().answer.payload)
    review = desk.access(
        purpose=Purpose.PURPOSE_ACCOUNT_REVIEW,
        mode=v1.ConsentMode.CONSENT_MODE_PERIODIC,
        frequency=v1.Frequency(uses=1, period=v1.Period.PERIOD_QUARTER),
        max_uses=4,
    )
    assert [(each.access_id, each.event) for each in desk.outcomes()] == [(answer.access_id, None)]
    assert desk.report(desk.outcome(review)) == [""]
    assert [each.due_by is None for each in desk.outcomes()] == [False, True]
    desk.federation.at += 31 * DAY
    assert desk.overdue() == {LENDER: (1, 1)}


def test_what_is_due_comes_in_pages_without_what_was_told(
    desk: DutyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duties, "PAGE", 2)
    accesses = []
    for number in range(7):
        accesses.append(desk.access(desk.federation.subject(f"person-{number}")))
        desk.federation.at += timedelta(hours=9)
    desk.report(desk.outcome(accesses[1]), desk.outcome(accesses[2]))
    desk.federation.at += 20 * DAY
    expected = [each.access_id for each in accesses if each not in accesses[1:3]]
    assert desk.due() == expected


def test_of_an_access_that_is_erased_nothing_is_owed_and_no_event_is_left(desk: DutyDesk) -> None:
    told, owed, kept = desk.access(), desk.access(), desk.access()
    desk.report(desk.outcome(told), desk.outcome(kept))
    ids = [told.access_id, owed.access_id]
    desk.desk.store.run(lambda c: duties.release_from(c, desk.subject.ref, ids))
    desk.federation.at += 31 * DAY
    assert desk.overdue() == {LENDER: (3, 0)}
    left = desk.desk.store.run(lambda c: c.execute(outcome_event.select()).all())
    assert [row.access_id for row in left] == [kept.access_id]


def test_after_an_erasure_with_its_log_openings_nothing_is_owed_either(desk: DutyDesk) -> None:
    access, kept = desk.access(), desk.access()

    def erase(connection: Connection) -> None:
        keys = [(access.subject_ref, access.access_id)]
        entries = [(row.sequence, row.record_id) for row in log.openings(connection, keys)]
        assert entries
        held = Holdings(accesses=[access.access_id], entries=entries)
        erase_holdings(connection, access.subject_ref, held, desk.federation.at)

    desk.desk.store.run(erase)
    desk.federation.at += 31 * DAY
    assert desk.due() == [kept.access_id]
    assert desk.overdue() == {LENDER: (2, 1)}


def test_the_regulators_month_tells_what_is_missing_and_what_nobody_reviewed(
    desk: DutyDesk,
) -> None:
    accesses = [desk.access() for _ in range(7)]
    refused: dict[str, Any] = {"outcome": NOT_GRANTED, "reasons": [HIGH_DEBT]}
    desk.report(*(desk.outcome(each, **refused) for each in accesses[:4]))
    reviewed: dict[str, Any] = {"reviewed_by_person": True, "reviewer_role": OFFICER}
    desk.report(desk.outcome(accesses[4], **refused, **reviewed))
    month = Period.month(f"{AT + duties.TERM:%Y-%m}")
    rows = desk.desk.store.run(lambda c: outcomes(Sources(c, month, 2, {})))
    told = {(row.member, cell.measure): cell for row in rows for cell in row.cells}
    assert told[LENDER, M.STATISTICS_MEASURE_OUTCOMES_DUE].count == 8
    assert told[LENDER, M.STATISTICS_MEASURE_OUTCOMES_MISSING].count == 2
    assert told[LENDER, M.STATISTICS_MEASURE_OUTCOMES_UNREVIEWED].count == 4


def test_many_missing_outcomes_step_a_lender_up_until_it_tells_them(desk: DutyDesk) -> None:
    desk.desk.gate.limits = desk.desk.gate.limits.model_copy(update={"least_outcomes": 1})
    access = desk.access()
    desk.federation.at += 31 * DAY
    (moved,) = desk.desk.store.run(lambda c: desk.desk.gate.evaluate(c, desk.federation.at))
    assert (moved.lender, moved.after.level.name) == (LENDER, "STEPPED_UP")
    assert [each.value for each in moved.after.signals] == ["missing_outcomes"]
    desk.report(desk.outcome(access))
    desk.federation.at += DAY
    desk.desk.store.run(lambda c: desk.desk.gate.evaluate(c, desk.federation.at))
    desk.federation.at += DAY
    desk.desk.store.run(lambda c: desk.desk.gate.evaluate(c, desk.federation.at))
    assert desk.overdue() == {LENDER: (1, 0)}
