"""A desk with one log, for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.witness.desk import Desk, Log


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def desk(tmp_path: Path, log: Log) -> Iterator[Desk]:
    desk = Desk(f"sqlite:///{tmp_path / 'witness.db'}", [log])
    yield desk
    desk.store.close()
