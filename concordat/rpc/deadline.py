"""Deadlines that shrink a hop: whoever asks on gives less time than it has left."""

from concordat.refusal import Refusal
from concordat.v1 import Reason

MARGIN_SECONDS = 0.1
KEPT_SHARE = 0.1
MIN_SECONDS = 0.05
MAX_SECONDS = 30.0


def next_hop_seconds(seconds_left: float, cap: float = MAX_SECONDS) -> float:
    """Return how long the next hop may take: what is left, less a tenth and 100 ms to answer in, at most ``cap``.

    Raises ``Refusal`` (REASON_DEADLINE_TOO_SHORT) where that leaves under 50 ms.
    """
    budget = min(seconds_left * (1 - KEPT_SHARE) - MARGIN_SECONDS, cap)
    if budget < MIN_SECONDS:
        raise Refusal(Reason.REASON_DEADLINE_TOO_SHORT, f"{seconds_left:.3f} s left")
    return budget
