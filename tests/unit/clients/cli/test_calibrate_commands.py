"""`concordat calibrate`, as typed: from a sample to a countersigned calibration, and what it changes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.calibration import plots
from clients.calibration.sealing import read_calibration
from clients.cli.main import app
from clients.pki import Pki
from tests.calibration_builders import PROVIDERS, make_pki, sample_csv

DATES = ("--not-before", "2027-01-01", "--stale-from", "2028-01-01T12:00:00+02:00")


@dataclass
class Analyst:
    """Whoever types the commands, at the exchange and at the regulators'."""

    folder: Path
    pki: Pki

    def run(self, *arguments: object, code: int = 0, stdin: str = "") -> Any:
        words = ["calibrate", *(str(each) for each in arguments)]
        result = CliRunner().invoke(app, words, input=stdin, env={"COLUMNS": "160"})
        assert result.exit_code == code, result.output
        return result

    @property
    def trust(self) -> tuple[object, ...]:
        return ("--trust-bundle", self.pki.folder / "trust-bundle.json")

    @property
    def made(self) -> tuple[object, ...]:
        key = self.pki.member("exchange").signing_key
        return (*self.trust, "--licences", self.pki.folder, "--key", key, *DATES)

    def root(self, number: int) -> Path:
        return self.pki.folder / "roots" / f"root-{number}.key"

    def fit(self, sample: Path, *arguments: object, code: int = 0) -> Any:
        out = ("--out", self.folder / "new", "--version", 2)
        return self.run("fit", sample, *self.made, *out, *arguments, code=code)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Analyst:
    """A declared version 1, and a version 2 that is fitted to `sample.csv`; no test changes them."""
    folder = tmp_path_factory.mktemp("calibrate")
    analyst = Analyst(folder, make_pki(folder / "pki"))
    (folder / "sample.csv").write_text(sample_csv(300), "utf-8")
    (folder / "holdout.csv").write_text(sample_csv(300, seed=2), "utf-8")
    analyst.run("declare", *analyst.made, "--version", 1, "--out", folder / "v1")
    observed = ("--from", "2025-01-01", "--until", "2026-01-01", "--folds", 2)
    out = ("--version", 2, "--out", folder / "v2")
    result = analyst.run("fit", folder / "sample.csv", *analyst.made, *observed, *out)
    (folder / "fit.txt").write_text(result.stdout, "utf-8")
    return analyst


@pytest.fixture
def analyst(shared: Analyst, tmp_path: Path) -> Analyst:
    return Analyst(tmp_path, shared.pki)


def test_a_fit_tells_how_well_it_does_and_for_whom(shared: Analyst) -> None:
    text = (shared.folder / "fit.txt").read_text("utf-8")
    for expected in (
        "300 subjects",
        "2025-01-01 to 2026-01-01",
        "area under ROC",
        "were all exact",
        *PROVIDERS,
        "By region: how well",
        "north",
        "(others)",
        "told less happened: widest gap",
        "points, were no record counting",
        "no model reads them",
        "concordat calibrate countersign",
    ):
        assert expected in text, expected
    _, calibration = read_calibration(shared.folder / "v2")
    assert calibration.report.folds == 2
    assert calibration.stale_from.ToJsonString() == "2028-01-01T10:00:00Z"
    assert not calibration.model.no_record_counts


