"""`concordat wallet listings`, `inbox` and what a person does about a listing, as it is typed."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.evidence import open_evidence
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.trust.errors import SealInvalidError
from concordat.v1 import DisputeGround, DisputeStage, ListingState, Reason
from exchange.listings.machine import Actor, Party
from exchange.log.records import Draft
from tests.builders import EXCHANGE, signer
from tests.listing_builders import (
    APPEAL_BODY,
    BUYER,
    FURNISHER,
    REJECTED,
    REVIEWER,
    SECOND_APPEAL_BODY,
    SECOND_REVIEWER,
    SETTLE,
    STATE,
    UPHELD,
    WITHDRAW,
)
from tests.own_listing_builders import SEALING_KEYS
from tests.unit.clients.cli.conftest import ListingDesk

Wallet = tuple[str, str]
DOWN = [Refusal(Reason.REASON_UNAVAILABLE)] * 4  # as often as a safe call is tried


@pytest.fixture
def wallet(listed: ListingDesk) -> Wallet:
    return listed.wallet()


def listings(desk: ListingDesk, wallet: Wallet, *options: object, code: int = 0) -> Any:
    return desk.json("wallet", "listings", *options, *wallet, code=code)


def text(desk: ListingDesk, *arguments: object, code: int = 0) -> str:
    result = desk.run(*arguments)
    assert result.exit_code == code, result.output
    return " ".join(result.stdout.replace("│", " ").split())


def receipt(desk: ListingDesk, content: bytes = b"%PDF-1.7 paid in full") -> Path:
    path = desk.folder / "Ada's receipt of 3 March.pdf"
    path.write_bytes(content)
    return path


def waiting(wallet: Wallet) -> list[Path]:
    return sorted(Path(wallet[1], "outbox").glob("*.*"))


# What is shown ----------------------------------------------------------------------------------


def test_a_person_without_listings_reads_that(listed: ListingDesk, wallet: Wallet) -> None:
    assert "Nobody has filed anything about you." in text(listed, "wallet", "listings", *wallet)
    assert listings(listed, wallet)["listings"] == []


def test_a_person_reads_where_each_listing_stands_and_what_to_do(
    listed: ListingDesk, wallet: Wallet
) -> None:
    fake = listed.fake
    fake.in_force()
    noticed = fake.story(days_ago=3).filed().noticed()
    fake.story(days_ago=1).filed()
    fake.in_force().disputed()
    fake.in_force().disputed().ruled(UPHELD)
    shown = text(listed, "wallet", "listings", *wallet)
    assert noticed.now.effective_from is not None
    for words in (
        *("01010101", "in force", "wallet dispute, or wallet settle", FURNISHER),
        *("announced, not in force", f"contest, before {noticed.now.effective_from:%Y-%m-%d}"),
        *("filed, not yet told to you", "wallet inbox: read the notice"),
        *("disputed", "wait: decided by", "withdrawn", "EUR"),
    ):
        assert words in shown, words


def test_one_listing_is_shown_with_everything_that_happened(
    listed: ListingDesk, wallet: Wallet
) -> None:
    story = listed.fake.in_force().event(STATE).disputed(evidence=("a receipt",)).ruled(REJECTED)
    shown = text(listed, "wallet", "listings", "0101", *wallet)
    for words in (
        *("owed since", "filed it: ", "had the notice reach you, by inbox", "put it in force"),
        *("disputed it: claim contested, with 1 piece of evidence", f"{REVIEWER} decides"),
        *("ruled that it stays as it is: The contract is signed", "appeal before"),
        *("I was in hospital.", "Every step is signed by whoever is said to have taken it."),
        story.listing_id.hex(),
    ):
        assert words in shown, words


def test_the_json_has_the_documented_keys(listed: ListingDesk, wallet: Wallet) -> None:
    story = listed.fake.in_force()
    facts = listings(listed, wallet)
    assert set(facts) == {
        *("ok", "listings", "frozen", "fraud_alert", "problems", "evidence", "earlier"),
    }
    (listing,) = facts["listings"]
    assert set(listing) == {
        *("listing_id", "state", "kind", "basis", "profile", "sources", "currency"),
        *("amount_minor", "delinquent_since", "evidence_hash", "noticed_at", "effective_from"),
        *("effective_at", "settled_at", "expires_at", "decide_by", "appeal_until", "shown"),
        *("dispute_id", "ruling_id", "words", "version", "next", "steps", "recipients"),
        *("holds", "problems"),
    }
    assert (listing["state"], listing["listing_id"]) == ("effective", story.listing_id.hex())
    assert [step["who"] for step in listing["steps"]] == [FURNISHER, EXCHANGE, FURNISHER, EXCHANGE]
    assert set(listing["steps"][0]) == {
        *("sequence", "at", "kind", "who", "what", "state", "digest", "holds", "problem"),
    }
    assert listing["shown"]["mark"] == "effective"


def test_all_pages_are_read(listed: ListingDesk, wallet: Wallet) -> None:
    for _ in range(5):
        listed.fake.in_force()
    listed.fake.listings_page = 2
    assert len(listings(listed, wallet)["listings"]) == 5
    assert len(listed.fake.seen["ListOwnListings"]) == 3


def test_an_id_may_be_shortened_as_far_as_it_names_one(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    listed.fake.in_force(listing_id=b"\x01\x02" * 8)
    assert listings(listed, wallet, "0101")["listings"][0]["listing_id"] == "01" * 16
    assert "several listings" in listings(listed, wallet, "01", code=2)["advice"]
    assert "no listing" in listings(listed, wallet, "ff", code=2)["advice"]


def test_who_was_told_is_shown_with_the_recall(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    at = to_timestamp(listed.fake.at)
    recipient = v1.ListingRecipient(lender="lendwell", told_at=at, recalled=True)
    listed.fake.bend_own = lambda own: own.recipients.append(recipient)
    assert "lendwell" in text(listed, "wallet", "listings", "01", *wallet)
    (told,) = listings(listed, wallet)["listings"][0]["recipients"]
    assert (told["lender"], told["recalled"], told["acknowledged_at"]) == ("lendwell", True, None)


# The exchange lies ------------------------------------------------------------------------------


def test_a_listing_that_does_not_hold_is_shown_loudly_and_kept(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.in_force().disputed().ruled(UPHELD)

    def revive(own: v1.OwnListing) -> None:
        own.state = own.steps[-1].state = ListingState.LISTING_STATE_EFFECTIVE

    listed.fake.bend_own = revive
    facts = listings(listed, wallet, code=1)
    assert not facts["ok"]
    assert facts["listings"][0]["problems"] == [
        "step 6: it leads to withdrawn, and is shown with effective"
    ]
    (kept,) = facts["evidence"]
    assert v1.OwnListing.FromString(Path(kept).read_bytes()).steps
    assert Path(kept).stat().st_mode & 0o077 == 0
    shown = text(listed, "wallet", "listings", *wallet, code=1)
    assert "WHAT THE EXCHANGE SHOWS DOES NOT HOLD" in shown
    assert "DOES NOT HOLD: it leads to withdrawn" in text(
        listed, "wallet", "listings", "01", *wallet, code=1
    )
    assert facts["evidence"] == listings(listed, wallet, code=1)["evidence"]  # kept once


def test_a_ruling_whose_signer_was_swapped_is_found(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force().disputed().ruled(REJECTED)

    def swap(own: v1.OwnListing) -> None:
        ruling = v1.Ruling.FromString(own.steps[-1].statement.payload)
        ruling.reviewer = SECOND_REVIEWER
        own.steps[-1].statement.CopyFrom(seal(ruling, signer(SECOND_REVIEWER)))

    listed.fake.bend_own = swap
    problems = listings(listed, wallet, code=1)["listings"][0]["problems"]
    assert problems == [f"step 6: {SECOND_REVIEWER} decided, and {REVIEWER} was asked"]


def test_a_step_that_was_shown_before_and_is_dropped_is_found(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.in_force().event(STATE)
    listings(listed, wallet)

    def drop(own: v1.OwnListing) -> None:
        own.steps.pop()
        own.ClearField("words")
        own.shown.ClearField("words")

    listed.fake.bend_own = drop
    problems = listings(listed, wallet, code=1)["listings"][0]["problems"]
    assert problems == ["the first 5 steps are not those that you were shown before"]
    listed.fake.bend_own = lambda own: None
    listings(listed, wallet)  # what did not hold was not learned from


def test_a_listing_that_vanishes_is_found(listed: ListingDesk, wallet: Wallet) -> None:
    story = listed.fake.in_force()
    listings(listed, wallet)
    listed.fake.stories.clear()
    (problem,) = listings(listed, wallet, code=1)["problems"]
    assert (
        problem == f"listing {story.listing_id.hex()} was shown to you before and is left out now"
    )


def entry_of(desk: ListingDesk, subject_ref: bytes, act: v1.ListingAct) -> Draft:
    record = v1.LogRecord(
        record_id=new_id(),
        recorded_at=to_timestamp(desk.fake.at),
        subject_ref=subject_ref,
        listing=act,
    )
    serialised = record.SerializeToString(deterministic=True)
    kind = v1.LogEntryKind.LOG_ENTRY_KIND_LISTING
    return Draft(record.record_id, kind, subject_ref, serialised)


def test_a_step_that_nobody_saw_yet_is_found_in_the_log(
    listed: ListingDesk, wallet: Wallet
) -> None:
    """The exchange leaves the withdrawal off the end before the wallet ever saw it; the log has it."""
    story = listed.fake.in_force().event(WITHDRAW)
    listed.fake.log.fill(2)
    for step in story.steps:
        act = v1.ListingAct(
            listing_id=story.listing_id,
            kind=v1.ListingActKind.LISTING_ACT_KIND_EVENT,
            digest=digest_of(step.statement),
            state=step.state,
        )
        listed.fake.log.add(entry_of(listed, story.person.ref, act))
    assert listings(listed, wallet, "--against-log")["problems"] == []

    def hide(own: v1.OwnListing) -> None:
        own.steps.pop()
        own.state = own.steps[-1].state
        own.sources.append(FURNISHER)

    listed.fake.bend_own = hide
    (Path(wallet[1]) / "listings.json").unlink()  # its own memory would find it
    assert listings(listed, wallet)["ok"]
    (problem,) = listings(listed, wallet, "--against-log", code=1)["problems"]
    assert "is a step of listing 0101" in problem


def test_pages_that_do_not_go_on_are_refused(listed: ListingDesk, wallet: Wallet) -> None:
    for _ in range(3):
        listed.fake.in_force()
    listed.fake.listings_page = 0
    assert listings(listed, wallet, code=1)["reason"] == "ANSWER_NOT_VERIFIED"


def test_a_memory_that_was_damaged_is_said_to_be_and_not_begun_anew(
    listed: ListingDesk, wallet: Wallet
) -> None:
    path = Path(wallet[1]) / "listings.json"
    path.write_bytes(b"{")
    assert "listings.json" in listings(listed, wallet, code=2)["advice"]
    assert path.read_bytes() == b"{"


# The inbox --------------------------------------------------------------------------------------


def message(desk: ListingDesk, number: int, kind: int = 1, **fields: Any) -> v1.InboxMessage:
    given: dict[str, Any] = {
        "message_id": number.to_bytes(16, "big"),
        "kind": kind,
        "listing_id": b"\x01" * 16,
        "sent_at": to_timestamp(desk.fake.at),
        "text": f"Message {number}: [bold]you owe[/bold] us.",
    }
    return v1.InboxMessage(**(given | fields))


def test_the_inbox_is_read_once_and_again_on_request(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.inbox = [message(listed, 1), message(listed, 2, kind=2)]
    shown = text(listed, "wallet", "inbox", *wallet)
    assert "Message 1: [bold]you owe[/bold] us." in shown
    assert "listing notice" in shown
    assert "Nothing new; 2 messages in all" in text(listed, "wallet", "inbox", *wallet)
    listed.fake.inbox.append(message(listed, 3))
    facts = listed.json("wallet", "inbox", *wallet)
    assert [m["message_id"][-1] for m in facts["messages"]] == ["3"]
    facts = listed.json("wallet", "inbox", "--all", *wallet)
    assert [m["new"] for m in facts["messages"]] == [False, False, False]
    assert set(facts["messages"][0]) == {
        *("message_id", "kind", "listing_id", "sent_at", "new", "text"),
    }


def served(desk: ListingDesk, request: v1.Envelope, text: str) -> v1.NoticeProof:
    """Return the proof that an exchange makes of a notice fetched by ``request``."""
    return v1.NoticeProof(
        channel=v1.NoticeChannel.NOTICE_CHANNEL_INBOX,
        served_at=to_timestamp(desk.fake.at),
        notice_hash=hashlib.sha256(text.encode()).digest(),
        evidence_digest=digest_of(request),
    )


def test_a_notice_that_this_wallet_fetched_holds(listed: ListingDesk, wallet: Wallet) -> None:
    notice = message(listed, 1)
    listed.fake.inbox = [notice]
    listed.json("wallet", "inbox", *wallet)
    (asked,) = listed.fake.seen["ReadInbox"]
    story = listed.fake.story(days_ago=1).filed()
    story.at = listed.fake.at
    story.noticed(notice=served(listed, asked.request, notice.text))
    assert listings(listed, wallet)["ok"]


def test_a_notice_that_nobody_fetched_is_found(listed: ListingDesk, wallet: Wallet) -> None:
    memory = Path(wallet[1]) / "listings.json"
    listings(listed, wallet)
    remembered = json.loads(memory.read_bytes())
    remembered["since"] = (listed.fake.at - timedelta(days=9)).isoformat()
    memory.write_text(json.dumps(remembered))
    listed.fake.story(days_ago=1).filed().noticed()
    (listing,) = listings(listed, wallet, code=1)["listings"]
    assert listing["problems"] == [
        "step 2: the exchange says that you fetched the notice; this wallet did not"
    ]


def test_another_notice_than_the_one_that_was_read_is_found(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.inbox = [message(listed, 1)]
    listed.json("wallet", "inbox", *wallet)
    (asked,) = listed.fake.seen["ReadInbox"]
    story = listed.fake.story(days_ago=1).filed()
    story.at = listed.fake.at
    story.noticed(notice=served(listed, asked.request, "You owe somebody else."))
    (listing,) = listings(listed, wallet, code=1)["listings"]
    assert listing["problems"] == [
        "step 2: the notice that was served is not the one in your inbox"
    ]


# Disputes ---------------------------------------------------------------------------------------


def the_dispute(desk: ListingDesk, place: int = -1) -> v1.Dispute:
    request = desk.fake.seen["SubmitDispute"][place]
    return v1.Dispute.FromString(request.dispute.payload)


def test_a_dispute_goes_with_evidence_that_only_its_reviewer_reads(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.in_force()
    path = receipt(listed)
    facts = listed.json(
        *("wallet", "dispute", "01", "--ground", "paid", "--evidence", path),
        *("--reviewer", REVIEWER, *wallet),
    )
    assert (facts["state"], facts["reviewer"], facts["waits"]) == ("under review", REVIEWER, False)
    dispute = the_dispute(listed)
    assert dispute.stage == DisputeStage.DISPUTE_STAGE_REVIEW
    assert dispute.ground == DisputeGround.DISPUTE_GROUND_PAID
    assert list(dispute.evidence_hashes) == [hashlib.sha256(path.read_bytes()).digest()]
    request = listed.fake.seen["SubmitDispute"][0]
    (attachment,) = request.attachments
    opened = open_evidence(SEALING_KEYS[REVIEWER], attachment.sealed, dispute.dispute_id)
    assert (opened.content, opened.content_type) == (path.read_bytes(), "application/pdf")
    with pytest.raises(SealInvalidError):
        open_evidence(SEALING_KEYS[SECOND_REVIEWER], attachment.sealed, dispute.dispute_id)
    assert b"receipt of 3 March" not in request.SerializeToString()  # no file name goes along
    assert listings(listed, wallet)["listings"][0]["state"] == "under review"


def test_a_reviewer_is_drawn_who_is_no_party(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    facts = listed.json("wallet", "dispute", "01", "--ground", "amount", *wallet)
    assert facts["reviewer"] in {REVIEWER, SECOND_REVIEWER}


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (FURNISHER, "is a party to it"),
        (BUYER, "is no reviewer"),
        (APPEAL_BODY, "is no reviewer"),
        ("nobody", "is no reviewer"),
    ],
)
def test_nobody_else_can_be_named(
    listed: ListingDesk, wallet: Wallet, named: str, why: str
) -> None:
    listed.fake.in_force()
    facts = listed.json(
        *("wallet", "dispute", "01", "--ground", "paid", "--reviewer", named, *wallet), code=2
    )
    assert why in facts["advice"]
    assert "SubmitDispute" not in listed.fake.seen


def test_a_suspended_reviewer_cannot_be_named(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    listed.fake.federation.suspend(REVIEWER)
    arguments = ("wallet", "dispute", "01", "--ground", "paid", *wallet)
    assert listed.json(*arguments, "--reviewer", REVIEWER, code=2)
    assert listed.json(*arguments)["reviewer"] == SECOND_REVIEWER


def test_a_listing_is_contested_before_it_takes_effect(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.story(days_ago=2).filed().noticed()
    result = text(listed, "wallet", "contest", "01", "--ground", "not-mine", *wallet)
    assert "Contested it: ombuds-" in result
    assert "To be decided by" in result
    assert the_dispute(listed).stage == DisputeStage.DISPUTE_STAGE_CONTEST


def test_an_appeal_goes_to_another_and_names_the_ruling(
    listed: ListingDesk, wallet: Wallet
) -> None:
    story = listed.fake.in_force().disputed().ruled(REJECTED)
    facts = listed.json("wallet", "appeal", "01", "--ground", "claim-contested", *wallet)
    assert facts["reviewer"] in {APPEAL_BODY, SECOND_APPEAL_BODY}
    assert story.now.ruling is not None
    assert the_dispute(listed).ruling_id == story.now.ruling.ruling_id


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("contest", "use: concordat wallet dispute"),
        ("appeal", "no ruling on it that can be appealed"),
    ],
)
def test_the_wrong_command_names_the_right_one(
    listed: ListingDesk, wallet: Wallet, command: str, advice: str
) -> None:
    listed.fake.in_force()
    facts = listed.json("wallet", command, "01", "--ground", "paid", *wallet, code=2)
    assert advice in facts["advice"]
    listed.fake.story(days_ago=2).filed().noticed()
    facts = listed.json("wallet", "dispute", "02", "--ground", "paid", *wallet, code=2)
    assert "use: concordat wallet contest" in facts["advice"]


def test_a_dispute_that_gets_no_answer_waits_and_goes_out_again_byte_for_byte(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.in_force()
    listed.fake.refuse["SubmitDispute"] = list(DOWN)
    arguments = ("wallet", "dispute", "01", "--ground", "paid", *wallet)
    facts = listed.json(*arguments, code=3)
    assert facts["waits"]
    assert "it waits in the wallet" in facts["advice"]
    (path,) = waiting(wallet)
    assert path.stat().st_mode & 0o077 == 0
    sent = listed.fake.seen["SubmitDispute"]
    assert listed.json(*arguments)["state"] == "under review"
    assert len({request.SerializeToString() for request in sent}) == 1
    assert waiting(wallet) == []
    assert listings(listed, wallet)["ok"]


def test_whatever_waits_goes_out_with_any_command(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    listed.fake.refuse["SubmitDispute"] = list(DOWN)
    listed.json("wallet", "dispute", "01", "--ground", "paid", *wallet, code=3)
    shown = text(listed, "wallet", "listings", *wallet)
    assert "Sent from before: a dispute." in shown
    assert waiting(wallet) == []


def test_what_is_refused_for_good_waits_no_longer(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    listed.fake.refuse["SubmitDispute"] = [Refusal(Reason.REASON_DISPUTE_REPEATED)]
    facts = listed.json("wallet", "dispute", "01", "--ground", "paid", *wallet, code=1)
    assert (facts["reason"], facts["waits"]) == ("DISPUTE_REPEATED", False)
    assert waiting(wallet) == []


def test_a_dispute_that_the_exchange_took_in_and_hides_is_found(
    listed: ListingDesk, wallet: Wallet
) -> None:
    story = listed.fake.in_force()
    hidden = story.own()
    listed.json("wallet", "dispute", "01", "--ground", "paid", *wallet)
    listed.fake.bend_own = lambda own: own.CopyFrom(hidden)
    (listing,) = listings(listed, wallet, code=1)["listings"]
    assert listing["problems"] == [
        "1 of your own statements, which the exchange took in, are left out"
    ]


def test_evidence_beyond_its_bounds_is_told_before_anything_is_sent(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.in_force()
    arguments = ("wallet", "dispute", "01", "--ground", "paid", *wallet)
    large = receipt(listed, bytes(256 * 1024))
    assert "make it smaller" in listed.json(*arguments, "--evidence", large, code=2)["advice"]
    small = receipt(listed)
    many = [option for _ in range(5) for option in ("--evidence", small)]
    assert "at most 4" in listed.json(*arguments, *many, code=2)["advice"]
    assert "SubmitDispute" not in listed.fake.seen


# Words and settlement ---------------------------------------------------------------------------


def test_words_are_attached_replaced_and_taken_away(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    text(listed, "wallet", "statement", "01", "I was in hospital.", *wallet)
    assert listings(listed, wallet)["listings"][0]["words"] == "I was in hospital."
    listed.json("wallet", "statement", "01", "我已还清", "--language", "zh-Hans", *wallet)
    listing = listings(listed, wallet)["listings"][0]
    assert (listing["words"], listing["shown"]["words_language"]) == ("我已还清", "zh-Hans")
    listed.json("wallet", "statement", "01", "--remove", *wallet)
    listing = listings(listed, wallet)["listings"][0]
    assert (listing["words"], listing["holds"]) == (None, True)


def test_too_many_words_are_told_before_anything_is_sent(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.in_force()
    facts = listed.json("wallet", "statement", "01", "word " * 201, *wallet, code=1)
    assert facts["reason"] == "WORDS_TOO_MANY"
    assert "SubmitSubjectEvent" not in listed.fake.seen


@pytest.mark.parametrize("arguments", [("01",), ("01", "words", "--remove")])
def test_words_are_given_or_taken_away(
    listed: ListingDesk, wallet: Wallet, arguments: tuple[str, ...]
) -> None:
    assert listed.run("wallet", "statement", *arguments, *wallet).exit_code == 2


def test_a_payment_is_reported_with_the_hash_of_its_receipt(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.in_force()
    path = receipt(listed)
    day = listed.fake.at - timedelta(days=2)
    arguments = ("wallet", "settle", "01", "--receipt", path, "--paid-on", f"{day:%Y-%m-%d}")
    assert listed.json(*arguments, *wallet)["state"] == "settled"
    (request,) = listed.fake.seen["SubmitSubjectEvent"]
    settlement = v1.ListingEvent.FromString(request.event.payload).settlement
    assert settlement.receipt_hash == hashlib.sha256(path.read_bytes()).digest()
    assert path.read_bytes() not in request.SerializeToString()
    assert listings(listed, wallet)["ok"]


def test_a_payment_in_the_future_is_told_at_once(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force()
    day = listed.fake.at + timedelta(days=2)
    arguments = ("--receipt", receipt(listed), "--paid-on", f"{day:%Y-%m-%d}", *wallet)
    assert "future" in listed.json("wallet", "settle", "01", *arguments, code=2)["advice"]


def test_a_settlement_that_a_source_reported_shows(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.in_force().event(SETTLE, by=Party(Actor.FURNISHER, FURNISHER))
    shown = text(listed, "wallet", "listings", *wallet)
    assert "in force, settled" in shown
