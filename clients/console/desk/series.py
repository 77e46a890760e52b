"""Lines over days, with gaps where nothing is told: a suppressed number is no zero, and no line crosses it."""

from collections.abc import Sequence
from itertools import groupby

from clients.console.base.charts import WIDTH, Chart, Rect, Stroke, Text, Told, chart_of
from clients.language import tr

_LEFT, _TOP, _HIGH = 20.0, 26.0, 94.0
_DOT = 5.0

Point = tuple[str, int | None, str]  # a day, its value or None, and its figure


def gap_chart(told: Told, points: Sequence[Point]) -> Chart:
    """Return a line from the first day to the last; it begins at zero, and is broken where a day tells nothing."""
    most = max((value for _, value, _ in points if value is not None), default=0) or 1
    step = (WIDTH - 2 * _LEFT) / max(len(points) - 1, 1)
    places = [
        None
        if value is None
        else (round(_LEFT + n * step, 1), round(_TOP + _HIGH * (1 - value / most), 1))
        for n, (_, value, _) in enumerate(points)
    ]
    floor = _TOP + _HIGH + 4
    strokes = [Stroke(f"{_LEFT},{floor} {WIDTH - _LEFT},{floor}", "axis")]
    for there, run in groupby(places, key=lambda place: place is not None):
        line = [place for place in run if place is not None]
        if there and len(line) > 1:
            strokes.append(Stroke(" ".join(f"{x},{y}" for x, y in line)))
    dots = [Rect(x - _DOT / 2, y - _DOT / 2, _DOT, _DOT) for x, y in filter(None, places)]
    return chart_of(told, floor + 26, dots, strokes, _texts(points, most, floor))


def _texts(points: Sequence[Point], most: int, floor: float) -> list[Text]:
    """Return the first and the last day beneath, and the highest figure above."""
    if not points:
        return []
    texts = [
        Text(_LEFT, floor + 18, points[0][0]),
        Text(WIDTH - _LEFT, floor + 18, points[-1][0], "end"),
    ]
    told = [figure for _, value, figure in points if value == most]
    if any(value is not None for _, value, _ in points):
        return [*texts, *(Text(_LEFT, 14, figure, strong=True) for figure in told[:1])]
    return [*texts, Text(WIDTH / 2, _TOP + _HIGH / 2, tr("No day tells a number."), "middle")]
