"""Lines over days and bars of members, with gaps where nothing is told: a suppressed number is no zero.

No line crosses a gap, and what is hidden has no bar.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from clients.console.base.charts import Chart, Rect, Stroke, Text, Told, chart_of, shortened
from clients.language import tr

WIDE, NARROW = 360.0, 280.0  # a chart that stands alone, and one in a card
_LEFT, _TOP, _HIGH = 20.0, 26.0, 94.0
_DOT = 5.0
_ROW, _BAR_TOP, _BAR, _FIGURE = 44.0, 20.0, 14.0, 96.0

Point = tuple[str, int | None, str]  # a day, its value or None, and its figure


def gap_chart(told: Told, points: Sequence[Point], most: int = 0, width: float = WIDE) -> Chart:
    """Return a line from the first day to the last; it begins at zero, and is broken where a day tells nothing.

    It ends at the highest value, or at ``most``.
    """
    most = most or max((value for _, value, _ in points if value is not None), default=0) or 1
    step = (width - 2 * _LEFT) / max(len(points) - 1, 1)
    places = [
        None
        if value is None
        else (round(_LEFT + n * step, 1), round(_TOP + _HIGH * (1 - value / most), 1))
        for n, (_, value, _) in enumerate(points)
    ]
    floor = _TOP + _HIGH
    strokes = [
        Stroke(f"{_LEFT},{_TOP} {width - _LEFT},{_TOP}", "grid"),
        Stroke(f"{_LEFT},{floor} {width - _LEFT},{floor}", "axis"),
    ]
    for there, run in groupby(places, key=lambda place: place is not None):
        line = [place for place in run if place is not None]
        if there and len(line) > 1:
            strokes.append(Stroke(" ".join(f"{x},{y}" for x, y in line)))
    dots = [Rect(x - _DOT / 2, y - _DOT / 2, _DOT, _DOT) for x, y in filter(None, places)]
    chart = chart_of(told, floor + 30, dots, strokes, _texts(points, most, floor, width))
    return replace(chart, width=width)


def _texts(points: Sequence[Point], most: int, floor: float, width: float) -> list[Text]:
    """Return the first and the last day beneath, zero beside the floor, and the highest figure above."""
    if not points:
        return []
    texts = [
        Text(_LEFT, floor + 22, points[0][0]),
        Text(width - _LEFT, floor + 22, points[-1][0], "end"),
    ]
    told = [figure for _, value, figure in points if value == most]
    if any(value is not None for _, value, _ in points):
        texts.append(Text(_LEFT - 6, floor + 4, "0", "end"))
        return [*texts, *(Text(_LEFT, 16, figure, strong=True) for figure in told[:1])]
    return [*texts, Text(width / 2, _TOP + _HIGH / 2, tr("No day tells a number."), "middle")]


Bar = tuple[
    str, int | None, str, bool
]  # whose, how much or None, its figure, and whether that is the most it can be


def bar_chart(told: Told, bars: Sequence[Bar]) -> Chart:
    """Return a bar for each, one beneath the other; a soft one is as long as it can be at most."""
    most = max((value for _, value, _, _ in bars if value is not None), default=0) or 1
    rects, texts = [], []
    for place, (label, value, figure, at_most) in enumerate(bars):
        top, long = place * _ROW, round((WIDE - _FIGURE) * (value or 0) / most, 1)
        if long:
            rects.append(Rect(0, top + _BAR_TOP, long, _BAR, "soft" if at_most else "plain"))
        texts += [
            Text(0, top + 14, shortened(label)),
            Text(long + 6 if long else 0, top + _BAR_TOP + 12, figure, strong=True),
        ]
    return replace(chart_of(told, len(bars) * _ROW, rects, (), texts), width=WIDE)
