"""The log's benchmark at the smallest sizes: it measures what it names, and verifies what it measures."""

import json
import sys
from pathlib import Path

import pytest
import structlog

from benchmarks import log, log_peers, log_reading
from benchmarks.log_peers import RawSqlite, replay
from benchmarks.log_writers import COLUMNS, _CountedTiles
from concordat.trust.checkpoint import Checkpoint, sign_checkpoint
from tests.builders import signer


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    with pytest.MonkeyPatch.context() as patch:  # starting processes takes longer than all the rest
        patch.setattr(log_reading, "JOBS_MEASURED", (1,))
        return log.measure(0.1, 600, writers=(1, 4), postgres=False)


@pytest.mark.slow
def test_every_figure_is_there_and_positive(figures: dict[str, float]) -> None:
    wanted = {
        f"sqlite_{writers}_{name}"
        for writers in (1, 4)
        for columns in log.TABLES.values()
        for name, _ in columns.values()
    }
    wanted |= {"proof_per_s", "verify_per_s", "audit_entries_per_s"}
    assert wanted <= figures.keys()
    assert min(figures.values()) > 0


def test_ratios_are_of_the_figures_beside_them(figures: dict[str, float]) -> None:
    expected = figures["sqlite_4_appends_per_s"] / figures["sqlite_4_raw_per_s"]
    assert figures["sqlite_4_ratio_raw"] == pytest.approx(expected, abs=0.001)


def test_they_are_printed_and_written_flat(
    figures: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "figures.json"
    shown = figures | {"audit_2_jobs_entries_per_s": 1.0}
    monkeypatch.setattr(log, "measure", lambda *_: shown)
    monkeypatch.setattr(structlog, "configure", lambda **_: None)
    monkeypatch.setattr(sys, "argv", ["log.py", "--json", str(file)])
    log.main()
    assert json.loads(file.read_text("utf-8")) == shown
    assert "inclusion proofs made" in capsys.readouterr().out


def test_without_pymerkle_its_ratio_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pymerkle", None)
    assert log_peers.pymerkle_rates(tmp_path, [], [], 0.1) is None


def test_the_raw_table_holds_every_row_of_the_groups(tmp_path: Path) -> None:
    rows = [tuple(f"{n}".encode() for _ in COLUMNS) for n in range(5)]
    raw = RawSqlite(tmp_path / "raw.db")
    replay(raw, rows, [2, 3], 10)
    assert raw._connection.execute("SELECT count(*) FROM raw").fetchone() == (5,)
    raw.close()


def test_checkpoints_are_counted_by_their_sizes(tmp_path: Path) -> None:
    tiles = _CountedTiles(tmp_path)
    note = sign_checkpoint(Checkpoint("test.concordat/log", 7, bytes(32)), signer("log"))
    tiles.publish(None, note)  # type: ignore[arg-type] # files need no transaction
    assert tiles.sizes == [0, 7]