def test_a_calibration_is_signed_by_exchange_and_roots_one_after_the_other(
    shared: Analyst, analyst: Analyst
) -> None:
    file = analyst.folder / "v2"
    file.write_bytes((shared.folder / "v2").read_bytes())
    checked = (*analyst.trust, "--licences", analyst.pki.folder)
    unsigned = analyst.run("show", file, *checked, code=1)
    assert "signed by the exchange; 0 of 2 root signatures: not enough yet" in unsigned.stdout
    one = analyst.run(
        "countersign", file, "--key", analyst.root(1), *analyst.trust, stdin="y\n"
    ).stdout
    assert one.index("area under ROC") < one.index("Sign this calibration?")
    assert "not checked: name its licence" in one
    two = analyst.run(
        *("countersign", file, "--key", analyst.root(2), *checked, "--yes", "--json"),
    )
    assert json.loads(two.stdout)["complete"]
    facts = json.loads(analyst.run("show", file, *checked, "--json").stdout)
    assert (facts["ok"], facts["signed_by_exchange"], facts["root_signatures"]) == (True, True, 2)
    assert facts["calibration"]["report"]["pooled"]["subjects"] == 300


def test_a_regulator_that_says_no_signs_nothing(shared: Analyst, analyst: Analyst) -> None:
    file, key = shared.folder / "v2", ("--key", analyst.root(1))
    before = file.read_bytes()
    analyst.run("countersign", file, *key, *analyst.trust, stdin="n\n", code=1)
    told = analyst.run("countersign", file, *key, *analyst.trust, "--json", code=2)
    assert "--yes" in json.loads(told.stdout)["advice"]
    wrong = analyst.pki.member("exchange").signing_key
    refused = analyst.run("countersign", file, "--key", wrong, *analyst.trust, "--yes", code=2)
    assert "no root of" in refused.stderr
    assert file.read_bytes() == before


def test_a_regulator_sees_the_points_that_it_signs(shared: Analyst, analyst: Analyst) -> None:
    envelope, calibration = read_calibration(shared.folder / "v1")
    calibration.points.at_odds = 900
    envelope.payload = calibration.SerializeToString()
    file = analyst.folder / "generous"
    file.write_bytes(envelope.SerializeToString())
    told = analyst.run(
        "countersign", file, "--key", analyst.root(1), *analyst.trust, stdin="n\n", code=1
    ).stdout
    assert "900 at odds of 30 to 1 against default; 20 more double them" in told
    assert f"{PROVIDERS[0]} (" in told


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("--from", "2026-01-01", "--until", "2025-01-01"), "--until is before --from"),
        (("--key", "root"), "none that the exchange's licence names"),
        (("--out", "no/folder"), "there is no folder"),
        (("--version", "4294967295"), "'--version'"),
    ],
)
def test_what_was_typed_wrong_is_told_before_the_fit(
    shared: Analyst,
    analyst: Analyst,
    monkeypatch: pytest.MonkeyPatch,
    typed: tuple[str, ...],
    told: str,
) -> None:
    def too_late(*_fit: object, **_options: object) -> None:
        pytest.fail("it was fitted first")

    monkeypatch.setattr("clients.cli.calibrate_fit.fit_pool", too_late)
    arguments = [analyst.root(1) if each == "root" else each for each in typed]
    refused = analyst.fit(shared.folder / "sample.csv", *arguments, code=2)
    assert told in refused.stderr


