"""A fitted pool as the contract's message: floats become millionths here, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from concordat import v1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from concordat.pooling.fit.maps import RiskMap
    from concordat.pooling.fit.pooled import Blend, Parts
    from concordat.pooling.fit.trees import Grown

_MICRO = 1_000_000
_END = 20 * _MICRO
_MOST = 14 * _MICRO


def write_model(providers: Sequence[str], parts: Parts, blend: Blend) -> v1.PoolingModel:
    """Return the model of `parts`, lines and trees weighed by `blend`; intervals are the caller's."""
    lines, count = parts.lines, len(providers)
    model = v1.PoolingModel(
        providers=[_reading(provider, place, parts) for place, provider in enumerate(providers)],
        no_record_counts=parts.counts,
        intercept_micro=_micro(blend.start + blend.lines * lines.start + blend.trees * parts.start),
        ramps=[
            v1.Ramp(
                reading=reading,
                side=side,
                at_micro=_micro(at, _END),
                weight_micro=_micro(blend.lines * weight),
            )
            for reading, side, at, weight in lines.ramps
        ],
        pairs=[
            v1.Pair(
                one=one,
                other=other,
                both_high_micro=_micro(blend.lines * high),
                both_low_micro=_micro(blend.lines * low),
            )
            for one, other, high, low in lines.pairs
        ],
        trees=[_tree(tree, blend.trees) for tree in parts.trees] if blend.trees else [],
    )
    if parts.counts:
        model.shared_floor_micro = _micro(lines.ends[count, 0], _END)
        model.shared_ceiling_micro = _micro(lines.ends[count, 1], _END)
    return model


def _micro(value: float, most: int = _MOST) -> int:
    return max(-most, min(most, round(float(value) * _MICRO)))


def _reading(provider: str, place: int, parts: Parts) -> v1.ProviderReading:
    shared, ends = parts.shared, parts.lines.ends
    return v1.ProviderReading(
        provider=provider,
        knots=_knots(parts.maps[place]),
        center_micro=_micro(shared.center[place]),
        spread_micro=max(_micro(shared.spread[place]), 1000),
        loading_ppm=_micro(shared.loading[place]),
        floor_micro=_micro(ends[place, 0], _END),
        ceiling_micro=_micro(ends[place, 1], _END),
        record_ppm=max(_micro(shared.record[place]), 1),
        record_loading_ppm=_micro(shared.record_loading[place]) if parts.counts else 0,
    )


def _knots(risk: RiskMap) -> list[v1.CalibrationKnot]:
    levels = [_micro(level) for level in risk.log_odds]
    if levels[0] == levels[-1]:
        # Outcomes tell no two scores apart; a map must still say which way it runs.
        levels[-1] += 1 if risk.riskier else -1
    return [
        v1.CalibrationKnot(score=round(score), log_odds_micro=level)
        for score, level in zip(risk.scores.tolist(), levels, strict=True)
    ]


def _tree(tree: Grown, weight: float) -> v1.Tree:
    return v1.Tree(
        readings=tree.readings,
        above_micro=[_micro(above, _END) for above in tree.above],
        left=tree.left,
        right=tree.right,
        leaves_micro=[_micro(weight * leaf) for leaf in np.asarray(tree.leaves).tolist()],
    )
