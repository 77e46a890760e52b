"""What is told of one furnisher: counts rounded, small ones suppressed. Pure."""

from dataclasses import dataclass

from concordat import v1
from concordat.v1 import Extent
from exchange.supervision.suppression import rounded, told, told_pairs


@dataclass(slots=True)
class Counts:
    """What there is of one furnisher."""

    open: tuple[int, int, int, int] = (
        0,
        0,
        0,
        0,
    )  # disputes: > 10 d left, 3 to 10, under 3, overdue
    decided: int = 0  # in the month
    upheld: int = 0
    ran_out: int = 0
    given: int = 0  # orders, in the month
    complied: int = 0
    overdue: int = 0  # orders


def told_of(furnisher: str, counts: Counts, smallest: int) -> v1.FurnisherOversight:
    """Return what is told of a furnisher.

    No total is told, so that each count stands alone; but who won follows from how many were decided, and is
    told only where neither side is small.
    """
    (over_10,), (to_10,), (under_3,) = (told([count], smallest) for count in counts.open[:3])
    (decided,), (given,), (complied,) = (
        told([count], smallest) for count in (counts.decided, counts.given, counts.complied)
    )
    (upheld,) = told_pairs([(counts.decided, counts.upheld)], smallest)
    return v1.FurnisherOversight(
        furnisher=furnisher,
        open_over_10_days=over_10,
        open_3_to_10_days=to_10,
        open_under_3_days=under_3,
        open_overdue=shortfall(counts.open[3], smallest),
        decided=decided,
        upheld=upheld,
        ran_out=shortfall(counts.ran_out, smallest),
        orders_given=given,
        orders_complied=complied,
        orders_overdue=shortfall(counts.overdue, smallest),
    )


def shortfall(count: int, smallest: int) -> v1.Shortfall:
    """Return how much was left undone: nothing, fewer than the smallest cell, or about how much."""
    if not count:
        return v1.Shortfall(extent=Extent.EXTENT_NONE)
    if count < smallest:
        return v1.Shortfall(extent=Extent.EXTENT_FEW)
    return v1.Shortfall(extent=Extent.EXTENT_COUNTED, count=rounded(count, smallest))
