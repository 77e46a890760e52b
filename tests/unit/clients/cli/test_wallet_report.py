"""`concordat wallet report`, as it is typed: all of one's own score, in words that promise nothing."""

import base64
import json
from typing import Any

import pytest

from clients.cli import own_report_words
from concordat import v1
from concordat.pooling import CompiledCalibration, band_of, pool
from concordat.pooling.counterfactual import Change, Lift, Way
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.v1 import Reason
from concordat.verify.own_view import verify_own_view
from tests.builders import PROVIDERS, signer
from tests.unit.clients.cli.conftest import ListingDesk
from tests.view_builders import Absent, Failed

ONE, TWO, THREE = PROVIDERS
Wallet = tuple[str, str]


@pytest.fixture
def wallet(listed: ListingDesk) -> Wallet:
    listed.fake.own_answers = {ONE: 640, TWO: 600, THREE: Failed()}
    return listed.wallet()


def facts(desk: ListingDesk, wallet: Wallet, *options: object, code: int = 0) -> Any:
    return desk.json("wallet", "report", *options, *wallet, code=code)


def text(desk: ListingDesk, wallet: Wallet, *options: object) -> str:
    result = desk.run("wallet", "report", *options, *wallet)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.replace("│", " ").split())


def test_each_providers_part_adds_up_to_the_score(listed: ListingDesk, wallet: Wallet) -> None:
    told = facts(listed, wallet)
    score = told["score"]
    assert told["outcome"] == "partial"
    assert [part["provider"] for part in told["providers"]] == list(PROVIDERS)
    points = [part["points"] for part in told["providers"]]
    assert points[2] is None
    assert score["base_points"] + sum(points[:2]) == score["points"]
    assert told["providers"][0]["score"] == 640
    assert told["providers"][0]["model"] == "model-1"
    assert told["providers"][0]["as_of"] < told["issued_at"]
    assert told["providers"][0]["reasons"][0] == {"code": "BK01", "text": "Reason 1"}


def test_who_did_not_answer_is_said_to_have_moved_nothing(
    listed: ListingDesk, wallet: Wallet
) -> None:
    shown = text(listed, wallet)
    assert f"Missing: {THREE}. That moved the score neither way" in shown
    assert "timed out, which moved nothing" in shown


def test_what_would_lift_it_is_enough_and_is_told_in_words(
    listed: ListingDesk, wallet: Wallet
) -> None:
    told = facts(listed, wallet)
    lift = told["next_band"]
    calibration = listed.fake.federation.directory.calibration(listed.fake.at)
    for way in lift["ways"]:
        heard: dict[str, int | None] = {ONE: 640, TWO: 600}
        heard |= {each["provider"]: each["needed"] for each in way["changes"]}
        after = pool(
            CompiledCalibration.from_message(calibration.message), list(heard.items())
        ).points
        assert after == way["points"] >= lift["floor"]
        assert v1.Band.Name(band_of(after)) == f"BAND_{way['band']}"
        assert (
            f"everything else alike, you would have {after} points: band {way['band']}."
            in way["text"]
        )
    change = lift["ways"][0]["changes"][0]
    assert (
        f"If Alder-Bank's score rose from 640 to {change['needed']}, everything else alike"
    ) in text(listed, wallet)
    assert "It gave as its reasons: Reason 1 (BK01); Reason 2 (BK02)." in text(listed, wallet)


