# ruff: noqa: RUF001 - Chinese text uses full-width punctuation
"""A look-up reaches its subject by its date, whatever the regulator does and whatever the exchange does."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Connection

from clients.sdk.cases_custody import CollectedNotice, withheld
from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.errors import CATALOG
from concordat.statements import digest_of, seal
from concordat.trust.errors import SealInvalidError
from concordat.v1 import CaseScope, InboxKind, LogEntryKind, Reason
from concordat.verify.case_custody import combine, make_deposits
from concordat.verify.case_notice import open_case_notice
from concordat.verify.history import HistoryEntry
from exchange.log import table as log_table
from exchange.subjects.contact_table import subject_contact
from exchange.supervision.cases import table as case_table
from exchange.supervision.cases.wording import text_of
from exchange.vault.sealing import seal as seal_at_rest
from tests.builders import DAY, EXCHANGE, REGULATOR, Subject, signer
from tests.case_builders import OFFICERS, CaseHouse

TOLD = LogEntryKind.LOG_ENTRY_KIND_CASE_NOTICE


@pytest.fixture
def house() -> Iterator[CaseHouse]:
    house = CaseHouse()
    yield house
    house.close()


def notices(house: CaseHouse, person: Subject) -> list[v1.InboxMessage]:
    kind = InboxKind.INBOX_KIND_CASE_NOTICE
    return [message for message in house.inbox(person) if message.kind == kind]


def only(house: CaseHouse, *numbers: int) -> Callable[[str, bytes], bytes]:
    """Return a way to post that reaches these custodians alone."""
    hosts = {house.custodians[number].host for number in numbers}

    def post(url: str, body: bytes) -> bytes:
        if httpx.URL(url).host not in hosts:
            raise httpx.ConnectError("it is gone")
        return house.post(url, body)

    return post


def test_nothing_shows_before_the_date_and_all_of_it_after(house: CaseHouse) -> None:
    house.act()
    before = len(house.chain(house.ada))
    case = house.case(house.ada)
    seen = house.look_up(case)
    house.later(days=29, hours=23)
    assert house.deliver() == 0
    assert len(house.chain(house.ada)) == before  # the chain is as long as it was
    assert notices(house, house.ada) == []
    assert house.collect(house.ada).notices == []
    house.later(hours=1)
    assert house.deliver() == 1
    entry = house.chain(house.ada)[-1]
    assert entry.entry.kind == TOLD
    assert entry.record is not None
    assert entry.record.case_notice.index == seen.entry_index
    (message,) = notices(house, house.ada)
    assert REGULATOR in message.text
    assert "Banking Act Art. 12(3)" in message.text
    assert house.deliver() == 0  # once


def test_the_notice_arrives_with_the_regulator_gone_and_no_custodian_left(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.federation.suspend(REGULATOR)
    for custodian in house.custodians:
        custodian.away = True
    house.later(days=30)
    assert house.deliver() == 1
    (message,) = notices(house, house.ada)
    exchange = house.federation.member(EXCHANGE)
    opened, logged = open_case_notice(
        message.case_notice, exchange, house.federation.anchors, house.ada.ref
    )
    assert opened.message.receipt.index == logged.index
    assert logged.entry.kind == LogEntryKind.LOG_ENTRY_KIND_CASE_LOOK_UP
    assert logged.record.subject_ref == b""


def test_a_refused_attempt_reaches_its_subject_too(house: CaseHouse) -> None:
    reason = house.refused(house.case(house.bob, OFFICERS[:1]))
    house.later(days=30)
    assert house.deliver() == 1
    (message,) = notices(house, house.bob)
    said = v1.CaseNotice.FromString(message.case_notice.payload)
    assert said.refusal == reason == Reason.REASON_CASE_NOT_APPROVED
    assert "tried to look at your records" in message.text
    assert notices(house, house.ada) == []


def test_a_notice_is_in_the_language_that_its_subject_chose(house: CaseHouse) -> None:
    said = v1.ContactChange(language="zh-CN")
    contact = v1.Envelope(payload=said.SerializeToString()).SerializeToString()

    def choose(connection: Connection) -> None:
        sealed = seal_at_rest(connection, house.ada.ref, contact)
        row = {"subject_ref": house.ada.ref, "sequence": 1, "digest": bytes(32)}
        connection.execute(subject_contact.insert(), {**row, "envelope": sealed})

    house.desk.store.run(choose)
    house.look_up(house.case(house.ada, case_reference="FR/2026-77"))
    house.refused(house.case(house.ada, OFFICERS[:1]))
    house.later(days=30)
    house.deliver()
    looked, refused = notices(house, house.ada)
    assert looked.text.startswith(f"监管机构 {REGULATOR} 于 ")
    assert "案件编号：FR/2026-77" in looked.text
    assert "试图查看" in refused.text
    assert "两名审批人" in refused.text


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
@pytest.mark.parametrize("refusal", [Reason.REASON_UNSPECIFIED, *CATALOG])
def test_there_are_words_for_every_refusal_in_every_language(
    language: str, refusal: Reason.ValueType
) -> None:
    notice = v1.CaseNotice(regulator=REGULATOR, refusal=refusal, scopes=CaseScope.values()[1:])
    notice.looked_at.FromSeconds(1_780_272_000)
    notice.notice_at.FromSeconds(1_780_272_000)
    text = text_of(notice, language)
    assert REGULATOR in text
    assert "{" not in text
    assert len(text.splitlines()) == 12


def test_an_embargo_that_is_past_tells_of_the_next_look_up_at_once(house: CaseHouse) -> None:
    case = house.case(house.ada)
    house.look_up(case)
    house.later(days=40)
    house.look_up(case)
    assert house.deliver() == 2
    assert len(notices(house, house.ada)) == 2


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_any_two_custodians_open_it_while_the_exchange_withholds_it(
    house: CaseHouse, pair: tuple[int, int]
) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=30, minutes=2)
    collected = house.collect(house.ada, only(house, *pair))
    (found,) = collected.notices
    assert (found.notice.regulator, found.notice.subject_ref) == (REGULATOR, house.ada.ref)
    assert len(found.custodians) == 2
    chain = house.chain(house.ada)
    assert withheld(collected.notices, chain, house.federation.at) == [found]
    house.deliver()
    assert withheld(collected.notices, house.chain(house.ada), house.federation.at) == []


def test_a_notice_whose_entry_its_subject_had_erased_was_not_withheld(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=30, minutes=2)
    house.deliver()
    found = house.collect(house.ada).notices
    (told,) = (each for each in house.chain(house.ada) if each.record is not None)
    nothing_said = replace(told, record=None)
    kind = LogEntryKind.LOG_ENTRY_KIND_ERASURE_REQUEST
    asked = HistoryEntry(told.sequence + 1, told.index + 1, v1.LogEntry(kind=kind), None)
    assert withheld(found, [nothing_said, asked], house.federation.at) == []
    assert withheld(found, [nothing_said], house.federation.at) == found  # nobody asked for that


def test_one_custodian_alone_opens_nothing(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=31)
    collected = house.collect(house.ada, only(house, 1))
    assert collected.notices == []
    assert any("no two custodians" in fault for fault in collected.faults)


def test_two_custodians_before_the_date_give_out_nothing(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=29)
    assert house.collect(house.ada) == type(house.collect(house.ada))()


def test_nobody_collects_for_another_nor_in_anothers_name(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=31)
    assert house.collect(house.bob).notices == []
    sent: list[bytes] = []

    def spy(url: str, body: bytes) -> bytes:
        sent.append(body)
        return house.post(url, body)

    house.collect(house.ada, spy)
    with pytest.raises(httpx.HTTPStatusError, match="403"):  # one custodian asks another with it
        house.post(f"{house.custodians[1].url}/custody/collect", sent[0])


def test_an_older_key_collects_nothing_once_the_newer_has(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=31)
    newer = house.federation.subject("ada", version=2)
    assert len(house.collect(newer).notices) == 1
    assert house.collect(house.ada).notices == []


def test_a_custodian_that_gives_out_rubbish_spoils_nothing(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=31)

    def bent(url: str, body: bytes) -> bytes:
        return b"\xff" * 40 if house.custodians[0].host in url else house.post(url, body)

    assert len(house.collect(house.ada, bent).notices) == 1


def test_a_notice_that_says_otherwise_than_its_entry_is_not_believed(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=31)
    (found,) = house.collect(house.ada).notices
    for field, value in (("case_reference", "FR/OTHER"), ("legal_article", "Nothing 1")):
        said = v1.CaseNotice()
        said.CopyFrom(found.notice)
        setattr(said, field, value)
        assert _refused(house, seal(said, signer(EXCHANGE)))
    assert _refused(house, seal(found.notice, signer("stranger")))


def _refused(house: CaseHouse, notice: v1.Envelope) -> bool:
    exchange, anchors = house.federation.member(EXCHANGE), house.federation.anchors
    with pytest.raises(Refusal):
        open_case_notice(notice, exchange, anchors, house.ada.ref)
    return True


def test_custodians_keep_only_what_the_exchange_signed_and_for_themselves(house: CaseHouse) -> None:
    fed = house.federation
    names = [custodian.name for custodian in house.custodians]
    notice = house.ada.binding
    deposits = make_deposits(notice, house.ada.ref, names, fed.at + DAY, fed.name, fed.at)
    licence = fed.member(EXCHANGE).licence_envelope
    good = _body(seal(deposits[0], signer(EXCHANGE)), licence)
    for body in (
        _body(seal(deposits[0], signer(REGULATOR)), licence),
        _body(seal(deposits[0], signer(REGULATOR)), fed.member(REGULATOR).licence_envelope),
        _body(seal(deposits[1], signer(EXCHANGE)), licence),
        _body(seal(_late(deposits[0], fed.at + 200 * DAY), signer(EXCHANGE)), licence),
    ):
        with pytest.raises(httpx.HTTPStatusError, match="403"):
            house.post(f"{house.custodians[0].url}/custody", body)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        house.post(f"{house.custodians[0].url}/custody", b"rubbish")
    first = house.post(f"{house.custodians[0].url}/custody", good)
    assert house.post(f"{house.custodians[0].url}/custody", good) == first
    other = _body(seal(_late(deposits[0], fed.at + 2 * DAY), signer(EXCHANGE)), licence)
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        house.post(f"{house.custodians[0].url}/custody", other)
    receipt = v1.CustodyReceipt.FromString(v1.Envelope.FromString(first).payload)
    assert receipt.deposit_digest == digest_of(v1.KeepCustodyRequest.FromString(good).deposit)


def _body(deposit: v1.Envelope, licence: v1.Envelope) -> bytes:
    return v1.KeepCustodyRequest(deposit=deposit, licence=licence).SerializeToString()


def _late(deposit: v1.CustodyDeposit, opens: object) -> v1.CustodyDeposit:
    bent = v1.CustodyDeposit()
    bent.CopyFrom(deposit)
    bent.opens_at.CopyFrom(to_timestamp(opens))  # type: ignore[arg-type]  # a datetime
    return bent


def test_one_custodians_deposit_tells_nothing_of_key_or_subject(house: CaseHouse) -> None:
    fed, names = house.federation, ["one", "two", "three"]
    notice = house.ada.binding
    made = make_deposits(notice, house.ada.ref, names, fed.at, fed.name, fed.at)
    for deposit in made:
        assert house.ada.ref not in deposit.SerializeToString()
        with pytest.raises(SealInvalidError):
            combine([deposit])
        with pytest.raises(SealInvalidError):
            combine([deposit, deposit])
    assert combine(made[:2]) == combine(made[1:]) == combine([made[0], made[2]]) == notice
    keys = {bytes(a ^ b for a, b in zip(x.share, y.share, strict=True)) for x, y in _pairs(made)}
    assert len(keys) == 1  # each pair's halves are the one key, and no single share is
    assert not keys & {share.share for deposit in made for share in deposit.shares}


def _pairs(
    made: list[v1.CustodyDeposit],
) -> Iterator[tuple[v1.CustodyShare, v1.CustodyShare]]:
    for one in made:
        for share in one.shares:
            other = next(each for each in made if each.custodian == share.other)
            yield share, next(each for each in other.shares if each.other == one.custodian)


def test_the_timer_goes_on_when_the_log_is_slow(
    house: CaseHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=31)

    async def too_slow(keys: list[object], seconds: float) -> list[Refusal]:
        del seconds
        return [Refusal(Reason.REASON_LOG_UNAVAILABLE) for _ in keys]

    with monkeypatch.context() as patch:
        patch.setattr(house.desk.book, "receipts", too_slow)
        assert asyncio.run(house.office.deliver(house.federation.at)) == 0
    assert house.deliver() == 1


def test_a_notice_is_not_withheld_in_its_first_minute(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=30)
    found: list[CollectedNotice] = house.collect(house.ada).notices
    assert found
    assert withheld(found, [], house.federation.at + timedelta(seconds=59)) == []


def test_a_notice_that_nothing_opens_any_more_keeps_no_other_waiting(house: CaseHouse) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=30)
    house.settle()
    places = [(b"", row.sequence) for row in house.desk.store.run(_sealed)]
    house.desk.store.run(lambda connection: log_table.erase(connection, places, bytes(16)))
    house.refused(house.case(house.bob, OFFICERS[:1]))
    house.later(days=30)
    assert house.deliver() == 1
    assert len(notices(house, house.bob)) == 1
    due = house.desk.store.run(lambda c: case_table.due(c, house.federation.at, 9))
    assert due == []


def _sealed(connection: Connection) -> list[log_table.Opening]:
    return [row for row in log_table.openings_from(connection, 0) if row.subject_ref == b""]
