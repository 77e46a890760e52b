"""How far a reading has come is told on standard error, and does not flood a log file."""

import pytest

from clients.cli import log_progress
from clients.cli.log_progress import shown


def test_off_a_terminal_a_line_is_printed_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with shown("Auditing") as tell:
        tell(1, 2000)
        monkeypatch.setattr(log_progress, "SECONDS_A_LINE", 0.0)
        tell(1000, 2000)
    told = capsys.readouterr()
    assert told.err == "Auditing: 1,000 of 2,000 entries\n"
    assert not told.out


def test_on_a_terminal_a_bar_is_shown_and_then_removed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with shown("Auditing") as tell:
        tell(1000, 2000)
    told = capsys.readouterr()
    assert "1000/2000" in told.err
    assert not told.out
