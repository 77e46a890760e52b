"""Every table: at which period it comes, and what makes it. A table comes at one period, and no other."""

from collections.abc import Mapping

from concordat.v1 import StatisticsTable as T
from exchange.supervision.statistics import listings, look_ups, members, standing, traffic
from exchange.supervision.statistics.sources import Maker

BY_DAY: Mapping[T.ValueType, Maker] = {
    T.STATISTICS_TABLE_QUERIES: traffic.queries,
    T.STATISTICS_TABLE_REFUSALS: traffic.refusals,
    T.STATISTICS_TABLE_VIEW_LATENCY: traffic.view_latency,
    T.STATISTICS_TABLE_PROVIDERS: traffic.providers,
    T.STATISTICS_TABLE_CONSENT_EVENTS: traffic.consent_events,
    T.STATISTICS_TABLE_CONSENT_DELAY: traffic.consent_delay,
    T.STATISTICS_TABLE_LISTINGS_BY_STATE: standing.listings_by_state,
}
BY_MONTH: Mapping[T.ValueType, Maker] = {
    T.STATISTICS_TABLE_LISTINGS: listings.listings,
    T.STATISTICS_TABLE_CONTESTS: listings.contests,
    T.STATISTICS_TABLE_DISPUTES: listings.disputes,
    T.STATISTICS_TABLE_NOTICES: listings.notices,
    T.STATISTICS_TABLE_RECALLS: listings.recalls,
    T.STATISTICS_TABLE_EXPIRED_VISIBLE: listings.expired_visible,
    T.STATISTICS_TABLE_OUTCOMES: members.outcomes,
    T.STATISTICS_TABLE_FISHING: members.fishing,
    T.STATISTICS_TABLE_CASES: look_ups.cases,
}
