"""A regulator's answer that is another's is not believed; what an exchange withheld is kept as evidence."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.sdk.accesses import AccessList
from clients.sdk.cases import LookUpOrder, approve_case, check_answer
from clients.sdk.cases_custody import custodians_of, withheld
from clients.sdk.cases_notices import keep_withheld, read_notices
from clients.sdk.errors import AnswerNotVerified, ClientError
from clients.sdk.flow import Port
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from concordat import v1
from concordat.federation.anchors import Anchors, TrustBundleError
from concordat.refusal import Refusal
from concordat.rpc.tls import TlsIdentity
from concordat.statements import seal
from concordat.trust.checkpoint import open_checkpoint
from concordat.v1 import CaseScope, Reason
from concordat.verify.case_custody import open_deposit
from concordat.verify.history import Kept
from tests.builders import EXCHANGE, LENDER, REGULATOR, Federation, signer
from tests.case_builders import OFFICERS, CaseHouse, approver_keys


@pytest.fixture(scope="module")
def house() -> Iterator[CaseHouse]:
    house = CaseHouse()
    yield house
    house.close()


def book_of(house: CaseHouse) -> MemberBook:
    book = MemberBook(house.federation.anchors, Port.MEMBER)
    book.directory = house.federation.directory
    return book


def test_an_answer_is_checked_against_what_was_asked(house: CaseHouse) -> None:
    identity = MemberIdentity(REGULATOR, signer(REGULATOR), TlsIdentity(b"", b""))
    case = house.case(house.ada)
    scope, name = CaseScope.CASE_SCOPE_CONSENTS, house.federation.name
    request = LookUpOrder(identity, name, case, scope).signed(house.federation.at)
    response, at = house.ask_case(request), house.federation.at
    seen = check_answer(request, response, book_of(house), REGULATOR, at)
    assert seen.page.subject_ref == house.ada.ref
    other = house.ask_case(house.request(house.case(house.bob)))
    with pytest.raises(AnswerNotVerified):
        check_answer(request, other, book_of(house), REGULATOR, at)
    for bend in (
        v1.LookUpCaseResponse(page=response.page + b"\x22\x00"),
        v1.LookUpCaseResponse(entry=other.entry),
        v1.LookUpCaseResponse(answer=seal(seen.answer, signer(LENDER))),
    ):
        bent = v1.LookUpCaseResponse()
        bent.CopyFrom(response)
        for changed, _ in bend.ListFields():
            bent.ClearField(changed.name)  # type: ignore[arg-type]  # a field of it
        bent.MergeFrom(bend)
        with pytest.raises(AnswerNotVerified):
            check_answer(request, bent, book_of(house), REGULATOR, at)


def test_one_officer_approves_once(house: CaseHouse) -> None:
    case = house.case(house.ada, OFFICERS[:1])
    with pytest.raises(ClientError, match="already"):
        approve_case(case, signer(OFFICERS[0]))
    approve_case(case, signer(OFFICERS[2]))
    assert house.look_up(case).page.subject_ref == house.ada.ref


def test_what_was_withheld_is_kept_with_all_that_proves_it(
    house: CaseHouse, tmp_path: Path
) -> None:
    house.look_up(house.case(house.ada))
    house.later(days=31)
    told = house.ask(house.ada)
    checkpoint = open_checkpoint(told.answer.checkpoint, house.federation.anchors.log)
    listed = AccessList((), checkpoint, told.answer.history, Kept(), 0)
    missing = withheld(house.collect(house.ada).notices, (), house.federation.at)
    place = keep_withheld(tmp_path, missing, listed)
    kept = {path.name: path.read_bytes() for path in place.iterdir()}
    assert {"access-history.env", "checkpoint", "notice-1.env"} <= set(kept)
    deposits = [raw for name, raw in kept.items() if name.startswith("notice-1-custodian-")]
    assert len(deposits) == 3
    for raw in deposits:  # each verifies alone, for whoever is shown it
        held = v1.KeepCustodyRequest.FromString(raw)
        open_deposit(held, house.federation.anchors, house.federation.at)
    assert keep_withheld(tmp_path, missing, listed).name == "2"


def test_a_message_without_its_statement_is_told_as_such(house: CaseHouse) -> None:
    house.look_up(house.case(house.bob))
    house.later(days=31)
    house.deliver()
    messages = house.inbox(house.bob)
    exchange, anchors = house.federation.member(EXCHANGE), house.federation.anchors
    notices = read_notices(messages, exchange, anchors, house.bob.ref).notices
    assert len(notices) == len(messages)
    assert read_notices(messages, exchange, anchors, house.ada.ref).faults
    messages[0].ClearField("case_notice")
    assert read_notices(messages, exchange, anchors, house.bob.ref).faults


def test_urls_and_witnesses_of_the_trust_bundle_go_together(house: CaseHouse) -> None:
    bundle = v1.TrustBundle()
    bundle.CopyFrom(house.federation.bundle)
    assert [name for name, _ in custodians_of(Anchors.of(bundle))] == [
        custodian.name for custodian in house.custodians
    ]
    del bundle.witness_urls[0]
    with pytest.raises(TrustBundleError):
        Anchors.of(bundle)


def test_only_a_regulator_has_approvers_and_none_is_who_calls_for_it() -> None:
    federation, role = Federation(), v1.Role
    keys = approver_keys(federation)
    own = v1.SigningKey()
    own.CopyFrom(keys[0])
    own.public_key = signer(REGULATOR).public_key
    for member, held, approvers in (
        (LENDER, role.ROLE_LENDER, keys),
        (REGULATOR, role.ROLE_REGULATOR, [*keys, own]),
        (REGULATOR, role.ROLE_REGULATOR, [keys[0], keys[0]]),
    ):
        with pytest.raises(Exception, match=r"approver|STATEMENT_MALFORMED") as refused:
            federation.enrol(member, held, version=3, approvers=approvers)
        if isinstance(refused.value, Refusal):
            assert refused.value.reason == Reason.REASON_STATEMENT_MALFORMED


def test_a_look_up_has_no_time_for_custody_where_none_is_left(house: CaseHouse) -> None:
    request, regulator = house.request(house.case(house.ada)), house.federation.member(REGULATOR)
    for custodian in house.custodians:
        custodian.away = True
    with pytest.raises(Refusal) as refused:
        asyncio.run(house.cases.answer(request, regulator, house.federation.at, 1.0))
    assert refused.value.reason == Reason.REASON_NOTICE_NOT_HELD
    for custodian in house.custodians:
        custodian.away = False
