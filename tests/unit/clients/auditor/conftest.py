"""Logs that the auditor's tests read."""

from pathlib import Path

import pytest

from clients.auditor.policy import LogTrust
from tests.log_builders import DirLog, log_entries


@pytest.fixture
def log(tmp_path: Path) -> DirLog:
    """Return a log of 600 entries: two full bundles, and one of 88."""
    return DirLog(tmp_path / "log").append(log_entries(0, 600))


@pytest.fixture
def trust(log: DirLog) -> LogTrust:
    return LogTrust(log.key)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> DirLog:
    """Return a log with tiles of three levels: 257 full bundles, and one of 44. Whoever bends it mends it."""
    return DirLog(tmp_path_factory.mktemp("large") / "log").append(log_entries(0, 256 * 257 + 44))
