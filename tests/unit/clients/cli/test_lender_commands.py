"""`concordat lender`, as it is typed: outcomes of one and of many, what is owed, a watch that forgets nothing."""

import csv
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.cli import lender_watch
from clients.sdk.outcome_events_file import COLUMNS
from clients.sdk.permission_file import load_permission
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import save_bundle
from concordat.refusal import Refusal
from concordat.v1 import DecisionReason, LenderChangeKind, OutcomeKind, Reason, ReviewerRole
from tests.builders import LENDER
from tests.fake_lenders import Watched
from tests.unit.clients.cli.conftest import Desk

REF, DIGEST = "11" * 32, "22" * 32


class LenderDesk(Desk):
    fake: Watched

    @property
    def lender(self) -> tuple[str, ...]:
        folder = self.folder / LENDER
        return (*self.trust, "--member", str(folder if folder.exists() else self.member(LENDER)))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LenderDesk]:
    with Watched(datetime.now(UTC)) as fake:
        save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
        yield LenderDesk(fake, tmp_path)


def write(path: Path, *rows: tuple[str, ...]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


def test_the_outcome_of_one_view_is_reported_with_its_reasons(desk: LenderDesk) -> None:
    view = desk.folder / "view.cbundle"
    asked = desk.run(*desk.request("--out", view))
    assert asked.exit_code == 0, asked.output
    shown = desk.json("view", "show", view, *desk.trust)
    desk.fake.known = {bytes.fromhex(shown["access_id"])}
    command = ("lender", "outcome", "report", *desk.lender, "--view", view)
    reasons = ("--reason", "high-debt", "--reason", "score-band")
    told = desk.json(*command, "--outcome", "not-granted", *reasons, "--reviewer", "credit-officer")
    assert (told["reported"], told["outcomes"][0]["unreviewed"]) == (1, False)
    (event,) = desk.fake.reported
    assert event.outcome == OutcomeKind.OUTCOME_KIND_NOT_GRANTED
    assert event.reviewer_role == ReviewerRole.REVIEWER_ROLE_CREDIT_OFFICER
    assert event.reasons == [
        DecisionReason.DECISION_REASON_HIGH_DEBT,
        DecisionReason.DECISION_REASON_SCORE_BAND,
    ]
    unreviewed = desk.run(*command, "--outcome", "not-granted", *reasons)
    assert "with no person's review: that is flagged" in " ".join(unreviewed.stdout.split())
    assert desk.json(*command, "--outcome", "not-granted", code=1)["reported"] == 0
    assert "none of granted" in desk.json(*command, "--outcome", "denied", code=2)["advice"]
    assert len(desk.fake.reported) == 2


def test_lines_that_do_not_pass_hold_up_no_others_and_are_kept(desk: LenderDesk) -> None:
    desk.fake.known = {bytes.fromhex("aa" * 16)}
    when = desk.fake.at.isoformat()
    file = write(
        desk.folder / "many.csv",
        ("aa" * 16, REF, DIGEST, "granted", "", "", when, ""),
        ("bb" * 16, REF, DIGEST, "granted", "", "", when, "1"),
        ("aa" * 16, REF, DIGEST, "refused", "", "", when, ""),
        ("aa" * 16, REF, DIGEST, "not-granted", "", "", when, "2"),
        ("aa", REF, DIGEST, "granted", "", "", when, ""),
    )
    rejects = desk.folder / "rejects.csv"
    command = ("lender", "outcome", "report", *desk.lender, "--file", file, "--rejects", rejects)
    told = desk.json(*command, code=1)
    assert told["reported"] == len(desk.fake.reported) == 1
    assert [each["line"] for each in told["outcomes"] if each["error"]] == [3, 4, 5, 6]
    assert told["outcomes"][1]["reason"] == "ACCESS_UNKNOWN"
    with rejects.open(newline="") as kept:
        errors = [row["error"] for row in csv.DictReader(kept)]
    starts = ("ACCESS_UNKNOWN: ", "'refused' is none of granted", "", "access_id must be 32 digits")
    assert all(error.startswith(start) for error, start in zip(errors, starts, strict=True))
    assert "what was not granted has a reason" in errors[2]


@pytest.mark.parametrize("head", ["access_id,name", ",".join([*COLUMNS, "name"])])
def test_a_file_with_other_columns_is_not_read(desk: LenderDesk, head: str) -> None:
    (desk.folder / "names.csv").write_text(f"{head}\n")
    command = ("lender", "outcome", "report", *desk.lender, "--file", desk.folder / "names.csv")
    assert "no other column" in desk.json(*command, code=2)["advice"]


def test_what_is_owed_is_listed_and_written_to_be_filled_in(desk: LenderDesk) -> None:
    assert "No outcome is owed" in desk.run("lender", "outcome", "due", *desk.lender).stdout
    for days in (31, 21):
        asked = desk.fake.at - timedelta(days=days)
        desk.fake.due.append(
            v1.OutcomeDue(
                access_id=bytes([days]) * 16,
                subject_ref=bytes.fromhex(REF),
                answer_digest=bytes.fromhex(DIGEST),
                purpose=v1.Purpose.PURPOSE_CREDIT_APPLICATION,
                accessed_at=to_timestamp(asked),
                due_by=to_timestamp(asked + timedelta(days=30)),
            )
        )
    out = desk.folder / "owed.csv"
    told = desk.json("lender", "outcome", "due", *desk.lender, "--out", out)
    assert [each["overdue"] for each in told["due"]] == [True, False]
    with out.open(newline="") as file:
        assert [row["access_id"] for row in csv.DictReader(file)] == ["1f" * 16, "15" * 16]


def test_a_watch_tells_each_change_once_and_goes_on_where_it_was(desk: LenderDesk) -> None:
    command = ("lender", "watch", *desk.lender, "--state", desk.folder / "watch.db", "--once")
    desk.fake.change(LenderChangeKind.LENDER_CHANGE_KIND_LISTING_IN_FORCE)
    desk.fake.change(LenderChangeKind.LENDER_CHANGE_KIND_REVIEW_DUE)
    lines = [json.loads(line) for line in desk.run(*command, "--json").stdout.splitlines()]
    assert [(each["cursor"], each["kind"]) for each in lines] == [
        (2, "listing in force"),
        (3, "review due"),
    ]
    assert desk.run(*command).stdout == ""
    desk.fake.change(LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_ENDED)
    assert "the consent has ended" in desk.run(*command).stdout


def test_a_watch_reviews_with_the_consents_at_hand(desk: LenderDesk) -> None:
    desk.request()  # leaves ada.consent
    permission = load_permission(desk.folder / "ada.consent")
    consent = v1.Consent.FromString(permission.consent.payload)
    state = desk.folder / "watch.db"
    command = ("lender", "watch", *desk.lender, "--state", state, "--once", "--json")
    reviewing = (*command, "--consents", desk.folder)
    due = LenderChangeKind.LENDER_CHANGE_KIND_REVIEW_DUE
    desk.fake.change(due, consent.consent_id)
    desk.fake.change(due, bytes(16))
    lines = [json.loads(line) for line in desk.run(*reviewing).stdout.splitlines()]
    assert [(each["cursor"], each["missed"]) for each in lines] == [(3, "CONSENT_NOT_AT_HAND")]
    with sqlite3.connect(state) as database:
        database.execute("UPDATE standing SET standing = 'E'")
    database.close()
    desk.fake.change(due, consent.consent_id)
    (line,) = map(json.loads, desk.run(*reviewing).stdout.splitlines())
    assert (line["kind"], line["before"], line["after"]) == ("band changed", "E", "A")
    empty = desk.folder / "empty"
    empty.mkdir()
    assert desk.json(*command, "--consents", empty, code=2)["reason"] == "LOCAL"


def test_a_watch_that_missed_changes_says_so_and_begins_anew_on_demand(desk: LenderDesk) -> None:
    command = ("lender", "watch", *desk.lender, "--state", desk.folder / "watch.db", "--once")
    desk.fake.change(LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_PAUSED)
    assert desk.run(*command).exit_code == 0
    desk.fake.refusal = Refusal(Reason.REASON_CURSOR_UNKNOWN)
    assert desk.json(*command, code=1)["reason"] == "CURSOR_UNKNOWN"
    desk.fake.refusal = None
    assert "the consent is paused" in desk.run(*command, "--anew").stdout


def test_a_watch_waits_for_an_exchange_that_is_away(
    desk: LenderDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        desk.fake.change(LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_ENDED)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(lender_watch, "SLEEP", sleep)
    told = desk.run("lender", "watch", *desk.lender, "--state", desk.folder / "watch.db")
    assert told.stdout.count("the consent has ended") == 2
    assert slept == [1.0, 1.0, 1.0]
