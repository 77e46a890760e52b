"""Each provider's exact part in the scores of some subjects of a sample."""

from typing import Final

import numpy as np

from clients.calibration.comparison import read_by
from concordat import v1
from concordat.pooling import CompiledCalibration, Heard, pool
from concordat.pooling.fit import Sample

MOST: Final = 400
"""Subjects that are pooled exactly; more would show the same."""


def contributions_of(
    calibration: v1.Calibration, sample: Sample, most: int = MOST
) -> dict[str, list[int]]:
    """Return the points that each provider adds, one for each subject that it moves the score of.

    At most `most` subjects are pooled, every so many of the sample, exactly as in a view.
    """
    compiled = CompiledCalibration.from_message(calibration)
    names = [reading.provider for reading in compiled.readings]
    found: dict[str, list[int]] = {name: [] for name in names if name in sample.providers}
    step = max(1, -(-len(sample) // most))
    scores, asked = read_by(calibration, sample.of(np.arange(0, len(sample), step)))
    for row, of in zip(scores, asked, strict=True):
        heard: list[Heard] = [
            (name, None if np.isnan(score) else int(score))
            for name, score, was in zip(names, row, of, strict=True)
            if was
        ]
        if any(score is not None for _, score in heard):
            for part in pool(compiled, heard).contributions:
                found[part.provider].append(part.points)
    return found