def test_what_is_swapped_while_a_regulator_reads_is_not_signed(
    shared: Analyst, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = analyst.folder / "v2", (shared.folder / "v1").read_bytes()
    file.write_bytes((shared.folder / "v2").read_bytes())

    def swapped(*_words: object, **_options: object) -> bool:
        return file.write_bytes(other) > 0

    monkeypatch.setattr("typer.confirm", swapped)
    key = ("--key", analyst.root(1))
    refused = analyst.run("countersign", file, *key, *analyst.trust, code=2)
    assert "changed since it was shown" in refused.stderr
    assert file.read_bytes() == other


def test_a_declared_calibration_says_that_nobody_measured_it(shared: Analyst) -> None:
    shown = shared.run("show", shared.folder / "v1").stdout
    assert "nobody has measured" in shown
    assert "signatures not checked" in shown


def test_what_a_new_calibration_changes_is_told_for_whom(shared: Analyst, analyst: Analyst) -> None:
    versions = (shared.folder / "v1", shared.folder / "v2")
    sample = ("--sample", shared.folder / "holdout.csv")
    shown = analyst.run("compare", *versions, *sample).stdout
    for expected in ("band moves", "known to alder-bank", "region: north", "on the sample"):
        assert expected in shown, expected
    facts = json.loads(analyst.run("compare", *versions, *sample, "--json").stdout)
    everybody, *_ = facts["changes"]
    assert (everybody["who"], everybody["subjects"]) == ("all", 300)
    assert facts["measures"][0]["log_loss"] != facts["measures"][1]["log_loss"]
    assert facts["notes"] == []


def test_a_sample_that_it_was_fitted_to_flatters_it_and_that_is_said(shared: Analyst) -> None:
    sample = ("--sample", shared.folder / "sample.csv")
    shown = shared.run("compare", shared.folder / "v1", shared.folder / "v2", *sample).stdout
    assert "fitted to this very sample, which flatters it" in shown.replace("\n", " ")


def test_without_a_sample_the_stated_baselines_are_compared(shared: Analyst) -> None:
    versions = (shared.folder / "v1", shared.folder / "v2")
    facts = json.loads(shared.run("compare", *versions, "--json").stdout)
    assert facts["on"] == "baselines"
    assert [change["who"] for change in facts["changes"]] == list(PROVIDERS)
    assert facts["changes"][0]["subjects"] == 300
    assert "one provider alone knows" in shared.run("compare", *versions).stdout
    same = (shared.folder / "v1", shared.folder / "v1")
    assert "Neither report states scores" in shared.run("compare", *same).stdout


def test_pictures_are_of_a_sample_and_are_named(
    shared: Analyst, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = (shared.folder / "v1", shared.folder / "v2")
    out = ("--out", analyst.folder / "pictures")
    told = analyst.run("compare", *versions, *out, code=2)
    assert "give one with --sample" in told.stderr
    monkeypatch.setattr(plots, "draw_all", lambda _found, folder: [folder / "roc.png"])
    sample = ("--sample", shared.folder / "holdout.csv")
    facts = json.loads(analyst.run("compare", *versions, *out, *sample, "--json").stdout)
    assert facts["pictures"] == [str(analyst.folder / "pictures" / "roc.png")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("alder-bank,outcome,identity_number\n620,1,7\n", "nothing that may tell who"),
        ("alder-bank,outcome\n620,1\n", "at least 50"),
        ("zephyr-bank,outcome\n620,1\n", "give its licence"),
        ("alder-bank,outcome\n" + "620,1\n620,0\n" * 60, "two different scores"),
    ],
)
def test_a_sample_that_cannot_be_used_writes_nothing(
    analyst: Analyst, content: str, told: str
) -> None:
    sample = analyst.folder / "sample.csv"
    sample.write_text(content, "utf-8")
    assert told in analyst.fit(sample, code=2).stderr
    assert not (analyst.folder / "new").exists()


def test_a_version_is_never_overwritten_and_is_not_stale_before_it_is_used(
    shared: Analyst, analyst: Analyst
) -> None:
    made, sample = analyst.made, shared.folder / "sample.csv"
    over = ("--version", 3, "--out", shared.folder / "v2")
    assert "exists" in analyst.run("fit", sample, *made, *over, code=2).stderr
    stale = ("--stale-from", "2026-12-01")
    assert "later than" in analyst.fit(sample, *stale, code=2).stderr
    assert "no date" in analyst.fit(sample, "--from", "last year", code=2).stderr


def test_only_the_exchange_signs_a_calibration(shared: Analyst, analyst: Analyst) -> None:
    key = ("--key", analyst.pki.member(PROVIDERS[0]).signing_key)
    out = ("--version", 2, "--out", analyst.folder / "new")
    told = analyst.run("declare", *analyst.made, *out, *key, code=2)
    assert "none that the exchange's licence names" in told.stderr
    assert not (analyst.folder / "new").exists()
