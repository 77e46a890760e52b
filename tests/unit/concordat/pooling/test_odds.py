"""Log-odds become probabilities as views tell them, however far out they are."""

import numpy as np

from concordat.pooling.odds import probability


def test_log_odds_beyond_any_view_are_told_as_its_ends_without_a_warning() -> None:
    told = probability(np.array([-1e4, -20.0, 0.0, 20.0, 1e4]))
    np.testing.assert_array_equal(told, [1e-6, 1e-6, 0.5, 1 - 1e-6, 1 - 1e-6])