def test_a_step_that_lifts_by_two_bands_is_told_with_the_band_that_it_reaches(
    listed: ListingDesk, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way((Change(ONE, 640, 900),), 650)
    lift = Lift(600, v1.Band.BAND_B, (way,))
    monkeypatch.setattr(own_report_words, "lift_of", lambda *_: lift)
    assert "you would have 650 points: band A." in text(listed, wallet)
    assert facts(listed, wallet)["next_band"]["ways"][0]["band"] == "A"


def test_nothing_is_promised(listed: ListingDesk, wallet: Wallet) -> None:
    assert "no score is a promise of credit" in text(listed, wallet)


def test_what_took_points_is_told_with_its_reasons(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.own_answers = {ONE: 400, TWO: 700, THREE: Absent()}
    shown = text(listed, wallet)
    assert "Alder-Bank took" in shown
    assert "points: Reason 1 (BK01); Reason 2 (BK02)" in shown
    assert "has no record of you, which moved nothing" in shown


def test_the_best_band_needs_nothing_more(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.own_answers = dict.fromkeys(PROVIDERS, 850)
    assert facts(listed, wallet)["next_band"] is None
    assert "No band is better than yours." in text(listed, wallet)


def test_a_person_that_nobody_knows_is_told_so(listed: ListingDesk, wallet: Wallet) -> None:
    listed.fake.own_answers = dict.fromkeys(PROVIDERS, Absent())
    told = facts(listed, wallet)
    assert (told["score"], told["next_band"], told["costs"]) == (None, None, [])
    assert "No score: no provider has one that counts." in text(listed, wallet)


def test_only_those_named_are_asked(listed: ListingDesk, wallet: Wallet) -> None:
    told = facts(listed, wallet, "--provider", TWO)
    assert [part["provider"] for part in told["providers"]] == [TWO]


def test_the_copy_holds_all_and_anybody_can_check_it(listed: ListingDesk, wallet: Wallet) -> None:
    out = listed.folder / "my score.json"
    assert "Written to" in text(listed, wallet, "--out", out)
    copy = json.loads(out.read_text("utf-8"))
    bundle = v1.OwnViewBundle.FromString(base64.b64decode(copy["bundle"]))
    verified = verify_own_view(bundle, listed.fake.anchors)
    assert verified.score is not None
    assert verified.score.points == copy["score"]["points"]
    assert [check["ok"] for check in copy["checks"]] == [True] * len(verified.checks)


def test_a_copy_is_shown_again_with_nobody_asked(listed: ListingDesk, wallet: Wallet) -> None:
    out = listed.folder / "copy.json"
    told = facts(listed, wallet, "--out", out)
    listed.fake.seen.clear()
    again = facts(listed, wallet, "--from", out)
    assert listed.fake.seen == {}
    assert again | {"out": None} == told | {"out": None}


def test_another_persons_copy_is_not_shown_as_ones_own(listed: ListingDesk, wallet: Wallet) -> None:
    out = listed.folder / "copy.json"
    facts(listed, wallet, "--out", out)
    key = listed.folder / "wallet" / "binding.env"
    bob = listed.fake.federation.subject("bob").binding
    assert key.exists()
    key.write_bytes(bob.SerializeToString())
    told = facts(listed, wallet, "--from", out, code=2)
    assert "another person" in told["advice"]
    assert "score" not in told


def test_a_copy_that_was_changed_is_not_shown(listed: ListingDesk, wallet: Wallet) -> None:
    out = listed.folder / "copy.json"
    told = facts(listed, wallet, "--out", out)
    bundle = v1.OwnViewBundle.FromString(base64.b64decode(told["bundle"]))
    bundle.statements[0].CopyFrom(bundle.statements[1])
    told["bundle"] = base64.b64encode(bundle.SerializeToString()).decode()
    out.write_text(json.dumps(told))
    found = facts(listed, wallet, "--from", out, code=1)
    assert found["reason"] == "SIGNATURE_INVALID"
    assert "score" not in found


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"bundle": 1}', '{"bundle": "%"}'])
def test_a_file_that_is_no_copy_is_refused(
    listed: ListingDesk, wallet: Wallet, content: str
) -> None:
    file = listed.folder / "no copy.json"
    file.write_text(content)
    assert facts(listed, wallet, "--from", file, code=1)["reason"] == "BUNDLE_MALFORMED"


def test_an_exchange_that_lies_is_not_shown(listed: ListingDesk, wallet: Wallet) -> None:
    def richer(answer: v1.RequestOwnViewResponse) -> None:
        view = v1.OwnView.FromString(answer.view.payload)
        view.partial.points += 10
        answer.view.CopyFrom(seal(view, signer("exchange")))

    listed.fake.bend_own_view = richer
    told = facts(listed, wallet, code=1)
    assert told["reason"] == "ANSWER_NOT_VERIFIED"
    assert "score" not in told


def test_more_than_a_day_allows_is_refused_with_what_to_do(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.refuse["RequestOwnView"] = [Refusal(Reason.REASON_QUOTA_EXCEEDED)]
    told = facts(listed, wallet, code=1)
    assert told["reason"] == "QUOTA_EXCEEDED"
