"""A subject's report: all that the exchange has, signed, logged, page by page."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.trust.envelope import validate
from concordat.v1 import DisputeStage, FlagKind, RulingOutcome
from exchange.log import records
from exchange.log import table as log_table
from exchange.subjects import report_pages as pages_module
from exchange.subjects import reports
from exchange.subjects.report_accesses import ACCESS_KINDS, ChainEntry, reported_accesses
from exchange.subjects.settings import SubjectsSettings
from tests.builders import AT, DAY, LENDER, REGULATOR
from tests.exchange_builders import ExchangeDesk
from tests.exchange_services import reason_of, subject_request
from tests.listing_builders import APPEAL_BODY, FURNISHER, REVIEWER, digest
from tests.listing_desk import ListingDesk
from tests.rights_builders import REPORT, report_pages

REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk(ExchangeDesk(subjects_settings=SubjectsSettings(reports_per_day=3)))
    yield desk
    desk.close()


def test_a_report_has_listings_disputes_consents_accesses_flags_and_where_to_complain(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_REJECTED)
    desk.check()
    desk.flag(FlagKind.FLAG_KIND_FRAUD_ALERT, placed=True, sequence=1)
    (report,) = report_pages(desk)
    validate(report)
    (own,) = report.listings
    assert own == desk.own().listings[0]
    kinds = [step.statement.payload_type.split(".")[2] for step in own.steps]
    assert {"listing-filing", "dispute", "ruling"} <= set(kinds)
    assert report.flags.fraud_alert
    (consent,) = report.consents
    (access,) = [each for each in report.accesses if each.releases]
    assert access.member == LENDER
    assert access.consent_id == v1.Consent.FromString(consent.consent.payload).consent_id
    assert (access.listings, access.refusal) == (1, 0)
    assert list(access.categories) == [v1.DataCategory.DATA_CATEGORY_LISTINGS]
    bodies = {body.member_id for body in report.complain_to}
    assert {REVIEWER, APPEAL_BODY} <= bodies
    assert FURNISHER not in bodies
    (limits,) = report.limits
    assert (limits.profile, limits.notice.days) == ("eu", 30)


def test_a_refused_attempt_is_in_the_report_with_its_reason(desk: ListingDesk) -> None:
    desk.flag(FlagKind.FLAG_KIND_FREEZE, placed=True, sequence=1)
    with pytest.raises(Refusal):
        desk.check()
    (report,) = report_pages(desk)
    (access,) = report.accesses
    assert access.refusal == v1.Reason.REASON_SUBJECT_FROZEN
    assert not access.releases
    assert report.flags.frozen


def test_what_monitoring_told_a_lender_is_an_access_and_so_is_a_case_once_it_is_told() -> None:
    subject, case_id = bytes(32), bytes([7]) * 16
    entries = [
        ChainEntry(
            1, 10, record(1, monitoring=v1.MonitoringAct(lender=LENDER, consent_id=case_id))
        ),
        ChainEntry(2, 20, record(2, case_notice=v1.CaseNoticeAct(record_id=case_id, index=5))),
        ChainEntry(3, 30, record(3, case_notice=v1.CaseNoticeAct(record_id=bytes(16), index=6))),
    ]
    look_up = v1.CaseLookUp(regulator=REGULATOR, subject_ref=subject, legal_article="art. 9")
    cases = {case_id: record(4, case_look_up=look_up)}
    found = [access for _, access in reported_accesses(entries, cases)]
    assert [(each.member, each.log_index) for each in found] == [(LENDER, 10), (REGULATOR, 20)]
    assert found[1].legal_article == "art. 9"


def record(number: int, **act: Any) -> v1.LogRecord:
    return v1.LogRecord(record_id=bytes([number]) * 16, recorded_at=to_timestamp(AT), **act)


def test_each_page_of_a_report_is_logged_and_the_next_report_says_nothing_of_looks(
    desk: ListingDesk,
) -> None:
    report_pages(desk)
    records = [record for record in desk.history() if record.WhichOneof("act") == "report"]
    assert len(records) == 1
    (report,) = report_pages(desk)
    assert list(report.accesses) == []


def test_a_long_report_comes_page_by_page_and_each_part_once(
    desk: ListingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "PAGE_BYTES", 1_000)
    desk.file_all(*(desk.filing(debt_commitment=digest(f"debt {n}")) for n in range(9)))
    granted = [desk.consent() for _ in range(3)]
    for each in granted:
        desk.grant(each)
    desk.check()
    whole = report_pages(desk)
    assert len(whole) > 3
    listings = [own.listing_id for page in whole for own in page.listings]
    assert listings == sorted(set(listings))
    assert len(listings) == 9
    assert sum(len(page.consents) for page in whole) == 4
    assert sum(len(page.accesses) for page in whole) == 1
    assert [page.after for page in whole[1:]] == [page.next for page in whole[:-1]]


def test_a_page_opens_no_more_of_the_chain_than_it_tells_of_and_what_is_behind(
    desk: ListingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.file_all(*(desk.filing(debt_commitment=digest(f"debt {n}")) for n in range(9)))
    for _ in range(6):
        desk.check()
    whole = report_pages(desk, desk.asked(REPORT))
    opened: list[int] = []
    unsealed, page_of = log_table._unsealed, pages_module.report_page

    def noting(connection: Connection, rows: Any) -> list[log_table.Opening]:
        found = unsealed(connection, rows)
        opened[-1] += len(found)
        return found

    def beginning(*given: Any) -> v1.SubjectReport:
        opened.append(0)
        return page_of(*given)

    monkeypatch.setattr(pages_module, "PAGE_BYTES", 200)
    monkeypatch.setattr(log_table, "_unsealed", noting)
    monkeypatch.setattr(reports, "report_page", beginning)
    pages = report_pages(desk, desk.asked(REPORT))
    assert [each for page in pages for each in page.accesses] == list(whole[0].accesses)
    of_accesses = [n for n, page in zip(opened, pages, strict=True) if page.accesses]
    assert len(of_accesses) > 2
    assert of_accesses == sorted(set(of_accesses), reverse=True)
    assert not any(n for n, page in zip(opened, pages, strict=True) if page.next[:1] == b"\x00")


def test_every_act_that_is_told_as_an_access_stands_in_an_entry_of_their_kinds() -> None:
    result = (bytes(32), bytes(16), v1.Reason.REASON_UNSPECIFIED, 0)
    drafts = (
        *records.screenings(v1.ScreenRequest(lender=LENDER), bytes(32), [result], AT),
        records.monitoring(LENDER, bytes(32), bytes(16), AT),
        records.case_notice(bytes(32), bytes(16), 1, bytes(16), AT),
    )
    assert {each.kind for each in drafts} < ACCESS_KINDS


def test_reports_are_limited_by_the_day_and_pages_do_not_count(desk: ListingDesk) -> None:
    asked = desk.asked(REPORT)
    for _ in range(5):
        report_pages(desk, asked)
    report_pages(desk)
    report_pages(desk)
    assert reason_of(partial(report_pages, desk)) == "QUOTA_EXCEEDED"
    desk.pass_time(DAY * 2)
    report_pages(desk)


def test_nobody_else_gets_a_report(desk: ListingDesk) -> None:
    bob = desk.federation.subject("bob")
    ask = v1.RequestReportRequest(
        request=subject_request(desk.federation, bob, query=REPORT), binding=desk.subject.binding
    )
    assert reason_of(partial(desk.call, desk.subjects.RequestReport, ask)) == "SIGNATURE_INVALID"
    other = v1.RequestReportRequest(
        request=desk.asked(v1.SubjectQuery.SUBJECT_QUERY_LISTINGS), binding=desk.subject.binding
    )
    assert reason_of(partial(desk.call, desk.subjects.RequestReport, other)) != ""


def test_behind_the_last_place_of_all_there_is_nothing(desk: ListingDesk) -> None:
    desk.check()
    request = v1.RequestReportRequest(
        request=desk.asked(REPORT), binding=desk.subject.binding, after=b"\x02" + b"\xff" * 16
    )
    envelope = desk.call(desk.subjects.RequestReport, request).report
    assert not v1.SubjectReport.FromString(envelope.payload).accesses


def test_a_place_that_no_page_named_is_refused(desk: ListingDesk) -> None:
    for after in (b"\x00", b"\x09" + bytes(16)):
        request = v1.RequestReportRequest(
            request=desk.asked(REPORT), binding=desk.subject.binding, after=after
        )
        assert (
            reason_of(partial(desk.call, desk.subjects.RequestReport, request)) == "MESSAGE_INVALID"
        )
    assert desk.own().listings == []
