"""FurnisherService: what furnishers and courts may say, about whose listings, and what they are told."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.v1 import (
    DisputeStage,
    DutyKind,
    ListingAction,
    ListingBasis,
    ListingKind,
    ListingMark,
    ListingState,
    LogEntryKind,
    Reason,
    Role,
    WithdrawalCode,
)
from tests.builders import DAY, LENDER, REGULATOR, signer
from tests.exchange_services import reason_of
from tests.listing_builders import (
    COURT,
    FURNISHER,
    correction,
    digest,
    filed,
    prolongation,
    settlement,
    since,
)
from tests.listing_desk import OTHER_FURNISHER, ListingDesk, standing_of

SECOND = timedelta(seconds=1)
RECONFIRM = ListingAction.LISTING_ACTION_RECONFIRM
SETTLE = ListingAction.LISTING_ACTION_SETTLE
WITHDRAW = ListingAction.LISTING_ACTION_WITHDRAW
CORRECT = ListingAction.LISTING_ACTION_CORRECT
PROLONG = ListingAction.LISTING_ACTION_PROLONG
SOLD = WithdrawalCode.WITHDRAWAL_CODE_SOLD
EFFECTIVE = ListingState.LISTING_STATE_EFFECTIVE
NOTICED = ListingState.LISTING_STATE_NOTICED
WITHDRAWN = ListingState.LISTING_STATE_WITHDRAWN


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def outcome(result: v1.ListingResult) -> str:
    """Return the state, or why it was refused."""
    if result.HasField("refusal"):
        return Reason.Name(result.refusal.reason).removeprefix("REASON_")
    return ListingState.Name(result.standing.state).removeprefix("LISTING_STATE_")


def file_sealed(desk: ListingDesk, *envelopes: v1.Envelope, caller: str = FURNISHER) -> list[str]:
    request = v1.FileListingsRequest(filings=envelopes)
    response = desk.call(desk.furnishers.FileListings, request, caller)
    return [outcome(result) for result in response.results]


def particulars(desk: ListingDesk, action: ListingAction.ValueType) -> dict[str, Any]:
    """Return lawful particulars of a source's act."""
    at = desk.federation.at
    facts = correction(filed(), evidence_hash=digest("other evidence"))
    of_action: dict[int, dict[str, Any]] = {
        RECONFIRM: {},
        SETTLE: {"settlement": settlement(at)},
        WITHDRAW: {"withdrawal": SOLD},
        CORRECT: {"correction": facts},
        PROLONG: {"prolongation": prolongation(at + 3000 * DAY)},
    }
    return of_action[action]


# Many at once, and again ------------------------------------------------------------------------


def test_one_that_is_refused_refuses_no_other(desk: ListingDesk) -> None:
    good, early, also = (
        desk.filing(debt_commitment=digest("first")),
        desk.filing(
            debt_commitment=digest("second"),
            delinquent_since=to_timestamp(desk.federation.at - 10 * DAY),
        ),
        desk.filing(debt_commitment=digest("third")),
    )
    assert [outcome(result) for result in desk.file_all(good, early, also)] == [
        "DRAFT",
        "LISTING_INELIGIBLE",
        "DRAFT",
    ]
    assert len(desk.own().listings) == 2


def test_a_time_that_nobody_can_read_refuses_its_own_statement_alone(desk: ListingDesk) -> None:
    bent = desk.filing(debt_commitment=digest("bent"))
    bent.delinquent_since.seconds = 10**15
    assert [outcome(result) for result in desk.file_all(bent, desk.filing())] == [
        "STATEMENT_MALFORMED",
        "DRAFT",
    ]
    listing_id = desk.own().listings[0].listing_id
    events = [
        desk.event(listing_id, CORRECT, FURNISHER, **particulars(desk, CORRECT)),
        desk.event(listing_id, RECONFIRM, FURNISHER),
    ]
    events[0].correction.delinquent_since.seconds = -(10**15)
    assert [outcome(result) for result in desk.say(*events)] == ["STATEMENT_MALFORMED", "DRAFT"]


