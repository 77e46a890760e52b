"""Charts as marks on a plane of 400 units' width, and the table behind each; a macro draws them as inline SVG.

Nothing is told by colour alone: every bar and point stands beside its figure, and the table says it all again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 400.0
_LINE = 40.0  # height of a row: its label, and the bar beneath
_BAR = 12.0
_LABEL_BASELINE = 14.0
_BAR_TOP = 20.0
_FIGURES = 64.0  # room for a figure beside a bar
_LONGEST = 46  # letters of a label


@dataclass(frozen=True, slots=True)
class Rect:
    """A bar; ``tone`` is ``plain``, ``soft``, ``plus`` or ``minus``."""

    x: float
    y: float
    width: float
    height: float
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Text:
    """Words; ``anchor`` is ``start``, ``middle`` or ``end``; ``strong`` is a figure."""

    x: float
    y: float
    words: str
    anchor: str = "start"
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through ``points``, such as ``0,10 40,20``; ``axis`` is thin and grey."""

    points: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, what it shows in words, and the table behind it, whose cells are plain text."""

    name: str  # an id, once a page
    title: str
    description: str
    height: float
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    rects: Sequence[Rect] = ()
    strokes: Sequence[Stroke] = ()
    texts: Sequence[Text] = ()
    width: float = WIDTH


@dataclass(frozen=True, slots=True)
class Told:
    """What a chart is called and says, and the table behind it."""

    name: str
    title: str
    description: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def contribution_chart(told: Told, parts: Sequence[tuple[str, int, str]]) -> Chart:
    """Return bars to both sides of a line, one beneath the other: label, gain or loss, and its figure."""
    lowest = min((value for _, value, _ in parts if value < 0), default=0)
    highest = max((value for _, value, _ in parts if value > 0), default=0)
    unit = (WIDTH - 2 * _FIGURES) / ((highest - lowest) or 1)
    zero = round(_FIGURES - lowest * unit, 1)
    rects, texts = [], []
    for place, (label, value, figure) in enumerate(parts):
        top, long = place * _LINE, round(max(abs(value) * unit, 1.0), 1)
        start = zero if value >= 0 else zero - long
        tone = "plus" if value > 0 else "minus" if value < 0 else "soft"
        rects.append(Rect(round(start, 1), top + _BAR_TOP, long, _BAR, tone))
        beside = (start + long + 6, "start") if value >= 0 else (start - 6, "end")
        texts += [
            Text(0, top + _LABEL_BASELINE, shortened(label)),
            Text(round(beside[0], 1), top + _BAR_TOP + 11, figure, beside[1], strong=True),
        ]
    height = len(parts) * _LINE
    axis = [  # beside the bars alone: it would strike the labels through
        Stroke(f"{zero},{top + 16} {zero},{top + 36}", "axis")
        for top in (place * _LINE for place in range(len(parts)))
    ]
    return chart_of(told, height, rects, axis, texts)


def reach_chart(
    told: Told,
    scale: tuple[int, int],
    reach: tuple[int, int],
    value: int,
    marks: Sequence[tuple[int, str]],
) -> Chart:
    """Return a scale with an interval on it and the value in it; ``marks`` are places and their names."""
    lowest, highest = scale
    unit = (WIDTH - 40) / ((highest - lowest) or 1)

    def at(points: float) -> float:
        return round(20 + (min(max(points, lowest), highest) - lowest) * unit, 1)

    low, high = at(reach[0]), at(reach[1])
    rects = [
        Rect(20, 34, WIDTH - 40, 6, "soft"),
        Rect(low, 31, round(max(high - low, 2.0), 1), 12),
    ]
    strokes = [Stroke(f"{at(value)},24 {at(value)},50", "point")]
    strokes += [Stroke(f"{at(place)},34 {at(place)},54", "axis") for place, _ in marks]
    texts = [
        Text(at(value), 18, str(value), "middle", strong=True),
        *(Text(at(place), 68, name, "middle") for place, name in marks),
    ]
    return chart_of(told, 76, rects, strokes, texts)


def shortened(label: str) -> str:
    """Return a label that fits a line; the table has all of it."""
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def chart_of(
    told: Told,
    height: float,
    rects: Sequence[Rect],
    strokes: Sequence[Stroke],
    texts: Sequence[Text],
) -> Chart:
    """Return a chart of what is told and of the marks that show it."""
    return Chart(
        told.name,
        told.title,
        told.description,
        height,
        told.columns,
        told.rows,
        rects,
        strokes,
        texts,
    )
