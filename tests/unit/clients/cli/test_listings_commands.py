"""`concordat listings` as a lender types it: check, screen, and what is recalled."""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.sdk import dump_permission
from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.v1 import DataCategory, Reason
from tests.builders import LENDER
from tests.unit.clients.cli.conftest import ListingDesk

LISTINGS, FLAGS = DataCategory.DATA_CATEGORY_LISTINGS, DataCategory.DATA_CATEGORY_FLAGS
ADA_SAYS = v1.SubjectWords(text="I was in hospital.", language="en")


@pytest.fixture
def lender(listed: ListingDesk) -> tuple[object, ...]:
    return (*listed.trust, "--member", listed.member(LENDER))


def shown(desk: ListingDesk, **fields: Any) -> v1.ListingInView:
    """Return a debt in force as a lender is told of it."""
    today = desk.fake.at.replace(hour=0, minute=0, second=0, microsecond=0)
    given: dict[str, Any] = {
        "kind": v1.ListingKind.LISTING_KIND_DEBT,
        "mark": v1.ListingMark.LISTING_MARK_EFFECTIVE,
        "band": v1.AmountBand.AMOUNT_BAND_LARGE,
        "basis": v1.ListingBasis.LISTING_BASIS_LOAN,
        "delinquent_since": to_timestamp(today - timedelta(days=400)),
        "effective_since": to_timestamp(today - timedelta(days=200)),
        "expires_at": to_timestamp(today + timedelta(days=900)),
        "words": ADA_SAYS,
    }
    return v1.ListingInView(**(given | fields))


def permission(desk: ListingDesk, *categories: DataCategory.ValueType) -> Path:
    path = desk.folder / "ada.consent"
    given = desk.fake.permission(data_categories=categories or [LISTINGS, FLAGS])
    path.write_bytes(dump_permission(given))
    return path


# Check ------------------------------------------------------------------------------------------