def test_a_full_message_files_128_debts_of_many_people_in_its_order(desk: ListingDesk) -> None:
    filings = [
        desk.filing(subject_ref=digest(f"person {n % 50}"), debt_commitment=digest(f"debt {n}"))
        for n in range(128)
    ]
    standings = [standing_of(result) for result in desk.file_all(*filings)]
    assert len({standing.listing_id for standing in standings}) == 128
    again = [standing_of(result) for result in desk.file_all(*reversed(filings))]
    assert again == standings[::-1]


def test_the_same_filing_again_is_answered_with_where_it_stands_and_adds_nothing(
    desk: ListingDesk,
) -> None:
    filing = desk.filing()
    (first,) = desk.file_all(filing)
    desk.read_inbox()
    (again,) = desk.file_all(filing)
    assert again.standing.listing_id == first.standing.listing_id
    assert again.standing.state == NOTICED
    assert [outcome(result) for result in desk.file_all(filing, filing)] == ["NOTICED", "NOTICED"]
    assert len(desk.own().listings[0].steps) == len(desk.history()) == 2


def test_the_same_filing_twice_in_one_message_is_filed_once(desk: ListingDesk) -> None:
    filing = desk.filing()
    first, second = desk.file_all(filing, filing)
    assert first == second
    assert len(desk.history()) == 1


def test_the_same_filing_id_with_other_bytes_is_refused(desk: ListingDesk) -> None:
    filing = desk.filing()
    desk.file_all(filing)
    other = desk.filing(filing_id=filing.filing_id, debt_commitment=digest("another debt"))
    assert [outcome(result) for result in desk.file_all(other)] == ["REPLAYED_WITH_OTHER_BYTES"]
    fresh = desk.filing(debt_commitment=digest("a third"))
    twin = desk.filing(filing_id=fresh.filing_id, debt_commitment=digest("a fourth"))
    assert [outcome(result) for result in desk.file_all(fresh, twin)] == [
        "DRAFT",
        "REPLAYED_WITH_OTHER_BYTES",
    ]


def test_two_sources_may_not_file_one_debt_under_one_id(desk: ListingDesk) -> None:
    filing = desk.filing()
    desk.file_all(filing)
    other = desk.filing(filing_id=filing.filing_id, source=OTHER_FURNISHER)
    assert [outcome(result) for result in desk.file_all(other)] == ["REPLAYED_WITH_OTHER_BYTES"]
    elsewhere = desk.filing(
        filing_id=filing.filing_id, source=OTHER_FURNISHER, debt_commitment=digest("its own")
    )
    assert [outcome(result) for result in desk.file_all(elsewhere)] == ["DRAFT"]


