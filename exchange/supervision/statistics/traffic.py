"""The tables of a day: requests, refusals, how long views, providers and consents took."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import and_, case, func, select

from concordat import v1
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.v1 import Purpose, Reason, Role
from concordat.v1 import StatisticsMeasure as M
from exchange.consents.table import consent
from exchange.supervision.statistics.cells import (
    Measure,
    by_member,
    column,
    count_cell,
    failing_cell,
    lone_cell,
    names,
    time_cells,
)
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.sources import Sources, bucket_column
from exchange.supervision.suppression import told
from exchange.views.table import access_entry

_ENTRY = access_entry.c
_PURPOSES = [each for each in Purpose.values() if each]
_REASONS = [each for each in Reason.values() if each]

_ANSWERED, _UNANSWERED, _REFUSED = (
    M.STATISTICS_MEASURE_ANSWERED,
    M.STATISTICS_MEASURE_UNANSWERED,
    M.STATISTICS_MEASURE_REFUSED,
)
# What a provider is told of: what may be the person's (suppressed when small), and what is its own failing.
_PERSONS: tuple[tuple[int, Measure], ...] = (
    (Kind.PROVIDER_OUTCOME_KIND_SCORED, M.STATISTICS_MEASURE_SCORED),
    (Kind.PROVIDER_OUTCOME_KIND_NO_RECORD, M.STATISTICS_MEASURE_NO_RECORD),
    (Kind.PROVIDER_OUTCOME_KIND_FROZEN, M.STATISTICS_MEASURE_FROZEN),
    (Kind.PROVIDER_OUTCOME_KIND_REFUSED, M.STATISTICS_MEASURE_PROVIDER_REFUSED),
)
_FAILINGS: tuple[tuple[int, Measure], ...] = (
    (Kind.PROVIDER_OUTCOME_KIND_TIMED_OUT, M.STATISTICS_MEASURE_TIMED_OUT),
    (Kind.PROVIDER_OUTCOME_KIND_UNREACHABLE, M.STATISTICS_MEASURE_UNREACHABLE),
    (Kind.PROVIDER_OUTCOME_KIND_INVALID, M.STATISTICS_MEASURE_INVALID),
    (Kind.PROVIDER_OUTCOME_KIND_NOT_LICENSED, M.STATISTICS_MEASURE_NOT_LICENSED),
)


def queries(sources: Sources) -> list[v1.StatisticsRow]:
    """Return requests by purpose and lender; each is counted in one cell, so that none is part of another."""
    became = case(
        (_ENTRY.refusal != 0, int(_REFUSED)),
        (_ENTRY.released_at.is_(None), int(_UNANSWERED)),
        else_=int(_ANSWERED),
    ).label("became")
    query = (
        select(_ENTRY.purpose, _ENTRY.lender, became, func.count().label("total"))
        .where(sources.within(_ENTRY.recorded_at))
        .group_by(_ENTRY.purpose, _ENTRY.lender, became)
    )
    found = {(each.purpose, each.lender, each.became): each.total for each in sources.rows(query)}
    lenders = names(sources.of(Role.ROLE_LENDER), [lender for _, lender, _ in found])
    keys = [(purpose, lender) for purpose in _PURPOSES for lender in lenders]
    # What was refused in all is told by the reasons as well.
    refused = told([found.get((*key, _REFUSED), 0) for key in keys], sources.smallest)
    return [
        v1.StatisticsRow(
            purpose=key[0],
            member=key[1],
            cells=[
                lone_cell(_ANSWERED, found.get((*key, _ANSWERED), 0), sources.smallest),
                lone_cell(_UNANSWERED, found.get((*key, _UNANSWERED), 0), sources.smallest),
                count_cell(_REFUSED, shown),
            ],
        )
        for key, shown in zip(keys, refused, strict=True)
    ]


def refusals(sources: Sources) -> list[v1.StatisticsRow]:
    """Return what was refused by reason, of all lenders together."""
    query = (
        select(_ENTRY.refusal, func.count().label("total"))
        .where(sources.within(_ENTRY.recorded_at), _ENTRY.refusal != 0)
        .group_by(_ENTRY.refusal)
    )
    found = {each.refusal: each.total for each in sources.rows(query)}
    counts = [found.get(reason, 0) for reason in _REASONS]
    cells, total = column(_REFUSED, counts, sources.smallest)
    rows = [
        v1.StatisticsRow(reason=reason, cells=[cell])
        for reason, cell in zip(_REASONS, cells, strict=True)
    ]
    return [*rows, v1.StatisticsRow(total=True, cells=[total])]


def view_latency(sources: Sources) -> list[v1.StatisticsRow]:
    """Return how long views took, from their entry until their release, by lender."""
    found = sources.counted(Series.VIEW_LATENCY)
    return _times(names(sources.of(Role.ROLE_LENDER), found), found, sources.smallest)


def providers(sources: Sources) -> list[v1.StatisticsRow]:
    """Return what came of asking each provider for scores, and how long its answers took."""
    found = sources.counted(Series.PROVIDER_OUTCOME)
    took = sources.counted(Series.PROVIDER_LATENCY)
    smallest = sources.smallest
    members = names(sources.of(Role.ROLE_PROVIDER), found, took)
    rows = []
    for member in members:
        counts = found.get(member, {})
        cells = [lone_cell(measure, counts.get(kind, 0), smallest) for kind, measure in _PERSONS]
        cells += [
            failing_cell(measure, counts.get(kind, 0), smallest) for kind, measure in _FAILINGS
        ]
        cells += time_cells(took.get(member, {}), smallest)
        rows.append(v1.StatisticsRow(member=member, cells=cells))
    return rows


def consent_events(sources: Sources) -> list[v1.StatisticsRow]:
    """Return how soon what subjects signed of their consents was in force."""
    found = sources.counted(Series.CONSENT_EVENT_LATENCY).get("", {})
    return [v1.StatisticsRow(total=True, cells=time_cells(found, sources.smallest))]


def consent_delay(sources: Sources) -> list[v1.StatisticsRow]:
    """Return how long after a consent was granted it was used, by lender and of all together."""
    bucket = bucket_column(_ENTRY.recorded_at - consent.c.granted_at).label("bucket")
    query = (
        select(_ENTRY.lender, bucket, func.count().label("total"))
        .join(
            consent,
            and_(
                consent.c.subject_ref == _ENTRY.subject_ref,
                consent.c.consent_id == _ENTRY.consent_id,
            ),
        )
        .where(sources.within(_ENTRY.recorded_at), _ENTRY.refusal == 0, consent.c.granted_at > 0)
        .group_by(_ENTRY.lender, bucket)
    )
    found: dict[str, dict[int, int]] = {}
    everyone: Counter[int] = Counter()
    for each in sources.rows(query):
        found.setdefault(each.lender, {})[each.bucket] = each.total
        everyone[each.bucket] += each.total
    rows = _times(names(sources.of(Role.ROLE_LENDER), found), found, sources.smallest)
    total = v1.StatisticsRow(total=True, cells=time_cells(everyone, sources.smallest))
    return [*rows, total]


def _times(
    members: Sequence[str], found: dict[str, dict[int, int]], smallest: int
) -> list[v1.StatisticsRow]:
    cells = [time_cells(found.get(member, {}), smallest) for member in members]
    columns = [([each[place] for each in cells], None) for place in range(2)]
    return by_member(members, columns)
