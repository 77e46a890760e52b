"""A picture of drift, for people to look at; needs matplotlib (the optional extra `plots`)."""

from pathlib import Path
from typing import Any, Final

from clients.calibration.errors import CalibrationError, PlotsMissing
from concordat import v1
from concordat.v1 import DriftLevel

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as _error:
    raise PlotsMissing(
        "pictures need matplotlib: pip install 'concordat[plots]', or leave out --plot"
    ) from _error

THEN, NOW = "#6b7a8f", "#c8553d"
_DPI: Final = 120
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
}
_LEVELS: Final = {
    DriftLevel.DRIFT_LEVEL_NONE: "no drift found",
    DriftLevel.DRIFT_LEVEL_WATCH: "watch",
    DriftLevel.DRIFT_LEVEL_STALE: "STALE",
}


def draw_drift(read: v1.ReadDriftResponse, path: Path) -> None:
    """Write a PNG with a row a provider: where its scores lie, and how many default, at the fit and now.

    What is suppressed is not drawn. Raises ``CalibrationError`` where there are no bins, and ``OSError``.
    """
    drawn = [each for each in read.providers if each.bins]
    if not drawn:
        raise CalibrationError(
            "nothing to draw: the calibration has no baselines, as none was fitted"
        )
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11, 2.9 * len(drawn) + 0.4), dpi=_DPI, layout="constrained")
        rows = figure.subplots(len(drawn), 2, squeeze=False)
        for drift, (left, right) in zip(drawn, rows, strict=True):
            _scores(drift, left)
            _defaults(drift, right)
        rows[0][0].legend(loc="upper right", frameon=False)
        rows[0][1].legend(loc="upper right", frameon=False)
        figure.savefig(path, format="png", metadata={"Software": None})


def _scores(drift: v1.ProviderDrift, axes: Axes) -> None:
    total = max(1, drift.scores)
    places = range(len(drift.bins))
    told = [place for place in places if drift.bins[place].HasField("scores")]
    axes.bar(
        [place - 0.2 for place in places],
        [each.baseline_ppm / 1e4 for each in drift.bins],
        0.4,
        color=THEN,
        label="at the fit",
    )
    axes.bar(
        [place + 0.2 for place in told],
        [100 * drift.bins[place].scores / total for place in told],
        0.4,
        color=NOW,
        label="now",
    )
    axes.margins(y=0.3)  # room for the legend
    psi = (
        f"PSI {drift.psi_milli / 1000:.3f}" if drift.HasField("psi_milli") else "too few for a PSI"
    )
    axes.set(
        title=f"{drift.provider}, calibration {drift.calibration_version}: "
        f"{_LEVELS[drift.level]}; {psi}",
        ylabel="per cent of scores",
        xlabel="score up to",
    )
    axes.set_xticks(list(places), [str(each.up_to_score) for each in drift.bins], rotation=45)


def _defaults(drift: v1.ProviderDrift, axes: Axes) -> None:
    places = range(len(drift.bins))
    told = [
        place
        for place in places
        if drift.bins[place].HasField("defaults") and drift.bins[place].outcomes
    ]
    axes.plot(
        list(places),
        [each.baseline_default_ppm / 1e4 for each in drift.bins],
        color=THEN,
        marker="s",
        label="calibrated",
    )
    axes.plot(
        told,
        [100 * drift.bins[place].defaults / drift.bins[place].outcomes for place in told],
        color=NOW,
        marker="o",
        linestyle="" if len(told) == 1 else "-",
        label="observed",
    )
    title = "too few outcomes, or none"
    if drift.HasField("outcomes"):
        ratio = drift.outcomes.ratio
        title = (
            f"observed / calibrated {ratio.value_ppm / 1e6:.2f} "
            f"({ratio.low_ppm / 1e6:.2f} to {ratio.high_ppm / 1e6:.2f})"
        )
    axes.set(title=title, ylabel="per cent that default", xlabel="score up to")
    axes.set_ylim(bottom=0)
    axes.set_xticks(list(places), [str(each.up_to_score) for each in drift.bins], rotation=45)