def test_the_same_event_again_changes_nothing_and_with_other_bytes_is_refused(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    event = desk.event(listing_id, SETTLE, FURNISHER, settlement=settlement(desk.federation.at))
    (first,) = desk.say(event)
    before = len(desk.history())
    desk.pass_time(DAY)
    assert desk.say(event, event) == [first, first]
    assert len(desk.history()) == before
    other = desk.event(listing_id, RECONFIRM, FURNISHER, event_id=event.event_id)
    assert [outcome(result) for result in desk.say(other)] == ["REPLAYED_WITH_OTHER_BYTES"]
    filing_id = desk.own().listings[0].steps[0]
    named = v1.ListingFiling.FromString(filing_id.statement.payload).filing_id
    posing = desk.event(listing_id, RECONFIRM, FURNISHER, event_id=named)
    assert [outcome(result) for result in desk.say(posing)] == ["REPLAYED_WITH_OTHER_BYTES"]


def test_events_of_one_message_are_applied_in_its_order(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    events = [
        desk.event(listing_id, CORRECT, FURNISHER, **particulars(desk, CORRECT)),
        desk.event(listing_id, SETTLE, FURNISHER, settlement=settlement(desk.federation.at)),
        desk.event(new_id(), RECONFIRM, FURNISHER),
        desk.event(listing_id, WITHDRAW, FURNISHER, withdrawal=SOLD),
        desk.event(listing_id, SETTLE, FURNISHER, settlement=settlement(desk.federation.at)),
    ]
    assert [outcome(result) for result in desk.say(*events)] == [
        "EFFECTIVE",
        "SETTLED",
        "LISTING_UNKNOWN",
        "WITHDRAWN",
        "LISTING_NOT_OWN",
    ]
    assert desk.state(listing_id) == WITHDRAWN


# Who may say what -------------------------------------------------------------------------------


def test_a_filing_that_another_signed_is_refused(desk: ListingDesk) -> None:
    filing = desk.filing()
    assert file_sealed(desk, seal(filing, signer(OTHER_FURNISHER))) == ["SIGNATURE_INVALID"]
    # Nor may one member hand in what another has signed: the caller is the signer.
    assert file_sealed(desk, seal(filing, signer(FURNISHER)), caller=OTHER_FURNISHER) == [
        "SIGNATURE_INVALID"
    ]
    posing = desk.filing(source=OTHER_FURNISHER)
    assert file_sealed(desk, seal(posing, signer(FURNISHER))) == ["CALLER_NOT_SIGNER"]
    assert desk.own().listings == []


def test_a_statement_of_another_kind_or_federation_is_no_filing(desk: ListingDesk) -> None:
    event = desk.event(new_id(), RECONFIRM, FURNISHER)
    elsewhere = desk.filing(federation="other.concordat")
    found = file_sealed(desk, seal(event, signer(FURNISHER)), seal(elsewhere, signer(FURNISHER)))
    assert found == ["STATEMENT_MALFORMED", "WRONG_FEDERATION"]


def test_an_event_is_its_own_signers_alone(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    own = desk.event(listing_id, WITHDRAW, FURNISHER, withdrawal=SOLD)
    posing = desk.event(listing_id, WITHDRAW, OTHER_FURNISHER, withdrawal=SOLD)
    elsewhere = desk.event(
        listing_id, WITHDRAW, FURNISHER, withdrawal=SOLD, federation="other.concordat"
    )
    later = desk.event(
        listing_id,
        WITHDRAW,
        FURNISHER,
        withdrawal=SOLD,
        decided_at=to_timestamp(desk.federation.at + timedelta(minutes=4)),
    )
    for event, signed_by, reason in (
        (own, OTHER_FURNISHER, "CALLER_NOT_SIGNER"),
        (posing, FURNISHER, "CALLER_NOT_SIGNER"),
        (elsewhere, FURNISHER, "WRONG_FEDERATION"),
        (later, FURNISHER, "STATEMENT_NOT_FRESH"),
    ):
        (result,) = desk.say(event, signed_by=signed_by)
        assert outcome(result) == reason
    # Handed in by another than its signer.
    request = v1.SubmitListingEventsRequest(events=[seal(own, signer(FURNISHER))])
    (result,) = desk.call(desk.furnishers.SubmitListingEvents, request, OTHER_FURNISHER).results
    assert outcome(result) == "SIGNATURE_INVALID"
    assert desk.state(listing_id) == EFFECTIVE


@pytest.mark.parametrize(
    "action",
    [
        ListingAction.LISTING_ACTION_TAKE_EFFECT,
        ListingAction.LISTING_ACTION_TIME_OUT,
        ListingAction.LISTING_ACTION_EXPIRE,
        ListingAction.LISTING_ACTION_REPAIR,
    ],
    ids=ListingAction.Name,
)
def test_no_source_does_what_is_the_exchanges(
    desk: ListingDesk, action: ListingAction.ValueType
) -> None:
    listing_id = desk.file().listing_id
    (result,) = desk.say(desk.event(listing_id, action, FURNISHER))
    assert outcome(result) == "LISTING_TRANSITION_REFUSED"


def test_each_files_only_what_its_licence_covers(desk: ListingDesk) -> None:
    judgment = desk.filing(court=True, source=FURNISHER)
    debt = desk.filing(source=COURT)
    assert [outcome(desk.file_all(filing)[0]) for filing in (judgment, debt)] == [
        "ROLE_NOT_ALLOWED"
    ] * 2
    desk.federation.enrol(
        FURNISHER,
        Role.ROLE_FURNISHER,
        furnishes=[ListingBasis.LISTING_BASIS_SERVICE_CONTRACT],
        version=3,
    )
    assert outcome(desk.file_all(desk.filing())[0]) == "ROLE_NOT_ALLOWED"


def test_a_regulator_never_files(desk: ListingDesk) -> None:
    filing = desk.filing(source=REGULATOR)
    assert file_sealed(desk, seal(filing, signer(REGULATOR)), caller=REGULATOR) == [
        "ROLE_NOT_ALLOWED"
    ]
    for role in (Role.ROLE_FURNISHER, Role.ROLE_COURT):
        with pytest.raises(Exception, match="neither files nor lends"):
            desk.federation.licence(REGULATOR, Role.ROLE_REGULATOR, role)


# What others are told ---------------------------------------------------------------------------


def test_who_touches_anothers_listing_learns_nothing(desk: ListingDesk) -> None:
    listings = {
        "draft": desk.file(debt_commitment=digest("a draft")).listing_id,
        "in force": desk.in_force(),
        "unknown": new_id(),
    }
    for action in (RECONFIRM, SETTLE, WITHDRAW, CORRECT, PROLONG):
        told = {
            desk.say(desk.event(listing_id, action, OTHER_FURNISHER, **particulars(desk, action)))[
                0
            ].SerializeToString()
            for listing_id in listings.values()
        }
        assert len(told) == 1
        (raw,) = told
        assert outcome(v1.ListingResult.FromString(raw)) == "LISTING_UNKNOWN"
    duties = v1.ListDutiesRequest()
    desk.dispute(listings["in force"], DisputeStage.DISPUTE_STAGE_REVIEW)
    assert desk.call(desk.furnishers.ListDuties, duties, OTHER_FURNISHER).duties == []


def test_a_listing_is_not_found_under_another_subject(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    event = desk.event(listing_id, RECONFIRM, FURNISHER, subject_ref=digest("somebody else"))
    assert outcome(desk.say(event)[0]) == "LISTING_UNKNOWN"


def test_who_has_sold_a_debt_is_told_nothing_of_what_becomes_of_it(desk: ListingDesk) -> None:
    first = desk.filing()
    listing_id = standing_of(desk.file_all(first)[0]).listing_id
    desk.read_inbox()
    desk.file(source=OTHER_FURNISHER)
    sold = desk.event(listing_id, WITHDRAW, FURNISHER, withdrawal=SOLD)
    told = [desk.say(sold)[0]]
    desk.pass_time(28 * DAY)
    desk.reconfirm(listing_id, OTHER_FURNISHER)
    desk.pass_time(3 * DAY)
    told += desk.say(sold)  # it is in force now
    told += desk.file_all(first)
    desk.dispute(listing_id, DisputeStage.DISPUTE_STAGE_REVIEW)
    told += desk.file_all(first)
    desk.pass_time(DAY)
    desk.withdraw(listing_id, OTHER_FURNISHER)
    told += desk.file_all(first)
    assert {result.SerializeToString() for result in told} == {told[0].SerializeToString()}
    assert outcome(told[0]) == "WITHDRAWN"
    # Nor from what it is refused.
    fresh = desk.event(listing_id, RECONFIRM, FURNISHER)
    assert outcome(desk.say(fresh)[0]) == "LISTING_NOT_OWN"


# One debt, several sources ----------------------------------------------------------------------


def test_an_agent_and_its_creditor_make_one_listing(desk: ListingDesk) -> None:
    listing_id = desk.file().listing_id
    later = desk.federation.at - 100 * DAY
    joined = desk.file(source=OTHER_FURNISHER, **since(later))
    (own,) = desk.own().listings
    assert joined.listing_id == own.listing_id == listing_id
    assert list(own.sources) == [FURNISHER, OTHER_FURNISHER]
    # The date that was on record stays: nothing gets worse for the subject.
    assert from_timestamp(own.facts.delinquent_since) == desk.federation.at - 120 * DAY
    desk.withdraw(listing_id)
    assert list(desk.own().listings[0].sources) == [OTHER_FURNISHER]
    desk.withdraw(listing_id, OTHER_FURNISHER)
    assert desk.state(listing_id) == WITHDRAWN


def test_a_court_and_a_creditor_make_one_listing_and_the_creditors_is_left(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    desk.file(court=True)
    desk.sync(desk.filing().debt_commitment)
    (shown,) = desk.shown()
    assert (shown.kind, shown.basis) == (
        ListingKind.LISTING_KIND_JUDGMENT,
        ListingBasis.LISTING_BASIS_JUDGMENT,
    )
    # The creditor vouches for it, whatever the register's feed does.
    desk.pass_time(2 * DAY)
    assert len(desk.shown()) == 1
    desk.withdraw(listing_id, COURT, WithdrawalCode.WITHDRAWAL_CODE_GONE_FROM_REGISTER)
    (shown,) = desk.shown()
    assert shown.kind == ListingKind.LISTING_KIND_DEBT


def test_a_debt_is_listed_again_only_with_a_certificate_and_a_new_notice(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    desk.withdraw(listing_id)
    again = desk.filing(evidence_hash=digest("found later"))
    assert outcome(desk.file_all(again)[0]) == "REINSERTION_NOT_CERTIFIED"
    proof = v1.Reinsertion(certified=True, new_evidence_hash=digest("newer"))
    second = desk.file(evidence_hash=digest("found later"), reinsertion=proof)
    assert second.listing_id != listing_id
    assert second.state == ListingState.LISTING_STATE_DRAFT
    assert desk.shown() == []


# Flooding ---------------------------------------------------------------------------------------


def test_reconfirming_again_and_again_adds_nothing(desk: ListingDesk) -> None:
    listing_id = desk.file().listing_id
    for _ in range(3):
        desk.reconfirm(listing_id)  # nothing is announced yet: there is nothing to reconfirm
    desk.read_inbox()
    desk.pass_time(26 * DAY)
    for _ in range(5):
        assert desk.reconfirm(listing_id).state == NOTICED
        desk.pass_time(timedelta(hours=1))
    stale = to_timestamp(desk.federation.at - 20 * DAY)
    old = [desk.event(listing_id, RECONFIRM, FURNISHER, decided_at=stale) for _ in range(20)]
    assert {outcome(result) for result in desk.say(*old)} == {"NOTICED"}
    assert len(desk.own().listings[0].steps) == 3  # filed, noticed, reconfirmed
    desk.pass_time(4 * DAY)
    for _ in range(5):
        desk.pass_time(2 * DAY)
        assert desk.reconfirm(listing_id).state == EFFECTIVE
    assert len(desk.own().listings[0].steps) == 4
    assert len(desk.history()) == 4


# A court's register -----------------------------------------------------------------------------


def test_a_courts_listing_takes_effect_when_its_register_is_found_the_same(
    desk: ListingDesk,
) -> None:
    filing = desk.filing(court=True)
    listing_id = standing_of(desk.file_all(filing)[0]).listing_id
    desk.read_inbox()
    desk.pass_time(40 * DAY)
    assert desk.state(listing_id) == NOTICED
    until = desk.sync(filing.debt_commitment).live_until
    assert from_timestamp(until) == desk.federation.at + DAY
    assert desk.state(listing_id) == EFFECTIVE
    assert [each.mark for each in desk.shown()] == [ListingMark.LISTING_MARK_EFFECTIVE]


def test_a_listing_that_a_court_and_a_creditor_vouch_for_takes_effect_on_either_word(
    desk: ListingDesk,
) -> None:
    filing = desk.filing(court=True)
    listing_id = desk.file().listing_id
    desk.file_all(filing)
    desk.read_inbox()
    desk.pass_time(40 * DAY)
    assert desk.state(listing_id) == NOTICED
    desk.sync(filing.debt_commitment)
    assert desk.state(listing_id) == EFFECTIVE


def test_a_courts_listings_are_shown_for_a_day_after_a_sync_and_no_longer(
    desk: ListingDesk,
) -> None:
    desk.in_force(court=True)
    desk.pass_time(DAY - timedelta(microseconds=1))
    assert len(desk.shown()) == 1
    desk.pass_time(timedelta(microseconds=1))
    assert desk.shown() == []
    desk.sync(desk.filing(court=True).debt_commitment)
    assert len(desk.shown()) == 1


def test_a_register_that_differs_is_refused(desk: ListingDesk) -> None:
    debts = [digest("a judgment"), digest("another")]
    for debt in debts:
        desk.file(court=True, debt_commitment=debt)
    for claimed in ([], debts[:1], [*debts, digest("a third")], [debts[0], digest("a third")]):
        assert reason_of(partial(desk.sync, *claimed)) == "MIRROR_DIFFERS"
    desk.sync(*debts)
    gone = desk.own().listings[0]
    code = WithdrawalCode.WITHDRAWAL_CODE_GONE_FROM_REGISTER
    desk.withdraw(gone.listing_id, COURT, code)
    assert reason_of(lambda: desk.sync(*debts)) == "MIRROR_DIFFERS"


def test_a_register_read_a_day_ago_or_tomorrow_says_nothing(desk: ListingDesk) -> None:
    at = desk.federation.at
    for read_at in (at - DAY, at + timedelta(minutes=4)):
        with pytest.raises(Refusal) as refusal:
            desk.sync(read_at=to_timestamp(read_at))
        assert refusal.value.reason == Reason.REASON_STATEMENT_NOT_FRESH
    # What was read within clock skew ahead counts as read now, and not for longer.
    ahead = desk.sync(read_at=to_timestamp(at + timedelta(minutes=2)))
    assert from_timestamp(ahead.live_until) == at + DAY


def test_an_old_sync_sent_again_neither_takes_back_a_later_one_nor_is_logged_again(
    desk: ListingDesk,
) -> None:
    early = to_timestamp(desk.federation.at - timedelta(hours=20))
    first: dict[str, Any] = {"sync_id": new_id(), "read_at": early}
    desk.sync(**first)
    until = desk.sync().live_until
    assert desk.sync(**first).live_until == until
    assert desk.sync(**first).live_until == until
    kinds = [entry.kind for entry in desk.entries()]
    assert kinds == [LogEntryKind.LOG_ENTRY_KIND_MIRROR_SYNC] * 2


def test_a_sync_is_its_courts_own(desk: ListingDesk) -> None:
    sync = v1.MirrorSync(
        sync_id=new_id(),
        federation=desk.federation.name,
        court=COURT,
        read_at=to_timestamp(desk.federation.at),
        digest=digest(""),
    )
    for signed_by, reason in ((FURNISHER, "CALLER_NOT_SIGNER"), (COURT, "SIGNATURE_INVALID")):
        request = v1.SubmitMirrorSyncRequest(sync=seal(sync, signer(signed_by)))
        submit = partial(desk.call, desk.furnishers.SubmitMirrorSync, request, FURNISHER)
        assert reason_of(submit) == reason


# Duties -----------------------------------------------------------------------------------------


def duties(desk: ListingDesk, source: str = FURNISHER) -> list[v1.Duty]:
    found: list[v1.Duty] = []
    after = b""
    while True:
        request = v1.ListDutiesRequest(after=after)
        page = desk.call(desk.furnishers.ListDuties, request, source)
        found += page.duties
        after = page.next
        if not after:
            return found


def test_a_source_is_asked_to_reconfirm_within_five_days_before_the_effect(
    desk: ListingDesk,
) -> None:
    filing = desk.filing()
    listing_id = standing_of(desk.file_all(filing)[0]).listing_id
    desk.read_inbox()
    desk.pass_time(25 * DAY - SECOND)
    assert duties(desk) == []
    desk.pass_time(SECOND)
    (duty,) = duties(desk)
    assert duty.kind == DutyKind.DUTY_KIND_RECONFIRM
    assert (duty.filing_id, duty.subject_ref) == (filing.filing_id, desk.subject.ref)
    assert duty.standing.listing_id == listing_id
    assert from_timestamp(duty.due_at) == desk.federation.at + 5 * DAY
    desk.reconfirm(listing_id)
    assert duties(desk) == []


def test_a_reconfirmation_that_ran_out_before_the_effect_is_asked_for_again(
    desk: ListingDesk,
) -> None:
    listing_id = desk.file().listing_id
    desk.read_inbox()
    desk.pass_time(25 * DAY)
    desk.reconfirm(listing_id)
    # The timer came a moment late: by then five days and a second have passed.
    desk.pass_time(5 * DAY + SECOND)
    assert desk.state(listing_id) == NOTICED
    assert [duty.kind for duty in duties(desk)] == [DutyKind.DUTY_KIND_RECONFIRM]
    assert desk.reconfirm(listing_id).state == EFFECTIVE
    assert duties(desk) == []


def test_a_dispute_is_forwarded_to_every_source_at_once_with_its_evidence_hashes(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    desk.file(source=OTHER_FURNISHER)
    dispute_id, answer = desk.dispute(listing_id, DisputeStage.DISPUTE_STAGE_REVIEW)
    for source in (FURNISHER, OTHER_FURNISHER):
        (duty,) = duties(desk, source)
        assert duty.kind == DutyKind.DUTY_KIND_ANSWER_DISPUTE
        assert duty.due_at == answer.decide_by
        dispute = v1.Dispute.FromString(duty.dispute.payload)
        assert dispute.dispute_id == dispute_id
        assert list(dispute.evidence_hashes) == [digest("receipt")]


def test_a_settlement_by_the_subject_is_to_be_checked_and_ones_own_is_not(
    desk: ListingDesk,
) -> None:
    settled, claimed = desk.file(), desk.file(debt_commitment=digest("claimed"))
    desk.read_inbox()
    desk.pass_time(28 * DAY)
    for each in (settled, claimed):
        desk.reconfirm(each.listing_id)
    desk.pass_time(2 * DAY)
    desk.settle(settled.listing_id)
    desk.subject_says(claimed.listing_id, SETTLE, settlement=settlement(desk.federation.at))
    (duty,) = duties(desk)
    assert duty.kind == DutyKind.DUTY_KIND_CHECK_SETTLEMENT
    assert duty.standing.listing_id == claimed.listing_id
    desk.pass_time(11 * DAY)
    assert duties(desk) == []


def test_duties_come_page_by_page_each_once(desk: ListingDesk) -> None:
    filings = [desk.filing(debt_commitment=digest(f"debt {n}")) for n in range(120)]
    desk.file_all(*filings)
    desk.read_inbox()
    desk.pass_time(26 * DAY)
    found = duties(desk)
    assert [duty.filing_id for duty in found] == sorted(f.filing_id for f in filings)
    first = desk.call(desk.furnishers.ListDuties, v1.ListDutiesRequest(), FURNISHER)
    assert len(first.duties) == 50


def test_a_lender_has_no_duties(desk: ListingDesk) -> None:
    desk.in_force()
    assert duties(desk, LENDER) == []
