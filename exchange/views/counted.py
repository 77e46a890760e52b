"""Which bins the scores of a view are counted in: pure. A view of nobody's own score comes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.drift.baseline import cells_of
from exchange.views.dispatch import Answered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from concordat.federation.calibrations import OpenedCalibration
    from exchange.drift.table import Cell
    from exchange.views.dispatch import Gathering


def cells_of_view(gathering: Gathering, calibration: OpenedCalibration) -> tuple[Cell, ...]:
    """Return the cells of the scores that the calibration reads, whatever of them is disclosed."""
    return cells_of(calibration, _scores(gathering, calibration))


def _scores(gathering: Gathering, calibration: OpenedCalibration) -> Iterator[tuple[str, int]]:
    for provider, outcome in gathering.outcomes.items():
        if not isinstance(outcome, Answered):
            continue
        statement, licence = outcome.statement.message, outcome.provider.licence
        reads = calibration.compiled.reads(provider, licence.score_scale)
        if reads and statement.WhichOneof("answer") == "score":
            yield provider, statement.score
