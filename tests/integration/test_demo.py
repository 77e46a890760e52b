"""`concordat demo` and `concordat sandbox up`, as typed: what they show, leave behind, and stop."""

import base64
import json
import os
import re
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from clients.sandbox import EXCHANGE, REGISTRAR, REVIEWER
from clients.sandbox.demo import BORROWERS, KILLED, WITNESSES
from clients.sandbox.demo_listings import WORDS
from clients.sandbox.demo_offline import TRUST_BUNDLE, VIEW
from clients.sandbox.processes import command

PROVIDERS = 2  # the second knows nothing of the third borrower
SUBJECT_REF_BYTES = 32

# Starting a federation takes seconds of processor time, more where tests run side by side.
pytestmark = pytest.mark.timeout(180)


def typed(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("clients.cli.main", *arguments),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


# The demo ---------------------------------------------------------------------------------------


@dataclass
class Shown:
    """A demo that has ended: how, and the folders that it left."""

    done: "subprocess.CompletedProcess[str]"
    folder: Path

    @property
    def facts(self) -> Any:
        return json.loads(self.done.stdout)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def federation(self) -> Path:
        return self.folder / "federation"

    def verify(self, view: Path) -> "subprocess.CompletedProcess[str]":
        bundle = self.out / TRUST_BUNDLE
        return typed("view", "verify", view, "--trust-bundle", bundle, "--json")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("demo")
    where = ("--out", folder / "out", "--folder", folder / "federation")
    environment = {"CONCORDAT_LOG_LEVEL": "debug", "COLUMNS": "112"}
    done = typed("demo", "--providers", str(PROVIDERS), *where, "--json", **environment)
    assert done.returncode == 0, done.stderr
    return Shown(done, folder)


def test_the_demo_goes_through_to_its_last_line(shown: Shown) -> None:
    assert shown.done.stderr.splitlines()[-1] == "demo: ok"
    assert shown.facts["ok"] is True
    assert len(shown.facts["steps"]) == 22


def test_the_demo_shows_four_refusals(shown: Shown) -> None:
    assert [tried["reason"] for tried in shown.facts["refusals"]] == [
        "CONSENT_REVOKED",
        "CONSENT_WRONG_RECIPIENT",
        "REPLAYED_WITH_OTHER_BYTES",
        "MEMBER_UNLICENSED",
    ]


def test_every_view_is_complete_where_a_provider_knows_nobody_too(shown: Shown) -> None:
    views = shown.facts["views"]
    assert [view["outcome"] for view in views] == ["complete"] * len(BORROWERS)
    told = [[provider["outcome"] for provider in view["providers"]] for view in views]
    assert told == [["scored", "scored"], ["scored", "scored"], ["scored", "no record"]]
    pooled = [len(view["score"]["full"]["contributions"]) for view in views]
    assert pooled == [2, 2, 1]


def test_a_band_or_a_threshold_tells_that_and_nothing_else(shown: Shown) -> None:
    band, threshold = shown.facts["less"]
    assert list(band["score"]) == ["band"]
    assert list(threshold["score"]) == ["threshold"]
    for view in (band, threshold):
        told = {"provider", "outcome", "calibration"}
        assert [set(provider) for provider in view["providers"]] == [told] * 2


def test_a_borrower_is_told_its_own_score_as_the_lender_was_and_what_would_lift_it(
    shown: Shown,
) -> None:
    own, lent = shown.facts["own"], shown.facts["views"][1]
    assert (own["outcome"], own["score"]["points"]) == (
        "complete",
        lent["score"]["full"]["points"],
    )
    assert [part["score"] for part in own["providers"]] == [
        part["score"] for part in lent["providers"]
    ]
    for way in own["next_band"]["ways"]:
        assert way["points"] >= own["next_band"]["floor"] > own["score"]["points"]


def test_a_listing_lives_from_its_filing_to_its_end(shown: Shown) -> None:
    listing = shown.facts["listing"]
    lived = ["DRAFT", "NOTICED", "CONTESTED", "EFFECTIVE", "SETTLED", "REPAIRED"]
    assert listing["states"] == lived
    assert listing["reviewer"] == REVIEWER
    assert "HOW TO CONTEST IT" in listing["notice"]
    assert listing["log_indexes"] == sorted(set(listing["log_indexes"]))
    assert len(listing["log_indexes"]) >= len(lived)


def test_a_lender_is_told_of_a_listing_with_words_and_of_its_end_with_nothing(shown: Shown) -> None:
    listing = shown.facts["listing"]
    (told,) = listing["view"]["listings"]
    assert (told["band"], told["mark"], told["words"]) == ("small", "effective", WORDS)
    assert listing["view"]["score"] is not None
    assert listing["frozen"] == "SUBJECT_FROZEN"
    assert listing["recalled"] == ["SETTLED"] * 2 + ["WITHDRAWN"] * 2
    assert (listing["gone"], listing["as_never_listed"]) == ([], True)


def undated(text: str) -> str:
    """Return a text with dates masked and without what stands around its lines."""
    return re.sub(r"\d{4}-\d{2}-\d{2}", "DATE", text).strip(" ─")


def test_the_readme_shows_what_the_demo_prints_of_a_listing(shown: Shown) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    (block,) = re.findall(
        r"^## The life of a listing\n.*?^```\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL
    )
    printed = {undated(line) for line in shown.done.stderr.splitlines()}
    assert [line for line in block.splitlines() if undated(line) not in printed] == []


def test_a_provider_that_is_killed_is_named_in_a_partial_view(shown: Shown) -> None:
    view = shown.facts["partial"]
    assert (view["outcome"], view["partial"]) == ("partial", True)
    gone, there = view["providers"]
    assert (gone["provider"], gone["reason"]) == (KILLED, "PROVIDER_UNREACHABLE")
    assert there["outcome"] == "scored"
    assert len(view["score"]["full"]["contributions"]) == 1


def test_the_view_that_is_left_verifies_with_every_process_stopped(shown: Shown) -> None:
    assert in_folder(shown.folder) == []
    verified = shown.verify(shown.out / VIEW)
    assert verified.returncode == 0, verified.stdout
    facts = json.loads(verified.stdout)
    assert facts["score"] == shown.facts["views"][1]["score"]
    assert all(check["ok"] for check in facts["checks"])


def test_the_view_that_is_left_is_refused_with_one_byte_changed(
    shown: Shown, tmp_path: Path
) -> None:
    raw = bytearray((shown.out / VIEW).read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / VIEW).write_bytes(bytes(raw))
    refused = shown.verify(tmp_path / VIEW)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["reason"] == "BUNDLE_MALFORMED"


# Logs -------------------------------------------------------------------------------------------


def written(secret: bytes) -> list[bytes]:
    """Return the ways in which bytes may stand in a log, in small letters."""
    ways = [secret, secret.hex().encode(), repr(secret)[2:-1].encode()]
    ways.append(b"".join(b"\\%03o" % byte for byte in secret))
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # within something longer it starts at any of three places
            whole = encode(bytes(before) + secret)
            ways.append(whole[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6])
    return [way.lower() for way in ways]


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
def test_a_reference_is_found_however_it_is_written(before: bytes) -> None:
    ref = bytes(range(200, 232))
    for text in (
        before + ref,
        b"ref=" + ref.hex().upper().encode(),
        repr(ref).encode(),
        base64.b64encode(before + ref + b"and more"),
        base64.urlsafe_b64encode(before + ref),
    ):
        assert any(way in text.lower() for way in written(ref))
        assert not any(way in text.lower() for way in written(bytes(32)))


def test_no_log_of_a_whole_federation_tells_who_somebody_is(shown: Shown) -> None:
    database = shown.federation / REGISTRAR / "data.sqlite"  # the exchange's has them keyed
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    refs = [ref for (ref,) in connection.execute("SELECT DISTINCT subject_ref FROM binding")]
    connection.close()
    assert {len(ref) for ref in refs} == {SUBJECT_REF_BYTES}
    assert len(refs) == len(BORROWERS)

    logs = {
        path: path.read_bytes().lower() for path in shown.federation.glob("*/*.*") if is_log(path)
    }
    served = [path.parent.name for path in logs if path.name == "log.jsonl"]
    assert len(served) == PROVIDERS + WITNESSES + 2
    assert all(logs[path] for path in logs if path.name == "log.jsonl")
    secrets = [*refs, *(number.encode() for number in BORROWERS)]
    told = [
        f"{path.parent.name}/{path.name}"
        for path, text in logs.items()
        for secret in secrets
        if any(way in text for way in written(secret))
    ]
    assert told == []


def is_log(path: Path) -> bool:
    return path.suffix in {".jsonl", ".log"}


# The sandbox ------------------------------------------------------------------------------------


def in_folder(folder: Path) -> list[list[str]]:
    """Return the command lines of running processes that name a folder."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(str(folder) in word for word in line)]


@pytest.mark.slow
def test_a_sandbox_stops_with_all_its_processes_when_it_is_told_to(tmp_path: Path) -> None:
    folder = tmp_path / "federation"
    arguments = ("--providers", "1", "--no-scores", "--folder", folder)
    up = subprocess.Popen(
        command("clients.cli.main", "sandbox", "up", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )
    try:
        assert up.stdout
        lines: list[str] = []
        while lines[-1:] != ["Ctrl-C stops everything."]:
            lines.append(up.stdout.readline().rstrip("\n"))
            assert up.poll() is None, lines
        told = "\n".join(lines)
        assert all(member in told for member in (EXCHANGE, "civil-registrar", KILLED))
        assert "concordat view verify my-view.cbundle" in lines
        children = psutil.Process(up.pid).children(recursive=True)
        assert len(children) == 3
        up.terminate()
        rest = up.communicate(timeout=30)
        assert (up.returncode, *rest) == (0, "stopped\n", "")
        assert not any(child.is_running() for child in children)
    finally:
        up.terminate()  # a sandbox that is left running stops its own
        up.communicate(timeout=30)
    assert in_folder(folder) == []
