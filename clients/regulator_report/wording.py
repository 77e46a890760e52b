"""Names of tables, columns and rows, in words that need no manual."""

from collections.abc import Mapping

from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T

Titles = Mapping[int, tuple[str, str]]

TABLES: Titles = {
    T.STATISTICS_TABLE_QUERIES: (
        "Requests by purpose and lender",
        "Each request stands in one column. Those asked are all three together.",
    ),
    T.STATISTICS_TABLE_REFUSALS: ("Refusals by reason", "Of all lenders together."),
    T.STATISTICS_TABLE_VIEW_LATENCY: (
        "How long views took",
        "From the entry of a request in the log until its answer went out.",
    ),
    T.STATISTICS_TABLE_PROVIDERS: (
        "Providers",
        "What came of asking each for a score, and how long its answers took.",
    ),
    T.STATISTICS_TABLE_CONSENT_EVENTS: (
        "Revocations and pauses",
        "From when the subject signed it until it was in force at the exchange.",
    ),
    T.STATISTICS_TABLE_CONSENT_DELAY: (
        "From consent to request",
        "From when the exchange took a consent in until a request under it was let in.",
    ),
    T.STATISTICS_TABLE_LISTINGS: ("Listings", "By who filed them first."),
    T.STATISTICS_TABLE_CONTESTS: (
        "Contested before effect",
        "Of the listings that took effect in the month, or were contested before they could.",
    ),
    T.STATISTICS_TABLE_DISPUTES: (
        "Disputes",
        "By who filed the listing. Overdue: the time limit ran out without a ruling.",
    ),
    T.STATISTICS_TABLE_NOTICES: ("Notices by mail", "Undelivered: no mail server took it."),
    T.STATISTICS_TABLE_RECALLS: (
        "Recalls",
        "How soon lenders acknowledged that what they were told has changed, and who did not in three days.",
    ),
    T.STATISTICS_TABLE_EXPIRED_VISIBLE: (
        "Shown though ended",
        "Every listing that a lender was shown in the month, checked again. There must be none.",
    ),
    T.STATISTICS_TABLE_OUTCOMES: (
        "Missing outcomes",
        "Lenders owe an outcome within 30 days of a view; those whose term ran out in the month.",
    ),
    T.STATISTICS_TABLE_FISHING: (
        "Signals of fishing",
        "How often each was newly seen of a lender.",
    ),
    T.STATISTICS_TABLE_CASES: (
        "Case look-ups",
        "The regulators' own: every one is in the log, and its subject is told.",
    ),
}
"""Title of each table, and what it is of."""

COLUMNS: Mapping[int, str] = {
    M.STATISTICS_MEASURE_ANSWERED: "answered",
    M.STATISTICS_MEASURE_UNANSWERED: "let in, no answer",
    M.STATISTICS_MEASURE_REFUSED: "refused",
    M.STATISTICS_MEASURE_P50: "half within",
    M.STATISTICS_MEASURE_P99: "99 % within",
    M.STATISTICS_MEASURE_SCORED: "scored",
    M.STATISTICS_MEASURE_NO_RECORD: "no record",
    M.STATISTICS_MEASURE_FROZEN: "frozen",
    M.STATISTICS_MEASURE_PROVIDER_REFUSED: "refused",
    M.STATISTICS_MEASURE_TIMED_OUT: "timed out",
    M.STATISTICS_MEASURE_UNREACHABLE: "unreachable",
    M.STATISTICS_MEASURE_INVALID: "invalid",
    M.STATISTICS_MEASURE_NOT_LICENSED: "not licensed",
    M.STATISTICS_MEASURE_FILED: "filed",
    M.STATISTICS_MEASURE_EFFECTIVE: "took effect",
    M.STATISTICS_MEASURE_ENDED: "ended",
    M.STATISTICS_MEASURE_FACED: "took effect or contested",
    M.STATISTICS_MEASURE_CONTESTED: "contested",
    M.STATISTICS_MEASURE_CONTEST_RATE: "contest rate",
    M.STATISTICS_MEASURE_DISPUTED: "raised",
    M.STATISTICS_MEASURE_DECIDED: "decided",
    M.STATISTICS_MEASURE_UPHELD: "upheld",
    M.STATISTICS_MEASURE_UPHELD_RATE: "upheld rate",
    M.STATISTICS_MEASURE_OVERDUE: "overdue",
    M.STATISTICS_MEASURE_MAILED: "mailed",
    M.STATISTICS_MEASURE_UNDELIVERED: "undelivered",
    M.STATISTICS_MEASURE_ACKNOWLEDGED: "acknowledged",
    M.STATISTICS_MEASURE_UNACKNOWLEDGED: "not in time",
    M.STATISTICS_MEASURE_SHOWN: "shown",
    M.STATISTICS_MEASURE_SHOWN_ENDED: "shown though ended",
    M.STATISTICS_MEASURE_OUTCOMES_DUE: "due",
    M.STATISTICS_MEASURE_OUTCOMES_MISSING: "missing",
    M.STATISTICS_MEASURE_SIGNAL_NO_MATCH: "unknown subjects",
    M.STATISTICS_MEASURE_SIGNAL_OTHERS_CONSENTS: "others' consents",
    M.STATISTICS_MEASURE_SIGNAL_ONE_SUBJECT: "one subject again",
    M.STATISTICS_MEASURE_SIGNAL_OUT_OF_HOURS: "out of hours",
    M.STATISTICS_MEASURE_SIGNAL_MISSING_OUTCOMES: "missing outcomes",
    M.STATISTICS_MEASURE_LOOK_UPS: "look-ups",
    M.STATISTICS_MEASURE_NOTICES_DUE: "notices due",
    M.STATISTICS_MEASURE_NOTICES_DELIVERED: "notices delivered",
    M.STATISTICS_MEASURE_BUDGET: "budget of the month",
}


def table_name(table: int) -> str:
    """Return a table's short name, as files and options have it: `consent-delay`."""
    name = T.Name(T.ValueType(table)).removeprefix("STATISTICS_TABLE_")
    return name.lower().replace("_", "-")


def measure_name(measure: int) -> str:
    """Return a column's name as JSON and CSV have it: `no_record`."""
    return M.Name(M.ValueType(measure)).removeprefix("STATISTICS_MEASURE_").lower()
