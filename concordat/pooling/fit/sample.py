"""A de-identified sample of outcomes: providers' scores, what became of the credit, and nobody's name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from concordat import v1
from concordat.pooling.measures import Bools, Floats

Strings = npt.NDArray[np.str_]

LEAST_OF_EACH = 20
"""Defaults, and others, below which nothing can be fitted; so many must a provider know, too."""


class SampleInvalid(ValueError):  # noqa: N818 - read as a finding, like the others of its kind
    """A sample cannot be fitted to; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A provider's scale.

    Attributes:
        minimum: lowest score.
        maximum: highest score.
        riskier: whether a higher score is riskier.
    """

    minimum: int
    maximum: int
    riskier: bool

    @classmethod
    def of(cls, message: v1.ScoreScale) -> "Scale":
        """Return the scale of a licence."""
        riskier = message.direction == v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_RISKIER
        return cls(message.minimum, message.maximum, riskier)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Scores and outcomes of n subjects.

    Attributes:
        providers: k member_ids.
        scores: (n, k), on the providers' own scales; NaN where a provider has no record.
        outcomes: (n,), whether the subject defaulted.
        groups: by attribute, (n,) names of groups; for audit, no input of any model.
    """

    providers: tuple[str, ...]
    scores: Floats
    outcomes: Bools
    groups: Mapping[str, Strings] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.outcomes)

    def of(self, rows: npt.NDArray[np.int64] | Bools) -> "Sample":
        """Return the sample of some rows: their places, or a mask."""
        groups = {name: names[rows] for name, names in self.groups.items()}
        return Sample(self.providers, self.scores[rows], self.outcomes[rows], groups)


def check_sample(sample: Sample, scales: Mapping[str, Scale]) -> None:
    """Raise `SampleInvalid` unless `sample` can be fitted to."""
    shape = (len(sample.outcomes), len(sample.providers))
    if sample.scores.shape != shape:
        raise SampleInvalid(f"scores: have the shape {sample.scores.shape}, not {shape}")
    for column, provider in enumerate(sample.providers):
        if provider not in scales:
            raise SampleInvalid(f"{provider}: has no scale; give its licence")
        _check_column(provider, sample.scores[:, column], scales[provider])
    silent = np.flatnonzero(~np.isfinite(sample.scores).any(axis=1))
    if len(silent):
        raise SampleInvalid(
            f"row {silent[0] + 1}: no provider has a score; leave out the {len(silent)} such rows"
        )
    defaults = int(sample.outcomes.sum())
    if min(defaults, len(sample) - defaults) < LEAST_OF_EACH:
        raise SampleInvalid(
            f"{defaults} defaults of {len(sample)}: at least {LEAST_OF_EACH} that defaulted and as many "
            "that did not are needed; observe for longer, or declare a calibration"
        )


def _check_column(provider: str, scores: Floats, scale: Scale) -> None:
    known = scores[np.isfinite(scores)]
    if np.isinf(scores).any():
        raise SampleInvalid(f"{provider}: an infinite score; leave it empty for no record")
    if len(known) < LEAST_OF_EACH:
        raise SampleInvalid(
            f"{provider}: knows {len(known)} subjects, fewer than {LEAST_OF_EACH}; leave the column out"
        )
    if len(np.unique(known)) < 2:  # noqa: PLR2004 - one score tells nobody apart
        raise SampleInvalid(f"{provider}: fewer than two different scores; leave the column out")
    outside = known[(known < scale.minimum) | (known > scale.maximum)]
    if len(outside):
        raise SampleInvalid(
            f"{provider}: {outside[0]:g} is outside its scale, {scale.minimum} to {scale.maximum}"
        )
