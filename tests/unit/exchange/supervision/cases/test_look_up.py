"""A case look-up: what is refused, what is logged, what is released, and to whom it is told."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import cosign, digest_of
from concordat.trust.envelope import validate
from concordat.v1 import CaseScope, Reason
from concordat.verify.case import require_one_subject
from concordat.verify.mismatch import MismatchError
from exchange.supervision import bounds
from exchange.supervision.bounds import Bounded
from exchange.supervision.cases import table
from exchange.supervision.statistics import table as statistics
from exchange.supervision.statistics.counting import Series
from tests.builders import DAY, LENDER, REGULATOR, signer
from tests.case_builders import OFFICERS, SECONDS, CaseHouse, approver_keys


@pytest.fixture(scope="module")
def shared() -> Iterator[CaseHouse]:
    house = CaseHouse()
    yield house
    house.close()


@pytest.fixture
def house(shared: CaseHouse) -> Iterator[CaseHouse]:
    shared.federation.at = max(shared.federation.at, shared.started)
    yield shared
    for custodian in shared.custodians:
        custodian.away = False


def last(house: CaseHouse) -> v1.CaseLookUp:
    return house.sealed()[-1].case_look_up


def test_a_case_that_two_officers_approved_is_answered_and_verifies(house: CaseHouse) -> None:
    granted, _ = house.act()
    case = house.case(house.ada)
    seen = house.look_up(case)
    assert {each.lender for each in seen.page.accesses} == {LENDER}
    assert {each.consent_id for each in seen.page.accesses} == {granted.consent.consent_id}
    assert [bool(each.refusal) for each in seen.page.accesses].count(True) == 2
    consents = house.look_up(case, scope=CaseScope.CASE_SCOPE_CONSENTS).page.consents
    assert [each.consent for each in consents] == [granted.envelope]
    assert not house.look_up(case, scope=CaseScope.CASE_SCOPE_LISTINGS).page.listings
    assert last(house).scopes == [CaseScope.CASE_SCOPE_LISTINGS]
    assert last(house).case_digest == digest_of(case)


@pytest.mark.parametrize(
    "approvers",
    [
        (),
        (OFFICERS[0],),
        (OFFICERS[0], OFFICERS[0]),
        (OFFICERS[0], "stranger"),
        (OFFICERS[0], REGULATOR),
    ],
    ids=["none", "one", "one twice", "one and a stranger", "one and who calls"],
)
def test_fewer_than_two_approvers_are_refused_logged_and_told(
    house: CaseHouse, approvers: tuple[str, ...]
) -> None:
    case = house.case(house.bob, approvers)
    validate(house.request(case))  # no bound keeps the attempt from where it is logged
    assert house.refused(case) == Reason.REASON_CASE_NOT_APPROVED
    refused = last(house)
    assert refused.refusal == Reason.REASON_CASE_NOT_APPROVED
    assert (refused.regulator, refused.subject_ref) == (REGULATOR, house.bob.ref)


def test_a_signature_more_than_two_changes_nothing(house: CaseHouse) -> None:
    case = house.case(house.ada, OFFICERS)
    cosign(case, signer("stranger"))
    assert house.look_up(case).page.subject_ref == house.ada.ref


def test_a_case_is_refused_at_its_end_and_after(house: CaseHouse) -> None:
    at = house.federation.at
    over = house.case(
        house.bob,
        issued_at=to_timestamp(at - DAY),
        ends_at=to_timestamp(at),
        notice_at=to_timestamp(at),
    )
    assert house.refused(over) == Reason.REASON_CASE_ENDED
    assert last(house).refusal == Reason.REASON_CASE_ENDED


def test_a_request_that_lay_about_for_two_weeks_begins_no_case(house: CaseHouse) -> None:
    issued = house.federation.at - 14 * DAY - timedelta(seconds=1)
    stale = house.case(house.bob, issued_at=to_timestamp(issued))
    assert house.refused(stale) == Reason.REASON_CASE_ENDED


@pytest.mark.parametrize(
    "days",
    [{"ends_at": 366}, {"notice_at": 181, "ends_at": 200}, {"notice_at": 91}, {"notice_at": -1}],
)
def test_a_case_or_an_embargo_that_is_too_long_is_refused(
    house: CaseHouse, days: dict[str, int]
) -> None:
    at = house.federation.at
    fields: dict[str, Any] = {k: to_timestamp(at + v * DAY) for k, v in days.items()}
    wide = house.case(house.bob, **fields)
    assert house.refused(wide) == Reason.REASON_CASE_TOO_WIDE
    told = last(house).notice_at.ToDatetime(UTC)
    assert at <= told <= at + 180 * DAY


def test_a_scope_that_the_case_does_not_name_is_refused(house: CaseHouse) -> None:
    case = house.case(house.bob, scopes=[CaseScope.CASE_SCOPE_CONSENTS])
    assert house.refused(case) == Reason.REASON_CASE_TOO_WIDE


@pytest.mark.parametrize("shares", ["case_reference", "case_id"])
def test_a_second_subject_under_one_reference_or_id_is_refused(
    house: CaseHouse, shares: str
) -> None:
    first = house.case(house.ada)
    house.look_up(first)
    said = v1.CaseRequest.FromString(first.payload)
    second = house.case(house.bob, **{shares: getattr(said, shares)})
    assert house.refused(second) == Reason.REASON_CASE_OTHER_SUBJECT
    assert last(house).subject_ref == house.bob.ref


def test_a_reference_is_never_used_for_a_second_case(house: CaseHouse) -> None:
    first = house.case(house.ada)
    house.look_up(first)
    reference = v1.CaseRequest.FromString(first.payload).case_reference
    again = house.case(house.ada, case_reference=reference)
    assert house.refused(again) == Reason.REASON_CASE_ENDED


def test_a_case_is_not_prolonged_under_its_own_id(house: CaseHouse) -> None:
    first = house.case(house.ada)
    house.look_up(first)
    longer = v1.CaseRequest.FromString(first.payload)
    longer.ends_at.CopyFrom(to_timestamp(house.federation.at + 200 * DAY))
    fields = {field.name: getattr(longer, field.name) for field, _ in longer.ListFields()}
    assert house.refused(house.case(house.ada, **fields)) == Reason.REASON_REPLAYED_WITH_OTHER_BYTES


def test_what_is_not_the_regulators_own_signature_is_refused_and_logged(house: CaseHouse) -> None:
    request = house.request(house.case(house.bob), signed_by=LENDER)
    assert house.refused(request) == Reason.REASON_SIGNATURE_INVALID
    assert last(house).refusal == Reason.REASON_SIGNATURE_INVALID


def test_an_old_request_is_refused(house: CaseHouse) -> None:
    request = house.request(house.case(house.ada))
    house.later(minutes=6)
    assert house.refused(request) == Reason.REASON_STATEMENT_NOT_FRESH


def test_more_signatures_than_a_statement_may_have_are_counted_by_nobody(house: CaseHouse) -> None:
    case = house.case(house.bob, OFFICERS[:1])
    for number in range(16):
        cosign(case, signer(f"stranger {number}"))
    request = house.request(case)
    validate(request)
    assert house.refused(request) == Reason.REASON_STATEMENT_MALFORMED
    assert last(house).refusal == Reason.REASON_STATEMENT_MALFORMED


def test_a_malformed_case_cannot_hide_the_attempt(house: CaseHouse) -> None:
    case = v1.CaseRequest(subject_ref=house.bob.ref, legal_article="x" * 500)
    envelope = house.case(house.bob)
    envelope.payload = case.SerializeToString()
    request = house.request(house.case(house.bob))
    request.case.CopyFrom(envelope)
    assert house.refused(request) == Reason.REASON_STATEMENT_MALFORMED
    refused = last(house)
    assert (refused.subject_ref, refused.legal_article) == (house.bob.ref, "")
    assert refused.notice_at == to_timestamp(house.federation.at)  # it names no time: at once


def test_a_repeated_look_up_reads_the_same_answer_and_counts_once(house: CaseHouse) -> None:
    request = house.request(house.case(house.ada))
    first = house.ask_case(request)
    entries, spent = len(house.sealed()), _spent(house)
    house.act()  # what happens meanwhile is not in it
    assert house.ask_case(request) == first
    assert (len(house.sealed()), _spent(house)) == (entries, spent)


def test_the_same_id_for_another_look_up_is_refused(house: CaseHouse) -> None:
    request = house.request(house.case(house.ada))
    house.ask_case(request)
    used = v1.CaseLookUpRequest.FromString(request.request.payload).look_up_id
    other = house.request(house.case(house.bob), look_up_id=used)
    assert house.refused(other) == Reason.REASON_REPLAYED_WITH_OTHER_BYTES


def test_an_answer_holds_nobody_else(house: CaseHouse) -> None:
    house.act(house.ada)
    theirs, _ = house.act(house.bob)
    seen = house.look_up(house.case(house.ada), scope=CaseScope.CASE_SCOPE_CONSENTS)
    assert theirs.envelope not in [each.consent for each in seen.page.consents]
    seen.page.consents.append(v1.ConsentRecord(consent=theirs.envelope))
    with pytest.raises(MismatchError):
        require_one_subject(seen.page, house.ada.ref)


def test_pages_follow_each_other_without_gaps(
    house: CaseHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        house.act()
    case = house.case(house.ada)
    whole = house.look_up(case).page.accesses
    monkeypatch.setattr("exchange.supervision.cases.pages.ACCESSES", 2)
    seen, after = list[v1.CaseAccess](), b""
    while True:
        answered = house.look_up(case, after=after)
        seen += answered.page.accesses
        if not (after := answered.answer.cursor):
            break
    assert seen == list(whole)
    assert len(seen) > 4


def test_an_entry_waits_for_custody_and_nothing_goes_out_without_it(house: CaseHouse) -> None:
    for custodian in house.custodians[1:]:
        custodian.away = True
    request, spent = house.request(house.case(house.ada)), _spent(house)
    assert house.refused(request) == Reason.REASON_NOTICE_NOT_HELD
    entries = len(house.sealed())
    assert _spent(house) == spent  # refused ones do not count
    house.custodians[1].away = False
    assert house.check(request, house.ask_case(request)).page.subject_ref == house.ada.ref
    assert (len(house.sealed()), _spent(house)) == (entries, spent + 1)


@pytest.mark.parametrize("hasty_first", [True, False], ids=["hasty first", "hasty last"])
def test_a_look_up_that_is_sent_twice_at_once_with_a_short_deadline_counts(
    house: CaseHouse, hasty_first: bool
) -> None:
    request, spent = house.request(house.case(house.ada)), _spent(house)
    hold, waiting = house.cases.custodians.hold, asyncio.Event()
    regulator, at = house.federation.member(REGULATOR), house.federation.at

    async def held(*given: Any) -> list[v1.Envelope]:
        hasty = given[-1] < SECONDS / 2
        if hasty != hasty_first:
            await waiting.wait()
        try:
            if hasty:
                raise Refusal(Reason.REASON_NOTICE_NOT_HELD)
            return await hold(*given)
        finally:
            asyncio.get_running_loop().call_later(0.1, waiting.set)

    async def both() -> list[v1.LookUpCaseResponse | BaseException]:
        custodians = Mock(wraps=house.cases.custodians, hold=held)
        desk = replace(house.cases, custodians=custodians)
        asked = (desk.answer(request, regulator, at, seconds) for seconds in (SECONDS, 2.0))
        return await asyncio.gather(*asked, return_exceptions=True)

    answered, refused = asyncio.run(both())
    assert isinstance(refused, Refusal)
    assert isinstance(answered, v1.LookUpCaseResponse)
    assert _spent(house) == spent + 1
    assert house.ask_case(request) == answered
    assert _spent(house) == spent + 1


def test_without_custodians_nobody_is_looked_up() -> None:
    lone = CaseHouse(custodians=1)
    try:
        assert lone.refused(lone.case(lone.ada)) == Reason.REASON_NOTICE_NOT_HELD
        assert last(lone).refusal == Reason.REASON_NOTICE_NOT_HELD
    finally:
        lone.close()


def test_the_budget_of_a_month_is_all_regulators_and_refused_ones_do_not_count() -> None:
    house = CaseHouse(custodians=2, per_month=2)
    try:
        case = house.case(house.ada)
        assert house.refused(house.case(house.ada, OFFICERS[:1])) == Reason.REASON_CASE_NOT_APPROVED
        first = house.request(case)
        house.ask_case(first)
        house.ask_case(first)
        house.look_up(case)
        with pytest.raises(Refusal) as spent:
            house.ask_case(house.request(case))
        assert spent.value.reason == Reason.REASON_CASE_BUDGET_SPENT
        july = datetime(2026, 7, 1, tzinfo=UTC)
        assert spent.value.retry_after == july - house.federation.at
        house.federation.at = july
        assert house.look_up(case).page.subject_ref == house.ada.ref
    finally:
        house.close()


def test_a_look_up_that_was_not_held_is_refused_however_often_it_is_repeated_over_a_spent_budget() -> (
    None
):
    house = CaseHouse(custodians=2, per_month=1)
    try:
        case = house.case(house.ada)
        waiting = house.request(case)
        house.custodians[1].away = True
        assert house.refused(waiting) == Reason.REASON_NOTICE_NOT_HELD
        house.custodians[1].away = False
        house.ask_case(house.request(case))
        for _ in range(3):
            assert house.refused(waiting) == Reason.REASON_CASE_BUDGET_SPENT
        assert _spent(house) == 1
    finally:
        house.close()


def test_a_case_ends_with_the_key_of_an_officer_who_approved_it() -> None:
    house = CaseHouse(custodians=2)
    try:
        case = house.case(house.ada, OFFICERS[:2])
        request = house.request(case)
        house.ask_case(request)
        left = approver_keys(house.federation)[1:]
        house.federation.enrol(REGULATOR, v1.Role.ROLE_REGULATOR, version=3, approvers=left)
        assert house.refused(case) == Reason.REASON_CASE_NOT_APPROVED
        assert house.refused(request) == Reason.REASON_CASE_NOT_APPROVED
    finally:
        house.close()


def _spent(house: CaseHouse) -> int:
    return house.desk.store.run(lambda connection: table.hold_month(connection, 202606))


def test_after_too_many_refused_attempts_nothing_more_is_looked_at_nor_entered_that_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(bounds.PER_DAY, Bounded.REFUSED_LOOK_UP, 3)
    house = CaseHouse(custodians=2)
    try:
        lawful, unapproved = house.case(house.ada), house.case(house.bob, OFFICERS[:1])
        for _ in range(3):
            assert house.refused(unapproved) == Reason.REASON_CASE_NOT_APPROVED
        with pytest.raises(Refusal) as stopped:
            house.ask_case(house.request(lawful))
        assert stopped.value.reason == Reason.REASON_QUOTA_EXCEEDED
        tomorrow = datetime(2026, 6, 2, tzinfo=UTC)
        assert stopped.value.retry_after == tomorrow - house.federation.at
        for case in (lawful, unapproved):
            assert house.refused(case) == Reason.REASON_QUOTA_EXCEEDED
        entered = [each.case_look_up.refusal for each in house.sealed()]
        # That the bound was reached is entered once, and told to the subject; all of it is counted.
        assert entered == [Reason.REASON_CASE_NOT_APPROVED] * 3 + [Reason.REASON_QUOTA_EXCEEDED]
        assert _refused_attempts(house) == 6
        house.federation.at = tomorrow
        assert house.look_up(lawful).page.subject_ref == house.ada.ref
    finally:
        house.close()


def test_look_ups_that_nobody_held_fill_the_log_no_further_than_refused_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(bounds.PER_DAY, Bounded.REFUSED_LOOK_UP, 2)
    house = CaseHouse(custodians=2)
    try:
        case = house.case(house.ada)
        house.custodians[1].away = True
        for _ in range(2):
            assert house.refused(case) == Reason.REASON_NOTICE_NOT_HELD
        house.custodians[1].away = False
        assert house.refused(case) == Reason.REASON_QUOTA_EXCEEDED
        assert len(house.sealed()) == 3
    finally:
        house.close()


def test_a_look_up_that_nobody_held_counts_once_however_often_it_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(bounds.PER_DAY, Bounded.REFUSED_LOOK_UP, 2)
    house = CaseHouse(custodians=2)
    try:
        waiting = house.request(house.case(house.ada))
        house.custodians[1].away = True
        for _ in range(3):
            assert house.refused(waiting) == Reason.REASON_NOTICE_NOT_HELD
        house.custodians[1].away = False
        house.ask_case(waiting)
        another_desks = house.case(house.bob)
        assert house.look_up(another_desks).page.subject_ref == house.bob.ref
        assert len(house.sealed()) == 2
    finally:
        house.close()


def test_a_look_up_that_was_sent_twice_at_once_gets_round_no_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(bounds.PER_DAY, Bounded.REFUSED_LOOK_UP, 1)
    house = CaseHouse(custodians=2)
    try:
        case = house.case(house.ada)
        house.custodians[1].away = True
        monkeypatch.setattr(table, "take_out", lambda *_: False)  # its twin was first
        assert house.refused(case) == Reason.REASON_NOTICE_NOT_HELD
        assert house.refused(case) == Reason.REASON_QUOTA_EXCEEDED
    finally:
        house.close()


def _refused_attempts(house: CaseHouse) -> int:
    found = house.desk.store.run(lambda c: statistics.counted(c, Series.CASE, (0, 99_999)))
    return found[REGULATOR][v1.StatisticsMeasure.STATISTICS_MEASURE_REFUSED]
