"""`concordat calibrate outcomes` and `drift` as a lender and a regulator's officer type them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import save_bundle
from concordat.refusal import Refusal
from concordat.v1 import DriftCause, DriftLevel, Reason
from concordat.verify.bundle import dump_bundle
from tests.builders import DAY, LENDER, PROVIDERS, REGULATOR
from tests.drift_builders import DEFAULTS, EDGES, SAMPLE, report
from tests.fake_supervision import Supervised
from tests.unit.clients.cli.conftest import Desk
from tests.view_builders import ViewBuilder

ALDER, BIRCH, CEDAR = PROVIDERS


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("COLUMNS", "240")
    with Supervised(datetime.now(UTC) - timedelta(hours=1)) as fake:
        fake.federation.calibrate(version=9, report=report())
        save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
        yield Desk(fake, tmp_path)


@pytest.fixture
def supervised(desk: Desk) -> Supervised:
    assert isinstance(desk.fake, Supervised)
    return desk.fake


@pytest.fixture
def lender(desk: Desk) -> Callable[..., tuple[object, ...]]:
    """Return the command of a lender with so many views of given scores, and an outcome of each."""
    views = desk.folder / "views"
    views.mkdir()
    lines = ["view_id,outcome"]

    def make(*scores: int, defaults: int = 0) -> tuple[object, ...]:
        for nth, score in enumerate(scores):
            made = ViewBuilder(desk.fake.federation, dict.fromkeys(PROVIDERS, score))
            bundle = made.bundle()
            view = v1.View.FromString(bundle.view.payload)
            (views / f"{view.view_id.hex()}.cbundle").write_bytes(dump_bundle(bundle))
            lines.append(f"{view.view_id.hex()},{int(nth < defaults)}")
        outcomes = desk.folder / "outcomes.csv"
        outcomes.write_text("\n".join(lines) + "\n")
        start = (desk.fake.at - DAY).isoformat()
        end = datetime.now(UTC).isoformat()
        options = ("--outcomes", outcomes, "--from", start, "--until", end)
        member = desk.folder / LENDER
        folder = member if member.exists() else desk.member(LENDER)
        return ("calibrate", "outcomes", views, *options, *desk.trust, "--member", folder)

    return make


# Lenders ----------------------------------------------------------------------------------------


def test_only_counts_leave_the_house_and_no_small_bin(
    desk: Desk, supervised: Supervised, lender: Callable[..., tuple[object, ...]]
) -> None:
    command = lender(*[700] * 3, *[400] * 2, defaults=1)
    told = desk.json(*command, "--smallest-cell", 3, "--send")
    assert [each["provider"] for each in told["reports"]] == sorted(PROVIDERS)
    assert {each["left_out"] for each in told["reports"]} == {2}
    for counts in supervised.reported:
        assert counts.calibration_version == 9
        assert list(counts.bins) == [v1.OutcomeBin(bin=2, subjects=3, defaults=1)]
        assert not any(each.bin == 0 for each in counts.bins)
    assert {counts.provider for counts in supervised.reported} == set(PROVIDERS)
    again = desk.json(*command, "--smallest-cell", 3, "--send")
    assert {each["replaced"] for each in again["reports"]} == {True}


def test_nothing_is_sent_unless_it_is_asked_for(
    desk: Desk, supervised: Supervised, lender: Callable[..., tuple[object, ...]]
) -> None:
    shown = desk.run(*lender(700, 700, defaults=1))
    assert shown.exit_code == 0, shown.output
    assert "2 left out" in shown.output
    assert "Not sent" in shown.output
    assert supervised.reported == []


def test_views_whose_outcome_is_not_known_yet_or_of_another_time_are_not_counted(
    desk: Desk, lender: Callable[..., tuple[object, ...]]
) -> None:
    command = list(lender(700, 700))
    outcomes = desk.folder / "outcomes.csv"
    outcomes.write_text("\n".join(outcomes.read_text().splitlines()[:2]) + "\n")
    told = desk.json(*command, "--smallest-cell", 1)
    assert [each["bins"][0]["subjects"] for each in told["reports"]] == [1, 1, 1]
    command[command.index("--until") + 1] = (desk.fake.at - DAY / 2).isoformat()
    assert desk.json(*command)["reports"] == []


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("view_id,outcome,name\n", "no other column"),
        ("view_id,outcome\n1234,1\n", "line 2"),
        ("view_id,outcome\n" + "00" * 16 + ",yes\n", "line 2"),
        ("view_id,outcome\n" + "00" * 16 + ",1\n" + "00" * 16 + ",0\n", "line 3"),
    ],
)
def test_a_file_of_outcomes_that_says_more_or_less_than_outcomes_is_refused(
    desk: Desk, lender: Callable[..., tuple[object, ...]], text: str, advice: str
) -> None:
    command = lender(700)
    (desk.folder / "outcomes.csv").write_text(text)
    assert advice in desk.json(*command, code=2)["advice"]


def test_a_view_that_was_changed_is_not_counted(
    desk: Desk, lender: Callable[..., tuple[object, ...]]
) -> None:
    command = lender(700)
    (file,) = (desk.folder / "views").iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert desk.json(*command, code=1)["reason"] == "BUNDLE_MALFORMED"


def test_a_period_that_is_not_over_and_a_folder_without_views_are_refused(
    desk: Desk, lender: Callable[..., tuple[object, ...]]
) -> None:
    command = list(lender())
    assert "holds no .cbundle" in desk.json(*command, code=2)["advice"]
    command[command.index("--until") + 1] = (datetime.now(UTC) + DAY).isoformat()
    assert "not in the future" in desk.json(*command, code=2)["advice"]


def test_what_the_exchange_refuses_is_told_with_the_reason(
    desk: Desk, supervised: Supervised, lender: Callable[..., tuple[object, ...]]
) -> None:
    supervised.refusal = Refusal(Reason.REASON_OUTCOME_PERIOD_OVERLAPS)
    told = desk.json(*lender(700), "--smallest-cell", 1, "--send", code=1)
    assert told["reason"] == "OUTCOME_PERIOD_OVERLAPS"


# The regulator ----------------------------------------------------------------------------------


def drifted(at: datetime) -> v1.ReadDriftResponse:
    """Return what an exchange tells of a stale provider, a fine one, and one with few counts."""
    window: dict[str, Any] = {
        "calibration_version": 9,
        "window_from": to_timestamp(at - 91 * DAY),
        "window_until": to_timestamp(at - DAY),
        "since": to_timestamp(at - DAY),
    }
    bins = [
        v1.DriftBin(
            up_to_score=edge,
            baseline_ppm=250_000,
            baseline_default_ppm=defaults * 1_000_000 // subjects,
            scores=scores,
            outcomes=1000,
            defaults=now,
            deviation_milli=deviation,
        )
        for edge, subjects, defaults, scores, now, deviation in zip(
            EDGES, SAMPLE, DEFAULTS, (None, 500, 600, None), (600, 310, 150, None),
            (9200, 4900, 3300, None), strict=True,
        )
    ]  # fmt: skip
    ratio = v1.Estimate(value_ppm=1_480_000, low_ppm=1_390_000, high_ppm=1_560_000)
    stale = v1.ProviderDrift(
        provider=ALDER,
        scores=1400,
        psi_milli=412,
        psi_noise_milli=3,
        bins=bins,
        outcomes=v1.OutcomeDrift(
            outcomes=4000, defaults=1070, difference=ratio, ratio=ratio, degrees=4
        ),
        level=DriftLevel.DRIFT_LEVEL_STALE,
        causes=[DriftCause.DRIFT_CAUSE_POPULATION, DriftCause.DRIFT_CAUSE_OUTCOMES],
        **window,
    )
    none = v1.ProviderDrift(
        provider=BIRCH, scores=90, level=DriftLevel.DRIFT_LEVEL_NONE, bins=bins[1:3], **window
    )
    return v1.ReadDriftResponse(
        read_at=to_timestamp(at), providers=[stale, none], smallest_cell=10, least_subjects=1000
    )


@pytest.fixture
def officer(desk: Desk, supervised: Supervised) -> tuple[object, ...]:
    supervised.drift = drifted(supervised.at)
    return ("calibrate", "drift", *desk.trust, "--member", desk.member(REGULATOR))


def test_the_officer_sees_who_is_stale_and_why(desk: Desk, officer: tuple[object, ...]) -> None:
    shown = desk.run(*officer)
    assert shown.exit_code == 0, shown.output
    alder, birch = shown.output.split(BIRCH)
    for told in (ALDER, "stale", "population", "outcomes", "0.412", "1.48 (1.39 to 1.56)"):
        assert told in alder
    assert birch.split("Counts")[0].count("·") == 2  # too few: no index, and nothing of outcomes
    assert "Fewer than 1000" in shown.output


def test_one_provider_is_shown_with_its_bins(desk: Desk, officer: tuple[object, ...]) -> None:
    shown = desk.run(*officer, "--provider", ALDER).output
    assert BIRCH not in shown
    (row,) = [line for line in shown.splitlines() if " 700 " in line]
    assert "15" in row
    assert "+3.3" in row
    assert "No calibration" in desk.run(*officer, "--provider", "nobody").output


def test_programs_get_null_for_what_is_not_told(desk: Desk, officer: tuple[object, ...]) -> None:
    told = desk.json(*officer)
    alder, birch = told["providers"]
    assert (alder["level"], alder["psi_milli"]) == ("stale", 412)
    assert alder["bins"][0]["scores"] is None
    assert alder["bins"][1]["scores"] == 500
    assert (birch["psi_milli"], birch["outcomes"], birch["causes"]) == (None, None, [])


def test_a_picture_is_drawn(desk: Desk, officer: tuple[object, ...]) -> None:
    pytest.importorskip("matplotlib")
    picture = desk.folder / "drift.png"
    told = desk.json(*officer, "--plot", picture)
    assert told["plot"] == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


# Views ------------------------------------------------------------------------------------------


def test_a_view_by_a_stale_calibration_says_so_plainly(desk: Desk) -> None:
    federation = desk.fake.federation
    made = ViewBuilder(federation, stale=frozenset({BIRCH}))
    file = desk.folder / "view.cbundle"
    file.write_bytes(dump_bundle(made.bundle()))
    shown = desk.run("view", "show", file, *desk.trust).output
    assert "READ WITH CARE" in shown
    assert f"{BIRCH}: stale" in shown
    told = desk.json("view", "show", file, *desk.trust)
    marks = {each["provider"]: each["calibration"] for each in told["providers"]}
    assert marks == {ALDER: None, BIRCH: "stale", CEDAR: None}
