"""SubjectService: what a subject sees of itself, what it may do alone, and that nobody does it in its name."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal
from concordat.trust.envelope import validate
from concordat.v1 import (
    DisputeGround,
    DisputeStage,
    FlagKind,
    InboxKind,
    ListingAction,
    ListingState,
    NoticeChannel,
    RulingOutcome,
    SubjectQuery,
)
from exchange.subjects import own_listings
from exchange.subjects.contact_table import address_of
from tests.builders import DAY, EXCHANGE, LENDER, Subject, signer
from tests.exchange_services import reason_of, subject_request
from tests.listing_builders import FURNISHER, digest, settlement
from tests.listing_desk import ListingDesk

LISTINGS = SubjectQuery.SUBJECT_QUERY_LISTINGS
INBOX = SubjectQuery.SUBJECT_QUERY_INBOX
CONTEST = DisputeStage.DISPUTE_STAGE_CONTEST
REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
STATE = ListingAction.LISTING_ACTION_STATE
SETTLE = ListingAction.LISTING_ACTION_SETTLE
FREEZE, ALERT = FlagKind.FLAG_KIND_FREEZE, FlagKind.FLAG_KIND_FRAUD_ALERT
DRAFT = ListingState.LISTING_STATE_DRAFT
NOTICED = ListingState.LISTING_STATE_NOTICED


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


# The inbox --------------------------------------------------------------------------------------


def test_fetching_a_notice_proves_that_it_reached_the_subject(desk: ListingDesk) -> None:
    listing_id = desk.file().listing_id
    request = v1.ReadInboxRequest(request=desk.asked(INBOX), binding=desk.subject.binding)
    (message,) = desk.call(desk.subjects.ReadInbox, request).messages
    assert message.kind == InboxKind.INBOX_KIND_LISTING_NOTICE
    assert message.listing_id == listing_id
    (own,) = desk.own().listings
    assert from_timestamp(own.noticed_at) == desk.federation.at
    assert from_timestamp(own.effective_from) == desk.federation.at + 30 * DAY
    served = v1.ListingEvent.FromString(own.steps[1].statement.payload)
    assert served.actor == EXCHANGE
    assert served.notice.channel == NoticeChannel.NOTICE_CHANNEL_INBOX
    assert served.notice.notice_hash == hashlib.sha256(message.text.encode()).digest()
    assert served.notice.evidence_digest == digest_of(request.request)
    # Fetched again, much later: no clock starts anew.
    desk.pass_time(10 * DAY)
    first, second = desk.read_inbox()
    assert first == message
    assert second.kind == InboxKind.INBOX_KIND_LISTING_CHANGE
    assert desk.own().listings[0].effective_from == own.effective_from


def test_every_change_is_told_and_rulings_as_such(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_REJECTED)
    messages = desk.read_inbox()
    assert [message.kind for message in messages] == [
        InboxKind.INBOX_KIND_LISTING_NOTICE,
        *[InboxKind.INBOX_KIND_LISTING_CHANGE] * 4,
        InboxKind.INBOX_KIND_RULING,
    ]
    assert len(messages) == len(desk.own().listings[0].steps)
    ids = [message.message_id for message in messages]
    assert ids == sorted(set(ids))
    assert "The receipt was checked." in messages[-1].text


def test_an_inbox_comes_page_by_page_and_each_page_serves_only_what_it_holds(
    desk: ListingDesk,
) -> None:
    filings = [desk.filing(debt_commitment=digest(f"debt {n}")) for n in range(120)]
    desk.file_all(*filings)
    ask = partial(v1.ReadInboxRequest, binding=desk.subject.binding)
    first = desk.call(desk.subjects.ReadInbox, ask(request=desk.asked(INBOX)))
    validate(first)
    assert (len(first.messages), first.more) == (100, True)
    states = [each.state for each in _all_own(desk)]
    assert (states.count(NOTICED), states.count(DRAFT)) == (100, 20)
    after = first.messages[-1].message_id
    rest = desk.call(desk.subjects.ReadInbox, ask(request=desk.asked(INBOX), after=after))
    assert len(rest.messages) == 100  # twenty notices, and the first of what the served ones made
    assert rest.more
    assert {each.state for each in _all_own(desk)} == {NOTICED}


def test_no_place_in_an_inbox_is_too_far(desk: ListingDesk) -> None:
    desk.file()
    for after in (b"\xff" * 16, b"\x7f" + b"\xff" * 7, b"\x01"):
        request = v1.ReadInboxRequest(
            request=desk.asked(INBOX), binding=desk.subject.binding, after=after
        )
        assert desk.call(desk.subjects.ReadInbox, request).messages == []
    assert desk.state(desk.own().listings[0].listing_id) == DRAFT


def test_nobody_else_fetches_a_subjects_notice_or_sees_its_listings(desk: ListingDesk) -> None:
    desk.file()
    bob = desk.federation.subject("bob")

    def asked(call: Any, message: Any, query: Any, person: Subject, **bent: Any) -> str:
        envelope = subject_request(desk.federation, desk.subject, query=query, **bent)
        request = message(request=envelope, binding=person.binding)
        return reason_of(partial(desk.call, call, request))

    for call, message, query in (
        (desk.subjects.ReadInbox, v1.ReadInboxRequest, INBOX),
        (desk.subjects.ListOwnListings, v1.ListOwnListingsRequest, LISTINGS),
    ):
        of = partial(asked, call, message)
        assert of(query, desk.subject, signed_by="wallet-bob") == "SIGNATURE_INVALID"
        assert of(query, bob, signed_by="wallet-bob") == "BINDING_INVALID"
        assert of(query, bob) == "SIGNATURE_INVALID"
        other = LISTINGS if query == INBOX else INBOX
        assert of(other, desk.subject)
        stale = desk.federation.at - timedelta(minutes=10)
        assert of(query, desk.subject, made=stale) == "STATEMENT_NOT_FRESH"
        assert of(query, desk.subject, federation="other.concordat") == "WRONG_FEDERATION"
        assert of(query, desk.subject) == ""
    assert desk.own().listings[0].state == NOTICED


def test_an_old_key_reads_nothing_once_a_newer_was_seen(desk: ListingDesk) -> None:
    desk.file()
    newer = desk.federation.subject("ada", version=2)
    request = v1.ListOwnListingsRequest(
        request=subject_request(desk.federation, newer, query=LISTINGS), binding=newer.binding
    )
    desk.call(desk.subjects.ListOwnListings, request)
    assert reason_of(desk.own) == "BINDING_INVALID"
    assert reason_of(desk.read_inbox) == "BINDING_INVALID"
    assert reason_of(partial(desk.flag, FREEZE, placed=True, sequence=1)) == "BINDING_INVALID"


# Own listings -----------------------------------------------------------------------------------


def _all_own(desk: ListingDesk) -> list[v1.OwnListing]:
    found: list[v1.OwnListing] = []
    while True:
        after = found[-1].listing_id if found else b""
        request = v1.ListOwnListingsRequest(
            request=desk.asked(LISTINGS), binding=desk.subject.binding, after=after
        )
        page = desk.call(desk.subjects.ListOwnListings, request)
        validate(page)
        assert len(page.listings) <= own_listings.PAGE
        found += page.listings
        if not page.more:
            return found


@pytest.mark.parametrize("count", [0, 19, 20, 21, 45])
def test_own_listings_come_page_by_page_each_once(desk: ListingDesk, count: int) -> None:
    if count:
        desk.file_all(*(desk.filing(debt_commitment=digest(f"debt {n}")) for n in range(count)))
    found = [each.listing_id for each in _all_own(desk)]
    assert found == sorted(set(found))
    assert len(found) == count


def test_a_page_ends_early_where_histories_are_long(
    desk: ListingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_listings, "_PAGE_BYTES", 5_000)
    desk.file_all(*(desk.filing(debt_commitment=digest(f"debt {n}")) for n in range(15)))
    first = desk.own()
    assert first.more
    assert len(first.listings) < 15
    assert len(_all_own(desk)) == 15


def test_a_subject_sees_every_state_what_lenders_see_and_who_was_told(desk: ListingDesk) -> None:
    ended = desk.file(debt_commitment=digest("ended")).listing_id
    desk.withdraw(ended)
    shown = desk.in_force()
    pending = desk.file(debt_commitment=digest("pending")).listing_id
    desk.check()
    own = {each.listing_id: each for each in desk.own().listings}
    assert own[ended].state == ListingState.LISTING_STATE_WITHDRAWN
    assert not own[ended].HasField("shown")
    assert own[pending].state == DRAFT
    assert own[shown].shown == desk.shown()[0]
    (first, second) = own[shown].recipients, desk.own().listings
    assert [each.lender for each in first] == [LENDER]
    assert second[1].recipients[0].lender == LENDER
    desk.pass_time(184 * DAY)
    (_, later, _) = desk.own().listings
    assert later.recipients == []


def test_looking_is_no_access_and_leaves_no_entry(desk: ListingDesk) -> None:
    desk.file()
    before = len(desk.history())
    desk.own()
    desk.own()
    assert len(desk.history()) == before


# Settling and stating ---------------------------------------------------------------------------


def test_a_subject_submits_no_members_event(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    for actor in (FURNISHER, EXCHANGE):
        event = desk.event(listing_id, SETTLE, actor, settlement=settlement(desk.federation.at))
        for key in (desk.subject.signer, signer(actor)):
            request = v1.SubmitSubjectEventRequest(
                event=seal(event, key), binding=desk.subject.binding
            )
            submit = partial(desk.call, desk.subjects.SubmitSubjectEvent, request)
            assert reason_of(submit) in {"CALLER_NOT_SIGNER", "SIGNATURE_INVALID"}
    for action, particulars in (
        (ListingAction.LISTING_ACTION_WITHDRAW, {"withdrawal": 1}),
        (ListingAction.LISTING_ACTION_EXPIRE, {}),
        (ListingAction.LISTING_ACTION_REPAIR, {}),
        (ListingAction.LISTING_ACTION_RECONFIRM, {}),
    ):
        submit = partial(desk.subject_says, listing_id, action, **particulars)
        assert reason_of(submit) == "LISTING_TRANSITION_REFUSED"
    assert desk.state(listing_id) == ListingState.LISTING_STATE_EFFECTIVE


def test_a_subject_acts_on_no_listing_but_its_own(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    ada, desk.subject = desk.subject, desk.federation.subject("bob")
    words = v1.SubjectWords(text="Mine.", language="en")
    assert reason_of(partial(desk.subject_says, listing_id, STATE, words=words)) == (
        "LISTING_UNKNOWN"
    )
    assert reason_of(partial(desk.dispute, listing_id, REVIEW)) == "LISTING_UNKNOWN"
    named = partial(desk.subject_says, listing_id, STATE, words=words, subject_ref=ada.ref)
    assert reason_of(named) == "BINDING_INVALID"
    assert desk.own().listings == []
    desk.subject = ada
    assert not desk.own().listings[0].HasField("words")


def test_two_hundred_words_and_no_more(desk: ListingDesk) -> None:
    listing_id = desk.in_force()

    def stated(text: str) -> str:
        words = v1.SubjectWords(text=text, language="en")
        return reason_of(partial(desk.subject_says, listing_id, STATE, words=words))

    assert stated("w " * 201) == "WORDS_TOO_MANY"
    assert stated("字" * 201) == "WORDS_TOO_MANY"
    assert stated("\0") == "MESSAGE_INVALID"
    assert stated("w " * 200) == ""
    assert stated("字" * 200) == ""
    assert desk.shown()[0].words.text == "字" * 200


def test_the_same_event_again_changes_nothing(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    event_id, words = new_id(), v1.SubjectWords(text="I was ill.", language="en")
    state = partial(desk.subject_says, listing_id, STATE, event_id=event_id)
    assert state(words=words) == state(words=words)
    assert len(desk.own().listings[0].steps) == 5
    other = v1.SubjectWords(text="I was away.", language="en")
    assert reason_of(partial(state, words=other)) == "REPLAYED_WITH_OTHER_BYTES"


# Disputes ---------------------------------------------------------------------------------------


def test_the_same_dispute_again_changes_nothing_and_with_other_bytes_is_refused(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    dispute_id = new_id()
    sealed = [v1.SealedAttachment(sealed=b"x" * 100)]
    dispute = partial(desk.dispute, listing_id, REVIEW, dispute_id=dispute_id, attachments=sealed)
    assert dispute() == dispute()
    other = partial(dispute, ground=DisputeGround.DISPUTE_GROUND_FRAUD)
    assert reason_of(other) == "REPLAYED_WITH_OTHER_BYTES"
    again = partial(desk.dispute, listing_id, REVIEW)
    assert reason_of(again) == "LISTING_TRANSITION_REFUSED"
    assert len(desk.own().listings[0].steps) == 5


def test_one_id_names_one_dispute(desk: ListingDesk) -> None:
    ada, desk.subject = desk.subject, desk.federation.subject("bob")
    bobs = desk.in_force(debt_commitment=digest("bob's"))
    desk.subject = ada
    first = desk.in_force(debt_commitment=digest("first"))
    second = desk.in_force(debt_commitment=digest("second"))
    sealed = [v1.SealedAttachment(sealed=b"x")]
    dispute_id, _ = desk.dispute(first, REVIEW, attachments=sealed)
    of_second = partial(desk.dispute, second, REVIEW, dispute_id=dispute_id, attachments=sealed)
    assert reason_of(of_second) == "REPLAYED_WITH_OTHER_BYTES"
    # Nor may somebody else's dispute stand in its place at the reviewer.
    desk.subject = desk.federation.subject("bob")
    of_bob = partial(desk.dispute, bobs, REVIEW, dispute_id=dispute_id)
    assert reason_of(of_bob) == "REPLAYED_WITH_OTHER_BYTES"
    desk.subject = ada
    assert desk.own().listings[0].dispute_id == dispute_id


def test_a_dispute_is_the_subjects_own_and_fresh(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    bents: list[tuple[dict[str, Any], str]] = [
        ({"federation": "other.concordat"}, "WRONG_FEDERATION"),
        ({"raised_at": to_timestamp(desk.federation.at + DAY)}, "STATEMENT_NOT_FRESH"),
        ({"subject_ref": digest("somebody else")}, "BINDING_INVALID"),
        ({"listing_id": new_id()}, "LISTING_UNKNOWN"),
    ]
    for bent, reason in bents:
        given: dict[str, Any] = {"listing_id": listing_id, "stage": REVIEW} | bent
        assert reason_of(partial(desk.dispute, **given)) == reason
    wrong_stage = partial(desk.dispute, listing_id, CONTEST)
    assert reason_of(wrong_stage) == "LISTING_TRANSITION_REFUSED"


# Flags and contact ------------------------------------------------------------------------------


def test_flags_are_placed_and_lifted_in_order_each_change_once(desk: ListingDesk) -> None:
    assert desk.own().flag_sequence == 0
    assert desk.flag(FREEZE, placed=True, sequence=1).flags.frozen
    again = desk.flag(FREEZE, placed=True, sequence=1)
    assert (again.flags.frozen, again.flags.fraud_alert) == (True, False)
    both = desk.flag(ALERT, placed=True, sequence=5)
    assert (both.flags.frozen, both.flags.fraud_alert) == (True, True)
    for old in (1, 3, 5):
        lifted = partial(desk.flag, FREEZE, placed=False, sequence=old)
        assert reason_of(lifted) == "REPLAYED_WITH_OTHER_BYTES"
    own = desk.own()
    assert (own.flags.frozen, own.flags.fraud_alert, own.flag_sequence) == (True, True, 5)
    acts = [record.subject for record in desk.history() if record.HasField("subject")]
    assert [(act.flag, act.placed) for act in acts] == [(FREEZE, True), (ALERT, True)]


def test_nobody_else_places_or_lifts_a_subjects_flag(desk: ListingDesk) -> None:
    desk.flag(FREEZE, placed=True, sequence=1)
    change = v1.FlagChange(
        federation=desk.federation.name,
        subject_ref=desk.subject.ref,
        kind=FREEZE,
        sequence=2,
        decided_at=to_timestamp(desk.federation.at),
    )
    bob = desk.federation.subject("bob")
    for key, person, reason in (
        (bob.signer, desk.subject, "SIGNATURE_INVALID"),
        (bob.signer, bob, "BINDING_INVALID"),
        (signer(EXCHANGE), desk.subject, "SIGNATURE_INVALID"),
    ):
        request = v1.ChangeFlagRequest(change=seal(change, key), binding=person.binding)
        assert reason_of(partial(desk.call, desk.subjects.ChangeFlag, request)) == reason
    change.federation = "other.concordat"
    request = v1.ChangeFlagRequest(
        change=seal(change, desk.subject.signer), binding=desk.subject.binding
    )
    assert reason_of(partial(desk.call, desk.subjects.ChangeFlag, request)) == "WRONG_FEDERATION"
    assert desk.own().flags.frozen


def _contact(desk: ListingDesk, email: str, sequence: int, language: str = "en") -> str:
    change = v1.ContactChange(
        federation=desk.federation.name,
        subject_ref=desk.subject.ref,
        email=email,
        language=language,
        sequence=sequence,
        decided_at=to_timestamp(desk.federation.at),
    )
    request = v1.ChangeContactRequest(
        change=seal(change, desk.subject.signer), binding=desk.subject.binding
    )
    return reason_of(partial(desk.call, desk.subjects.ChangeContact, request))


def test_a_contact_is_changed_in_order_and_taken_away(desk: ListingDesk) -> None:
    def kept() -> tuple[str, str] | None:
        return desk.desk.store.run(lambda c: address_of(c, desk.subject.ref))

    assert _contact(desk, "ada@example.org", 1) == ""
    assert _contact(desk, "ada@example.org", 1) == ""
    assert kept() == ("ada@example.org", "en")
    shown = v1.ContactChange.FromString(desk.own().contact.payload)
    assert (shown.email, shown.sequence) == ("ada@example.org", 1)
    assert _contact(desk, "old@example.org", 1) == "REPLAYED_WITH_OTHER_BYTES"
    assert _contact(desk, "a\0b@example.org", 2) == "MESSAGE_INVALID"
    assert _contact(desk, "", 2, "zh-Hans") == ""
    assert kept() is None
    assert desk.own().contact_sequence == 2
    desk.file()
    assert "通知" in desk.read_inbox()[0].text
    assert len([r for r in desk.history() if r.HasField("subject")]) == 2
