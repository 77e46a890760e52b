"""`concordat review` as a reviewer types it: the queue, the evidence, the ruling."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.sdk.subject_requests import Grievance, make_dispute
from clients.sdk.wallet import WalletKey
from concordat import v1
from concordat.federation.evidence import Evidence
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.trust.sealed import SealingKey
from concordat.v1 import DisputeGround, DisputeStage, Reason, RulingOutcome
from tests.builders import LENDER, signer
from tests.listing_builders import (
    APPEAL_BODY,
    EXTEND,
    FURNISHER,
    REJECTED,
    REVIEWER,
    SECOND_REVIEWER,
)
from tests.own_listing_builders import SEALING_KEYS, Story
from tests.unit.clients.cli.conftest import ListingDesk

DOWN = [Refusal(Reason.REASON_UNAVAILABLE)] * 4
PDF = b"%PDF-1.7 paid in full"


def judge(desk: ListingDesk, name: str = REVIEWER) -> tuple[object, ...]:
    folder = desk.member(name)
    SEALING_KEYS[name].save(folder / "sealing.key", None)
    return (*desk.trust, "--member", folder)


def disputed(
    desk: ListingDesk, *evidence: bytes, sealed_to: SealingKey | None = None, **fields: Any
) -> Story:
    """Return a story that ada disputes as her wallet does, with evidence sealed to the reviewer."""
    fake = desk.fake
    story = fake.in_force(**fields)
    grievance = Grievance(
        listing_id=story.listing_id,
        stage=DisputeStage.DISPUTE_STAGE_REVIEW,
        ground=DisputeGround.DISPUTE_GROUND_PAID,
        evidence=[Evidence.of(content) for content in evidence],
    )
    key = WalletKey(fake.person.signer, fake.person.binding)
    reviewer = fake.federation.member(REVIEWER)
    request = make_dispute(key, fake.federation.name, grievance, reviewer, fake.at)
    story.take(request.dispute)
    dispute_id = v1.Dispute.FromString(request.dispute.payload).dispute_id
    attachments = list(request.attachments)
    if sealed_to is not None:
        attachments = [
            v1.SealedAttachment(
                sealed=Evidence.of(content).seal_to(sealed_to.public_key, dispute_id)
            )
            for content in evidence
        ]
    fake.attachments[dispute_id] = attachments
    return story


def open_id(story: Story) -> str:
    assert story.now.dispute is not None
    return story.now.dispute.dispute_id.hex()


# The queue --------------------------------------------------------------------------------------


def test_the_nearest_deadline_stands_first_and_what_is_overdue_in_red(
    listed: ListingDesk,
) -> None:
    late = listed.fake.in_force(days_ago=90)
    late.at = listed.fake.at - timedelta(days=31)
    late.disputed(evidence=("late",))
    soon = disputed(listed)
    reviewer = judge(listed)
    facts = listed.json("review", "queue", *reviewer)
    assert [review["dispute_id"] for review in facts["reviews"]] == [open_id(late), open_id(soon)]
    assert [review["overdue"] for review in facts["reviews"]] == [True, False]
    assert set(facts["reviews"][0]) == {
        *("dispute_id", "stage", "ground", "due_at", "days_left", "overdue", "extended"),
        *("listing_id", "subject_ref"),
    }
    shown = listed.run("review", "queue", *reviewer).stdout
    assert "OVERDUE" in shown
    assert "29 days" in shown


def test_an_empty_queue_says_so(listed: ListingDesk) -> None:
    assert "Nothing waits" in listed.run("review", "queue", *judge(listed)).stdout


def test_a_caller_who_may_not_decide_is_refused(listed: ListingDesk) -> None:
    listed.fake.refuse["ListReviews"] = [Refusal(Reason.REASON_ROLE_NOT_ALLOWED)]
    folder = ("--member", listed.member(LENDER))
    facts = listed.json("review", "queue", *listed.trust, *folder, code=1)
    assert facts["reason"] == "ROLE_NOT_ALLOWED"


# Evidence ---------------------------------------------------------------------------------------


def test_the_evidence_is_opened_and_saved_for_the_reviewer_alone(listed: ListingDesk) -> None:
    story = disputed(listed, PDF, b"plain words")
    folder = listed.folder / "evidence"
    facts = listed.json(
        "review", "show", open_id(story)[:20], *judge(listed), "--save-evidence", folder
    )
    assert [e["content_type"] for e in facts["evidence"]] == ["application/pdf", "text/plain"]
    assert [e["problem"] for e in facts["evidence"]] == ["", ""]
    first = Path(facts["evidence"][0]["saved_as"])
    assert first.name == hashlib.sha256(PDF).hexdigest()[:16] + ".pdf"
    assert first.read_bytes() == PDF
    assert first.stat().st_mode & 0o077 == 0
    (filing,) = facts["filings"]
    assert (filing["source"], filing["holds"]) == (FURNISHER, True)
    shown = listed.run(
        "review", "show", open_id(story), *listed.trust, "--member", listed.folder / REVIEWER
    ).stdout
    for words in ("The subject's evidence", "application/pdf", FURNISHER):
        assert words in shown


def test_evidence_sealed_to_somebody_else_is_told_and_the_rest_is_shown(
    listed: ListingDesk,
) -> None:
    story = disputed(listed, PDF, sealed_to=SEALING_KEYS[SECOND_REVIEWER])
    facts = listed.json("review", "show", open_id(story), *judge(listed))
    (evidence,) = facts["evidence"]
    assert "not sealed to this key" in evidence["problem"]
    assert evidence["sha256"] is None


def test_evidence_that_the_subject_did_not_name_is_told(listed: ListingDesk) -> None:
    """The exchange slips a piece of its own in: anybody can seal to a public key."""
    story = disputed(listed, PDF)
    assert story.now.dispute is not None
    dispute_id = story.now.dispute.dispute_id
    forged = Evidence.of(b"She never paid.").seal_to(SEALING_KEYS[REVIEWER].public_key, dispute_id)
    listed.fake.attachments[dispute_id].append(v1.SealedAttachment(sealed=forged))
    facts = listed.json("review", "show", open_id(story), *judge(listed))
    assert [e["problem"] for e in facts["evidence"]] == [
        "",
        "the subject's statement does not name it",
    ]


def test_a_key_that_is_not_at_hand_is_named(listed: ListingDesk) -> None:
    story = disputed(listed, PDF)
    folder = listed.member(REVIEWER)
    facts = listed.json("review", "show", open_id(story), *listed.trust, "--member", folder, code=2)
    assert "sealing.key" in facts["advice"]


def test_a_filing_that_its_source_did_not_sign_is_told(listed: ListingDesk) -> None:
    story = disputed(listed)

    def forge(review: v1.GetReviewResponse) -> None:
        filing = v1.ListingFiling.FromString(review.filings[0].payload)
        review.filings[0].CopyFrom(seal(filing, signer("mallory")))

    listed.fake.bend_review = forge
    facts = listed.json("review", "show", open_id(story), *judge(listed))
    assert not facts["filings"][0]["holds"]


def test_a_dispute_that_its_subject_did_not_sign_is_told(listed: ListingDesk) -> None:
    shown = ("review", "show", open_id(disputed(listed)), *judge(listed))
    assert listed.json(*shown)["fault"] == ""

    def forge(review: v1.GetReviewResponse) -> None:
        dispute = v1.Dispute.FromString(review.dispute.payload)
        review.dispute.CopyFrom(seal(dispute, signer("mallory")))

    listed.fake.bend_review = forge
    assert listed.json(*shown)["fault"]
    listed.fake.bend_review = lambda review: review.ClearField("binding")
    assert "no binding" in listed.json(*shown)["fault"]


def test_another_dispute_than_was_asked_for_is_refused(listed: ListingDesk) -> None:
    story = disputed(listed)

    def swap(review: v1.GetReviewResponse) -> None:
        dispute = v1.Dispute.FromString(review.dispute.payload)
        dispute.listing_id = bytes(16)
        review.dispute.payload = dispute.SerializeToString()

    listed.fake.bend_review = swap
    facts = listed.json("review", "show", open_id(story), *judge(listed), code=1)
    assert facts["reason"] == "ANSWER_NOT_VERIFIED"


# Rulings ----------------------------------------------------------------------------------------


def the_ruling(desk: ListingDesk, place: int = -1) -> v1.Ruling:
    return v1.Ruling.FromString(desk.fake.seen["SubmitRuling"][place].ruling.payload)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("upheld", "withdrawn"), ("rejected", "effective"), ("unverifiable", "withdrawn")],
)
def test_a_dispute_is_decided(listed: ListingDesk, outcome: str, state: str) -> None:
    story = disputed(listed)
    facts = listed.json(
        *("review", "rule", open_id(story), outcome, "--reasons", "No payment is on record."),
        *("--yes", *judge(listed)),
    )
    assert facts["state"] == state
    ruling = the_ruling(listed)
    assert ruling.reasons == "No payment is on record."
    assert story.check().problems == ()


def test_facts_are_rectified_and_what_is_not_given_stays(listed: ListingDesk) -> None:
    story = disputed(listed)
    (listed.folder / "contract.pdf").write_bytes(PDF)
    (listed.folder / "why.txt").write_text("Half of it is paid.\n")
    facts = listed.json(
        *("review", "rule", open_id(story), "rectified", "--amount", "250.50"),
        *("--evidence", listed.folder / "contract.pdf"),
        *("--reasons-file", listed.folder / "why.txt", "--yes", *judge(listed)),
    )
    assert (facts["state"], facts["version"]) == ("effective", 2)
    ruling = the_ruling(listed)
    assert ruling.outcome == RulingOutcome.RULING_OUTCOME_RECTIFIED
    assert (ruling.correction.amount.minor, ruling.correction.amount.currency) == (25_050, "EUR")
    assert ruling.correction.evidence_hash == hashlib.sha256(PDF).digest()
    assert ruling.reasons == "Half of it is paid."
    assert story.now.amount == 25_050


@pytest.mark.parametrize(
    "options",
    [
        ("rectified", "--reasons", "x"),
        ("upheld", "--reasons", "x", "--amount", "5"),
        ("rejected", "--reasons", "x", "--not-settled"),
        ("maybe", "--reasons", "x"),
    ],
)
def test_what_does_not_go_together_is_told_at_once(
    listed: ListingDesk, options: tuple[str, ...]
) -> None:
    story = disputed(listed)
    result = listed.run("review", "rule", open_id(story), *options, "--yes", *judge(listed))
    assert result.exit_code == 2
    assert "SubmitRuling" not in listed.fake.seen


@pytest.mark.parametrize("amount", ["-5", "5.5", "1e3", "5,00", ""])
def test_an_amount_is_read_strictly(listed: ListingDesk, amount: str) -> None:
    story = disputed(listed)
    (listed.folder / "contract.pdf").write_bytes(PDF)
    arguments = ("--evidence", listed.folder / "contract.pdf", "--reasons", "x", "--yes")
    result = listed.run(
        *("review", "rule", open_id(story), "rectified", f"--amount={amount}", *arguments),
        *judge(listed),
    )
    assert result.exit_code == (2 if amount else 0)


def test_a_ruling_has_reasons(listed: ListingDesk) -> None:
    story = disputed(listed)
    facts = listed.json("review", "rule", open_id(story), "upheld", "--yes", *judge(listed), code=2)
    assert "has reasons" in facts["advice"]


def test_nothing_is_handed_in_without_a_yes(listed: ListingDesk) -> None:
    story = disputed(listed)
    arguments = ("review", "rule", open_id(story), "upheld", "--reasons", "She paid.")
    result = listed.run(*arguments, *judge(listed), stdin="n\n")
    assert result.exit_code == 1
    assert "SubmitRuling" not in listed.fake.seen


def test_a_ruling_that_gets_no_answer_goes_out_again_byte_for_byte(listed: ListingDesk) -> None:
    story = disputed(listed)
    reviewer, dispute = judge(listed), open_id(story)
    listed.fake.refuse["SubmitRuling"] = list(DOWN)
    arguments = ("review", "rule", dispute, "upheld", "--reasons", "She paid.", "--yes", *reviewer)
    assert listed.json(*arguments, code=3)["reason"] == "UNAVAILABLE"
    (kept,) = (listed.folder / REVIEWER / "rulings").iterdir()
    assert kept.name == f"{dispute}.pending.env"
    other = ("review", "rule", dispute, "rejected", "--reasons", "No.", "--yes", *reviewer)
    assert "was signed before" in listed.json(*other, code=2)["advice"]
    assert listed.json(*arguments)["state"] == "withdrawn"
    sent = {request.ruling.SerializeToString() for request in listed.fake.seen["SubmitRuling"]}
    assert len(sent) == 1
    assert [path.name for path in kept.parent.iterdir()] == [f"{dispute}.env"]


def test_a_ruling_that_is_refused_makes_way_for_another(listed: ListingDesk) -> None:
    story = disputed(listed)
    reviewer, dispute = judge(listed), open_id(story)
    listed.fake.refuse["SubmitRuling"] = [Refusal(Reason.REASON_CORRECTION_NOT_FAVOURABLE)]
    arguments = ("review", "rule", dispute, "upheld", "--reasons", "She paid.", "--yes", *reviewer)
    listed.json(*arguments, code=1)
    other = ("review", "rule", dispute, "rejected", "--reasons", "No.", "--yes", *reviewer)
    assert listed.json(*other)["state"] == "effective"


def test_an_appeal_body_sees_the_ruling_that_is_appealed(listed: ListingDesk) -> None:
    story = listed.fake.in_force().disputed().ruled(REJECTED).appealed()
    shown = listed.json("review", "show", open_id(story), *judge(listed, APPEAL_BODY))
    assert shown["stage"] == "appeal"
    assert shown["appealed_ruling"]["reviewer"] == REVIEWER
    assert shown["appealed_ruling"]["outcome"] == "rejected"


def test_a_forged_ruling_is_not_shown_as_the_one_appealed(listed: ListingDesk) -> None:
    story = listed.fake.in_force().disputed().ruled(REJECTED).appealed()

    def forge(review: v1.GetReviewResponse) -> None:
        ruling = v1.Ruling.FromString(review.ruling.payload)
        review.ruling.CopyFrom(seal(ruling, signer("mallory")))

    listed.fake.bend_review = forge
    facts = listed.json("review", "show", open_id(story), *judge(listed, APPEAL_BODY), code=1)
    assert facts["reason"] == "ANSWER_NOT_VERIFIED"


# Beside ruling ----------------------------------------------------------------------------------


def test_more_time_is_taken_with_reasons(listed: ListingDesk) -> None:
    story = disputed(listed)
    reasons = ("--reasons", "The archive is abroad.")
    result = listed.run("review", "extend", open_id(story), *reasons, *judge(listed))
    assert "More time is taken" in result.stdout
    assert story.now.dispute is not None
    assert story.now.dispute.extended
    event = v1.ListingEvent.FromString(listed.fake.seen["SubmitReviewEvent"][0].event.payload)
    assert (event.action, event.extension.reasons) == (EXTEND, "The archive is abroad.")


def test_a_review_is_opened_of_ones_own_motion(listed: ListingDesk) -> None:
    story = listed.fake.in_force()
    facts = listed.json(
        *("review", "open", story.listing_id.hex(), "--subject", story.person.ref.hex()),
        *("--ground", "ineligible", *judge(listed)),
    )
    assert facts["state"] == "under review"


def test_a_listing_is_struck_out_before_its_effect(listed: ListingDesk) -> None:
    story = listed.fake.story(days_ago=2).filed().noticed()
    story.at = listed.fake.at + timedelta(seconds=5)
    facts = listed.json(
        *("review", "strike-out", story.listing_id.hex()),
        *("--subject", story.person.ref.hex(), *judge(listed)),
    )
    assert facts["state"] == "withdrawn"
    assert story.check().problems == ()


def test_an_id_that_is_none_is_told_at_once(listed: ListingDesk) -> None:
    arguments = ("review", "strike-out", "0102", "--subject", "00" * 32)
    assert listed.run(*arguments, *judge(listed)).exit_code == 2
    assert "SubmitReviewEvent" not in listed.fake.seen
