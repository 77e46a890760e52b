"""Pictures of a comparison, for people to look at; needs matplotlib (the optional extra `plots`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from clients.calibration.comparison import Comparison, Side
from clients.calibration.contributions import contributions_of
from clients.calibration.errors import PlotsMissing
from concordat.pooling.measures import BINS, Bools, Floats, equal_count_bins
from concordat.pooling.odds import probability

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as _error:
    raise PlotsMissing(
        "pictures need matplotlib: pip install 'concordat[plots]', or leave out --out"
    ) from _error

OLD, NEW = "#6b7a8f", "#c8553d"
GOOD, BAD = "#2b7a78", "#c8553d"
_DPI: Final = 120
_Z95: Final = 1.959964
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
}


def draw_all(found: Comparison, folder: Path) -> list[Path]:
    """Write the pictures into `folder`, which is made; return where they are. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    tall = max(4.0, 2.0 + 0.7 * len(found.sample.providers))
    return [
        _draw(folder / "roc.png", found, _roc, 1, (5.8, 5.8)),
        _draw(folder / "reliability.png", found, _reliability, 1, (5.8, 5.8)),
        _draw(folder / "scores.png", found, _scores, 2, (11.0, 4.8)),
        _draw(folder / "contributions.png", found, _contributions, 1, (7.0, tall)),
    ]


def _draw(
    path: Path,
    found: Comparison,
    draw: Callable[..., None],
    panels: int,
    inches: tuple[float, float],
) -> Path:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=inches, dpi=_DPI, layout="constrained")
        draw(found, *figure.subplots(1, panels, sharey=True, squeeze=False)[0])
        figure.savefig(path, format="png", metadata={"Software": None})
    return path


def _roc(found: Comparison, axes: Axes) -> None:
    outcome = found.sample.outcomes
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
    for side, colour in ((found.old, OLD), (found.new, NEW)):
        cuts = np.unique(side.log_odds)[::-1]
        axes.plot(
            _share_from(side.log_odds[~outcome], cuts),
            _share_from(side.log_odds[outcome], cuts),
            color=colour,
            label=f"{_name(side)}: area {side.measures.auc.value_ppm / 1e6:.3f}",
        )
    axes.set(
        title="ROC: who is found among those that default",
        xlabel="share of those that did not default",
        ylabel="share of those that defaulted",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.set_aspect("equal")
    axes.legend(loc="lower right", frameon=False)


def _reliability(found: Comparison, axes: Axes) -> None:
    outcome, most = found.sample.outcomes, 0.0
    for side, colour, marker in ((found.old, OLD, "s"), (found.new, NEW, "o")):
        told, rate, below, above = reliability(probability(side.log_odds), outcome)
        most = max(most, float(told.max()), float((rate + above).max()))
        axes.errorbar(
            told,
            rate,
            yerr=np.array([below, above]),
            color=colour,
            marker=marker,
            markersize=5,
            linewidth=1,
            capsize=3,
            label=f"{_name(side)}: error {side.measures.calibration_error.value_ppm / 1e6:.4f} "
            f"(floor {side.measures.calibration_floor_ppm / 1e6:.4f})",
        )
    most = min(1.0, 1.05 * most)
    axes.plot([0, most], [0, most], color="#999999", linewidth=1, linestyle=":")
    axes.set(
        title="Reliability: ten bins, with 95 % intervals",
        xlabel="mean probability of default told",
        ylabel="share that defaulted",
        xlim=(0, most),
        ylim=(0, most),
    )
    axes.set_aspect("equal")
    axes.legend(loc="lower right", frameon=False)


def _scores(found: Comparison, old: Axes, new: Axes) -> None:
    points = np.concatenate([found.old.points, found.new.points])
    edges = np.linspace(np.floor(points.min()), np.ceil(points.max()) + 1, 41).tolist()
    outcome = found.sample.outcomes
    for side, axes in ((found.old, old), (found.new, new)):
        for of, colour, what in ((~outcome, GOOD, "did not default"), (outcome, BAD, "defaulted")):
            if of.any():
                weights = np.full(int(of.sum()), 100 / of.sum())
                axes.hist(
                    side.points[of], edges, weights=weights, color=colour, alpha=0.55, label=what
                )
        for floor in (640, 600, 560, 520):
            axes.axvline(floor, color="#555555", linewidth=0.8, linestyle=":")
        axes.set(
            title=f"Scores, {_name(side)}",
            xlabel="points (dotted: floors of the bands)",
            xlim=(edges[0], edges[-1]),
        )
        axes.legend(loc="upper right", frameon=False)
    old.set_ylabel("per cent of each")


def _contributions(found: Comparison, axes: Axes) -> None:
    parts = [contributions_of(side.calibration, found.sample) for side in (found.old, found.new)]
    names = [name for name in found.sample.providers if any(name in each for each in parts)]
    for each, side, colour, shift in zip(
        parts, (found.old, found.new), (OLD, NEW), (-0.2, 0.2), strict=True
    ):
        drawn = [name for name in names if each.get(name)]
        boxes = axes.boxplot(
            [each[name] for name in drawn],
            positions=[names.index(name) + shift for name in drawn],
            orientation="horizontal",
            widths=0.32,
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
            medianprops={"color": "black"},
        )
        for box in boxes["boxes"]:
            box.set(facecolor=colour, alpha=0.7)
        axes.plot([], [], color=colour, linewidth=6, alpha=0.7, label=_name(side))
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set(
        title="Contributions (box: middle half; whiskers: 5 to 95 %)",
        xlabel="points added by the provider",
    )
    figure = axes.get_figure(root=True)
    if figure:
        figure.legend(loc="outside lower center", ncols=2, frameon=False)


def reliability(default: Floats, outcome: Bools) -> tuple[Floats, Floats, Floats, Floats]:
    """Return four arrays, an entry for each bin of equal count that holds anybody.

    The mean told, the rate that defaulted, and how far its 95 % interval (Wilson, 1927) reaches below
    and above that rate.
    """
    bin_of = equal_count_bins(default, BINS)
    counts = np.bincount(bin_of, minlength=BINS)
    filled = counts > 0
    n = counts[filled]
    told = np.bincount(bin_of, default, minlength=BINS)[filled] / n
    rate = np.bincount(bin_of, outcome, minlength=BINS)[filled] / n
    middle = (rate + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    reach = _Z95 * np.sqrt(rate * (1 - rate) / n + _Z95**2 / (4 * n**2)) / (1 + _Z95**2 / n)
    below, above = np.maximum(rate - middle + reach, 0), np.maximum(middle + reach - rate, 0)
    return told, rate, below, above


def _share_from(risk: Floats, cuts: Floats) -> Floats:
    """Return the share of `risk` at or above each of `cuts`, which fall; 0 first."""
    ordered = np.sort(risk)
    share = 1 - np.searchsorted(ordered, cuts, side="left") / max(1, ordered.size)
    return np.concatenate([[0.0], share])


def _name(side: Side) -> str:
    return f"version {side.calibration.version}"
