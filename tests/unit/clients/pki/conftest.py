"""One federation's folder for the tests of this directory, on a clock that stands still."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.pki import Pki

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def at() -> datetime:
    return AT


@pytest.fixture
def clock() -> Callable[[], datetime]:
    return at


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki.create(tmp_path / "pki", federation="test.concordat", clock=at)
