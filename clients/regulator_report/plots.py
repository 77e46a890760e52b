"""Plots as SVG, small and with no script: lines by day, bars by member. What is not told is left open."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import log10
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 34, 34
_BAR, _GAP = 13, 12
# Okabe and Ito's colours, told apart by the colour-blind; dashes, so that print in grey is told apart too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4", "4 4", "3 6")


@dataclass(frozen=True, slots=True)
class Series:
    """What one line or colour shows: a value for each place, None where it is not told."""

    name: str
    values: Sequence[float | None]


@cache
def environment() -> Environment:
    """Return the templates; all that they are given is escaped."""
    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )


def _drawn(template: str, **values: Any) -> Markup:
    return Markup(environment().get_template(template).render(**values))  # noqa: S704 - escaped within


def lines(title: str, places: Sequence[str], series: Sequence[Series], unit: str = "") -> Markup:
    """Return lines over places, such as days; with ``unit`` "ms" on a logarithmic scale."""
    shown = list(series)[: len(COLOURS)]
    known = [value for each in shown for value in each.values if value is not None]
    scale = _LogScale(known) if unit == "ms" else _Scale(known)
    step = (WIDTH - _LEFT - _RIGHT) / max(len(places) - 1, 1)
    spots = [_LEFT + nth * step for nth in range(len(places))]
    return _drawn(
        "lines.svg",
        title=title,
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        bottom=HEIGHT - _BOTTOM,
        ticks=[(scale.y(value), words) for value, words in scale.ticks],
        marks=[
            (spot, place)
            for nth, (spot, place) in enumerate(zip(spots, places, strict=True))
            if nth % 5 == 0
        ],
        lines=[
            {
                "name": each.name,
                "colour": COLOURS[nth],
                "dash": DASHES[nth],
                "x": _LEFT + nth % 4 * 160,
                "y": 14 + nth // 4 * 12,
                "segments": _segments(spots, each.values, scale),
            }
            for nth, each in enumerate(shown)
        ],
    )


def _segments(
    spots: Sequence[float], values: Sequence[float | None], scale: "_Scale"
) -> list[list[tuple[float, float]]]:
    """Return the unbroken parts of a line; one that is a single point is drawn as a dot."""
    parts: list[list[tuple[float, float]]] = [[]]
    for spot, value in zip(spots, values, strict=True):
        if value is None:
            parts.append([])
        else:
            parts[-1].append((round(spot, 1), scale.y(value)))
    return [part for part in parts if part]


def bars(title: str, places: Sequence[str], series: Sequence[Series], hidden: str) -> Markup:
    """Return bars by place, such as members; ``hidden`` are the words in the place of one that is not told."""
    shown = list(series)[: len(COLOURS)]
    most = max((v for each in shown for v in each.values if v is not None), default=1) or 1
    left, group = 150, len(shown) * _BAR + _GAP
    height = _TOP + max(len(places), 1) * group
    room = WIDTH - left - 70
    drawn = []
    for nth, place in enumerate(places):
        top = _TOP + nth * group
        marks = [
            {
                "y": top + which * _BAR,
                "width": 0 if value is None else round(value / most * room, 1),
                "colour": COLOURS[which],
                "words": hidden if value is None else f"{value:,.0f}",
            }
            for which, value in enumerate(each.values[nth] for each in shown)
        ]
        drawn.append({"name": place, "y": top + len(shown) * _BAR / 2, "bars": marks})
    return _drawn(
        "bars.svg",
        title=title,
        width=WIDTH,
        height=height,
        left=left,
        bar=_BAR - 2,
        groups=drawn,
        names=[
            {"name": each.name, "colour": COLOURS[nth], "x": left + nth * 130}
            for nth, each in enumerate(shown)
        ],
    )


class _Scale:
    """From values to places on the page, from zero."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low, self.high = 0.0, max(values, default=1.0) or 1.0
        step = _round_step(self.high / 4)
        self.ticks = [
            (nth * step, f"{nth * step:,.0f}") for nth in range(int(self.high // step) + 1)
        ]

    def y(self, value: float) -> float:
        """Return how far down it is drawn."""
        share = (self._at(value) - self.low) / ((self.high - self.low) or 1.0)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    def _at(self, value: float) -> float:
        return value


class _LogScale(_Scale):
    """From milliseconds to places on the page, by powers of ten."""

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__(values)
        exponents = [log10(max(value, 1)) for value in values] or [0.0, 3.0]
        self.low, self.high = float(int(min(exponents))), float(int(max(exponents)) + 1)
        powers = [10**nth for nth in range(int(self.low), int(self.high) + 1)]
        self.ticks = [
            (power, f"{power:,} ms" if power < 1000 else f"{power // 1000:,} s")  # noqa: PLR2004
            for power in powers
        ]

    def _at(self, value: float) -> float:
        return log10(max(value, 1))


def _round_step(least: float) -> float:
    """Return 1, 2 or 5 times a power of ten that is not below ``least``, and not below 1."""
    steps = [float(f"{factor}e{power}") for power in range(13) for factor in (1, 2, 5)]
    return next((step for step in steps if step >= least), steps[-1])
