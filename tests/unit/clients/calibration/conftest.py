"""One federation for the tests of this directory, and a sample of its subjects."""

from pathlib import Path

import pytest

from clients.pki import Pki
from tests.calibration_builders import make_pki, sample_csv


@pytest.fixture(scope="session")
def licensed_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A federation that no test changes."""
    return make_pki(tmp_path_factory.mktemp("calibration") / "pki")


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    path.write_text(sample_csv(), "utf-8")
    return path
