"""Why a score is not higher: the providers' reason codes, ranked by what they cost."""

from collections.abc import Mapping, Sequence

from concordat import v1

_MOST = 32


def with_costs(score: v1.UnifiedScore, codes: Mapping[str, Sequence[str]]) -> None:
    """Fill `score.costs` from its contributions and the reason codes of the providers' statements.

    Providers that took points come first, the costliest before the others and equally costly ones by
    member_id; each one's codes in its own order, costliest first. A provider does not say how its
    cost divides among its codes, so each carries the whole. Having no record, where that counts, has
    no code. At most 32.
    """
    taking = sorted(
        (c for c in score.contributions if c.points < 0), key=lambda c: (c.points, c.provider)
    )
    costs = [
        v1.ScoreCost(provider=c.provider, code=code, points=-c.points)
        for c in taking
        for code in ([""] if c.no_record else codes.get(c.provider, ()))
    ]
    del score.costs[:]
    score.costs.extend(costs[:_MOST])
