"""The fuzz target holds for its seeds and for random edits of them, and finds what it should find."""

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import pytest

from concordat.trust.checkpoint import Checkpoint
from tests.fuzz import parsers
from tests.unit.concordat.trust import log_builders

ROOT = Path(__file__).parents[4]
TARGET = ROOT / "tests" / "fuzz" / "fuzz_notes.py"


def test_every_parser_accepts_a_seed() -> None:
    accepted = {name for seed in parsers.SEEDS for name in parsers.check(seed)}
    assert accepted == set(parsers.ROUND_TRIPS)


@pytest.mark.parametrize("seed", range(len(parsers.SEEDS)))
def test_random_edits_of_a_seed_break_no_parser(seed: int) -> None:
    chance = random.Random(seed)
    original = parsers.SEEDS[seed]
    for _ in range(300):
        raw = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            begin = chance.randint(0, len(raw))
            other = chance.choice(parsers.SEEDS)
            cut = chance.randint(0, len(other))
            piece = chance.choice([chance.randbytes(1), other[cut : cut + 8], b"\n", b"", b"\xff"])
            raw[begin : begin + chance.randint(0, 3)] = piece
        parsers.check(bytes(raw))


def test_a_parser_that_takes_two_texts_for_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parsers.ROUND_TRIPS, "decimal", lambda raw: b"%d" % int(raw or b"0"))
    with pytest.raises(AssertionError, match="decimal"):
        parsers.check(b"1_5")


def test_a_parser_that_raises_anything_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parsers.ROUND_TRIPS, "decimal", lambda raw: b"%d" % int(raw))
    with pytest.raises(ValueError, match="invalid literal"):
        parsers.check(b"x")


def test_a_forged_checkpoint_that_opens_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_builders, "CHECKPOINT", Checkpoint("another", 1, bytes(32)))
    with pytest.raises(AssertionError, match="forged"):
        parsers.check(log_builders.NOTE)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is for Linux only")
def test_20000_guided_runs_break_no_parser(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, TARGET, "-runs=20000", "-seed=1", f"-artifact_prefix={tmp_path}/"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert "Done 20000" in finished.stderr
