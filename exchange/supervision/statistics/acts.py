"""What acts count as: each as what it is, of whom, and never about whom. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import ListingAction, ListingActKind, ListingState, RulingOutcome
from concordat.v1 import StatisticsMeasure as M
from exchange.listings.machine.listing import ENDS
from exchange.supervision.statistics.counting import Series, took

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from exchange.limits.gate import Moved
    from exchange.listings.announcements import Change
    from exchange.listings.cause import Cause
    from exchange.supervision.statistics.cells import Measure
    from exchange.supervision.statistics.table import Counted

_RIGHT = frozenset(
    {
        RulingOutcome.RULING_OUTCOME_UPHELD,
        RulingOutcome.RULING_OUTCOME_RECTIFIED,
        RulingOutcome.RULING_OUTCOME_UNVERIFIABLE,
    }
)
_SIGNALS: dict[str, Measure] = {
    "no_match": M.STATISTICS_MEASURE_SIGNAL_NO_MATCH,
    "others_consents": M.STATISTICS_MEASURE_SIGNAL_OTHERS_CONSENTS,
    "one_subject": M.STATISTICS_MEASURE_SIGNAL_ONE_SUBJECT,
    "out_of_hours": M.STATISTICS_MEASURE_SIGNAL_OUT_OF_HOURS,
    "missing_outcomes": M.STATISTICS_MEASURE_SIGNAL_MISSING_OUTCOMES,
}


def of_view(view: v1.View, waited: Mapping[str, timedelta]) -> tuple[Counted, ...]:
    """Return what the release of a view counts as; ``waited`` is how long providers took that answered."""
    whole = from_timestamp(view.issued_at) - from_timestamp(view.receipt.recorded_at)
    return (
        took(Series.VIEW_LATENCY, view.lender, whole),
        *((Series.PROVIDER_OUTCOME, each.provider, int(each.kind)) for each in view.providers),
        *(took(Series.PROVIDER_LATENCY, name, length) for name, length in waited.items()),
    )


def of_consent_event(event: v1.ConsentEvent, at: datetime) -> tuple[Counted, ...]:
    """Return what the taking in of a subject's event counts as."""
    length = at - from_timestamp(event.decided_at)
    return (took(Series.CONSENT_EVENT_LATENCY, "", length),)


def of_lender(moved: Moved) -> tuple[Counted, ...]:
    """Return what a lender's new signals count as."""
    new = moved.after.signals.keys() - moved.before.signals.keys()
    names = sorted(signal.value for signal in new)
    return tuple(
        (Series.FISHING, moved.lender, int(_SIGNALS[name])) for name in names if name in _SIGNALS
    )


def of_listings(changes: Iterable[Change]) -> tuple[Counted, ...]:
    """Return what moves of listings count as, by who filed first; ends of disputes by all who vouch."""
    return tuple(
        (Series.LISTING, member, int(measure))
        for change in changes
        for member, measure in (
            *((change.after.sources[0].member_id, measure) for measure in _of_change(change)),
            *_of_end(change),
        )
    )


def _of_end(change: Change) -> Iterator[tuple[str, Measure]]:
    """Yield what the end of a dispute counts as, of each whose listing it was before that."""
    vouching = () if change.before is None else change.before.live_sources
    for source in vouching:
        yield from ((source.member_id, measure) for measure in _ended(change.cause))


def _ended(cause: Cause) -> Iterator[Measure]:
    """Yield how a cause ended a dispute: decided, and whether upheld, or run out; nothing for no end."""
    if cause.kind == ListingActKind.LISTING_ACT_KIND_RULED:
        yield M.STATISTICS_MEASURE_DECIDED
        if isinstance(cause.statement, v1.Ruling) and cause.statement.outcome in _RIGHT:
            yield M.STATISTICS_MEASURE_UPHELD
    elif cause.action == ListingAction.LISTING_ACTION_TIME_OUT:
        yield M.STATISTICS_MEASURE_OVERDUE


def _of_change(change: Change) -> Iterator[Measure]:
    before, after = change.before, change.after
    if before is None:
        yield M.STATISTICS_MEASURE_FILED
        return
    effective = before.effective_at is None and after.effective_at is not None
    if effective:
        yield M.STATISTICS_MEASURE_EFFECTIVE
    if after.state in ENDS and before.state not in ENDS:
        yield M.STATISTICS_MEASURE_ENDED
    contested = after.state == ListingState.LISTING_STATE_CONTESTED and before.state != after.state
    if before.disputes == 0 and (effective or contested):  # once for each listing
        yield M.STATISTICS_MEASURE_FACED
        if contested:
            yield M.STATISTICS_MEASURE_CONTESTED
    yield from _of_dispute(change)


def _of_dispute(change: Change) -> Iterator[Measure]:
    before, after = change.before, change.after
    known = before.dispute.dispute_id if before is not None and before.dispute else None
    if after.dispute is not None and after.dispute.dispute_id != known:
        yield M.STATISTICS_MEASURE_DISPUTED


def of_case(act: v1.CaseLookUp) -> tuple[Counted, ...]:
    """Return what a look-up in a case counts as; its article is told of look-ups that two officers approved."""
    if act.refusal:
        return ((Series.CASE, act.regulator, int(M.STATISTICS_MEASURE_REFUSED)),)
    measure = int(M.STATISTICS_MEASURE_LOOK_UPS)
    return (
        (Series.CASE, act.regulator, measure),
        (Series.CASE_ARTICLE, act.legal_article, measure),
    )
