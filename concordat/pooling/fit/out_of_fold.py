"""Asking cross-fitted models of each subject the one that did not see it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from concordat import v1
from concordat.pooling.measures import Bools, Floats, Ints


class Ask(Protocol):
    """A question to a model, such as `pooled_log_odds` or `interval` of `concordat.pooling.fit`."""

    def __call__(
        self, model: v1.PoolingModel, scores: Floats, *, heard: Bools | None = None
    ) -> Floats:
        """Answer row by row."""
        ...


def out_of_fold(
    ask: Ask,
    models: Sequence[v1.PoolingModel],
    fold: Ints,
    scores: Floats,
    heard: Bools | None = None,
) -> Floats:
    """Return what each row's model answers, (n,) or (n, ...) as `ask` does.

    Args:
        ask: the question.
        models: of each fold.
        fold: (n,) the place of each row's model.
        scores: (n, k), NaN where a provider has no record.
        heard: (n, k), False where a provider was not asked; None: all were.
    """
    parts = [fold == number for number in range(len(models))]
    answers = [
        ask(model, scores[rows], heard=None if heard is None else heard[rows])
        for model, rows in zip(models, parts, strict=True)
    ]
    out = np.empty((len(scores), *answers[0].shape[1:]))
    for rows, answer in zip(parts, answers, strict=True):
        out[rows] = answer
    return out
