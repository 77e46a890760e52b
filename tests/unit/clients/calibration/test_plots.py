"""Pictures are drawn the same each time, and what they show is computed rightly."""

import sys
from pathlib import Path

import numpy as np
import pytest

from clients.calibration.comparison import compare_on
from clients.calibration.errors import PlotsMissing
from clients.calibration.plots import draw_all, reliability
from clients.calibration.sample_file import read_sample
from tests.calibration_builders import SCALES, declared

NAMES = ["roc.png", "reliability.png", "scores.png", "contributions.png"]


def test_four_pictures_are_drawn_and_come_out_the_same(sample: Path, tmp_path: Path) -> None:
    ends = {name: (scale.minimum, scale.maximum) for name, scale in SCALES.items()}
    read = read_sample(sample, ends).sample
    found = compare_on(declared(1), declared(2, 200_000, "alder-bank"), read)
    drawn = [draw_all(found, tmp_path / name) for name in ("one", "two")]
    assert [path.name for path in drawn[0]] == NAMES
    for one, two in zip(*drawn, strict=True):
        content = one.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert 10_000 < len(content) < 300_000
        assert content == two.read_bytes()


def test_bins_of_the_reliability_diagram_have_wilsons_intervals() -> None:
    default = np.repeat(np.linspace(0.05, 0.95, 10), 10)
    outcome = np.tile(np.arange(10) < 3, 10)
    told, rate, below, above = reliability(default, outcome)
    np.testing.assert_allclose(told, np.linspace(0.05, 0.95, 10))
    np.testing.assert_allclose(rate, 0.3)
    np.testing.assert_allclose(rate - below, 0.1077913, atol=1e-6)
    np.testing.assert_allclose(rate + above, 0.6032219, atol=1e-6)


def test_without_matplotlib_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "clients.calibration.plots")
    with pytest.raises(PlotsMissing, match=r"pip install 'concordat\[plots\]'"):
        __import__("clients.calibration.plots")