def test_a_lender_reads_listings_flags_and_the_subjects_own_words(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.told.listings.append(shown(listed))
    listed.fake.flags.fraud_alert = True
    consent = ("--consent", permission(listed))
    result = listed.run("listings", "check", *lender, *consent)
    assert result.exit_code == 0, result.output
    for words in ("debt", "loan", "large", "effective", "I was in hospital.", "FRAUD ALERT"):
        assert words in result.stdout
    facts = listed.json("listings", "check", *lender, *consent, "--out", listed.folder / "a.env")
    assert set(facts) == {
        *("ok", "subject_ref", "purpose", "listings", "flags", "answer_id", "answer_digest"),
        *("access_id", "log_index", "issued_at", "delete_by", "out"),
    }
    (listing,) = facts["listings"]
    assert (listing["mark"], listing["words"]) == ("effective", "I was in hospital.")
    assert facts["flags"] == {"frozen": False, "fraud_alert": True}
    envelope = v1.Envelope.FromString(Path(facts["out"]).read_bytes())
    assert digest_of(envelope).hex() == facts["answer_digest"]


def test_what_the_consent_does_not_cover_is_not_there(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    consent = ("--consent", permission(listed, FLAGS))
    facts = listed.json("listings", "check", *lender, *consent)
    assert facts["listings"] is None
    assert (
        "No freeze and no fraud alert." in listed.run("listings", "check", *lender, *consent).stdout
    )


def test_nobody_listed_reads_so(listed: ListingDesk, lender: tuple[object, ...]) -> None:
    result = listed.run("listings", "check", *lender, "--consent", permission(listed, LISTINGS))
    assert "No listing in force." in result.stdout


def test_an_answer_that_does_not_hold_is_not_shown(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.bend_answer = lambda answer: setattr(answer, "subject_ref", bytes(32))
    facts = listed.json("listings", "check", *lender, "--consent", permission(listed), code=1)
    assert facts["reason"] == "ANSWER_NOT_VERIFIED"
    assert "another subject" in facts["advice"]


def test_a_frozen_subject_is_told_as_refused(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.refuse["CheckListings"] = [Refusal(Reason.REASON_SUBJECT_FROZEN)]
    facts = listed.json("listings", "check", *lender, "--consent", permission(listed), code=1)
    assert facts["reason"] == "SUBJECT_FROZEN"


def test_a_view_shows_listings_and_flags_beside_the_score(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.told.listings.append(shown(listed))
    listed.fake.flags.fraud_alert = True
    score = DataCategory.DATA_CATEGORY_SCORE
    arguments = (
        "view",
        "request",
        *lender,
        "--consent",
        permission(listed, score, LISTINGS, FLAGS),
    )
    result = listed.run(*arguments)
    assert result.exit_code == 0, result.output
    for words in ("points", "I was in hospital.", "FRAUD ALERT"):
        assert words in result.stdout
    facts = listed.json(*arguments)
    assert facts["listings"][0]["mark"] == "effective"
    assert facts["flags"]["fraud_alert"]
    plain = listed.json("view", "request", *lender, "--consent", permission(listed, score))
    assert (plain["listings"], plain["flags"]) == (None, None)


# Screen -----------------------------------------------------------------------------------------


def portfolio(desk: ListingDesk, count: int = 5, *, ada_at: int = 2) -> Path:
    ada = desk.fake.federation.subject("ada").ref
    path = desk.folder / "portfolio.csv"
    lines = ["subject_ref,consent_id,branch"]
    for number in range(count):
        ref = ada if number == ada_at else number.to_bytes(32, "big")
        lines.append(f"{ref.hex()},{number.to_bytes(16, 'big').hex()},north")
    path.write_text("\n".join(lines) + "\n")
    return path


def screen(
    desk: ListingDesk, lender: tuple[object, ...], file: Path, *options: object, code: int = 0
) -> tuple[Any, list[dict[str, str]]]:
    out = desk.folder / "results.csv"
    facts = desk.json("listings", "screen", file, *lender, "--out", out, *options, code=code)
    if not out.exists():
        return facts, []
    with out.open(encoding="utf-8", newline="") as results:
        return facts, list(csv.DictReader(results))


def test_a_portfolio_is_screened_in_packed_batches(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.told.listings.append(shown(listed))
    listed.fake.flags.fraud_alert = True
    listed.fake.refusals[(4).to_bytes(32, "big")] = Reason.REASON_CONSENT_REVOKED
    answers = listed.folder / "answers"
    facts, lines = screen(listed, lender, portfolio(listed), "--batch", 2, "--answers", answers)
    assert facts["subjects"] == 5
    assert (facts["answered"], facts["refused"], facts["with_listings"]) == (4, 1, 1)
    assert facts["with_fraud_alert"] == 1
    messages = listed.fake.seen["ScreenListings"]
    sizes = [len(v1.ScreenRequest.FromString(m.request.payload).consent_ids) for m in messages]
    assert sizes == [32, 32, 16]
    assert [line["result"] for line in lines] == ["answered"] * 4 + ["refused"]
    assert (lines[2]["listings"], lines[2]["fraud_alert"]) == ("1", "true")
    assert json.loads(lines[2]["details"])[0]["words"] == "I was in hospital."
    assert (lines[4]["reason"], lines[4]["access_id"]) == ("CONSENT_REVOKED", "")
    kept = [v1.Envelope.FromString(path.read_bytes()) for path in sorted(answers.iterdir())]
    assert digest_of(kept[1]).hex() == lines[2]["answer_digest"] == lines[3]["answer_digest"]


def test_a_person_reads_how_it_went(listed: ListingDesk, lender: tuple[object, ...]) -> None:
    out = ("--out", listed.folder / "results.csv")
    result = listed.run("listings", "screen", portfolio(listed), *lender, *out)
    assert result.exit_code == 0, result.output
    assert "5 subjects: 5 answered, 0 refused" in result.stdout


def test_a_subject_that_stands_twice_is_asked_in_two_messages(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    file = portfolio(listed)
    with file.open("a") as more:
        more.write(f"{listed.fake.federation.subject('ada').ref.hex()},{'77' * 16},south\n")
    facts, lines = screen(listed, lender, file)
    assert facts["answered"] == len(lines) == 6
    assert len(listed.fake.seen["ScreenListings"]) == 2


def test_a_message_that_is_refused_leaves_the_others(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.refuse["ScreenListings"] = [Refusal(Reason.REASON_LISTINGS_STALE)]
    facts, lines = screen(listed, lender, portfolio(listed), "--batch", 3, code=1)
    assert (facts["message_refused"], facts["answered"]) == (3, 2)
    assert {line["reason"] for line in lines[:3]} == {"LISTINGS_STALE"}


def test_an_answer_that_does_not_verify_is_written_as_such(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.bend_screen = lambda answer: setattr(answer, "results", answer.results[:-1])
    facts, lines = screen(listed, lender, portfolio(listed), code=1)
    assert facts["not_verified"] == 5
    assert "not one result for each" in lines[0]["reason"]


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("ref,consent\n", "the first line names the columns"),
        ("subject_ref,consent_id\nzz,00\n", "line 2: subject_ref is not 32 bytes"),
        (f"subject_ref,consent_id\n{'00' * 32},0\n", "line 2: consent_id is not 16 bytes"),
        (f"subject_ref,consent_id\n{'00' * 32}\n", "line 2: consent_id is not 16 bytes"),
    ],
)
def test_a_bad_line_is_named_before_anybody_is_asked(
    listed: ListingDesk, lender: tuple[object, ...], content: str, advice: str
) -> None:
    file = listed.folder / "bad.csv"
    file.write_text(content)
    facts, _ = screen(listed, lender, file, code=2)
    assert advice in facts["advice"]
    assert "ScreenListings" not in listed.fake.seen


# Retractions ------------------------------------------------------------------------------------


def test_what_is_recalled_is_listed_and_acknowledged(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.retract(b"\x0a" * 32, position=1)
    late = to_timestamp(listed.fake.at - timedelta(hours=1))
    made = to_timestamp(listed.fake.at - timedelta(days=4))
    listed.fake.retract(issued_at=made, acknowledge_by=late)
    facts = listed.json("listings", "retractions", *lender)
    assert [r["overdue"] for r in facts["retractions"]] == [False, True]
    first = facts["retractions"][0]
    assert (first["answer_digest"], first["position"]) == ("0a" * 32, 1)
    assert first["cause"] == "withdrawn"
    assert "AcknowledgeRetraction" not in listed.fake.seen
    result = listed.run("listings", "retractions", "--acknowledge", *lender)
    assert "Acknowledged: 2." in result.stdout
    assert listed.fake.retractions == []
    assert "Nothing is recalled." in listed.run("listings", "retractions", *lender).stdout


@pytest.mark.parametrize("forgery", [{"signed_by": LENDER}, {"signed_by": "mallory"}])
def test_a_forged_retraction_is_acknowledged_by_nobody(
    listed: ListingDesk, lender: tuple[object, ...], forgery: dict[str, Any]
) -> None:
    listed.fake.retract(**forgery)
    facts = listed.json("listings", "retractions", "--acknowledge", *lender, code=1)
    assert facts["reason"] == "ANSWER_NOT_VERIFIED"
    assert "AcknowledgeRetraction" not in listed.fake.seen


def test_a_retraction_for_another_lender_is_refused(
    listed: ListingDesk, lender: tuple[object, ...]
) -> None:
    listed.fake.retract(lender="otherlender")
    facts = listed.json("listings", "retractions", "--acknowledge", *lender, code=1)
    assert "is for otherlender" in facts["advice"]
