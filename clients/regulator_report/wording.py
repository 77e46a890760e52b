"""Names of tables, columns and rows, in words that need no manual."""

from collections.abc import Mapping

from clients.language import marked
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T

Titles = Mapping[int, tuple[str, str]]

TABLES: Titles = {
    T.STATISTICS_TABLE_QUERIES: (
        marked("Requests by purpose and lender"),
        marked("Each request stands in one column. Those asked are all three together."),
    ),
    T.STATISTICS_TABLE_REFUSALS: (marked("Refusals by reason"), marked("Of all lenders together.")),
    T.STATISTICS_TABLE_VIEW_LATENCY: (
        marked("How long views took"),
        marked("From the entry of a request in the log until its answer went out."),
    ),
    T.STATISTICS_TABLE_PROVIDERS: (
        marked("Providers"),
        marked("What came of asking each for a score, and how long its answers took."),
    ),
    T.STATISTICS_TABLE_CONSENT_EVENTS: (
        marked("Revocations and pauses"),
        marked("From when the subject signed it until it was in force at the exchange."),
    ),
    T.STATISTICS_TABLE_CONSENT_DELAY: (
        marked("From consent to request"),
        marked("From when the exchange took a consent in until a request under it was let in."),
    ),
    T.STATISTICS_TABLE_LISTINGS_BY_STATE: (
        marked("Listings by state"),
        marked(
            "As they stood when the day was closed, by who filed them first. Ended ones are in no column."
        ),
    ),
    T.STATISTICS_TABLE_LISTINGS: (marked("Listings"), marked("By who filed them first.")),
    T.STATISTICS_TABLE_CONTESTS: (
        marked("Contested before effect"),
        marked(
            "Of the listings that took effect in the month, or were contested before they could."
        ),
    ),
    T.STATISTICS_TABLE_DISPUTES: (
        marked("Disputes"),
        marked("By who filed the listing. Overdue: the time limit ran out without a ruling."),
    ),
    T.STATISTICS_TABLE_NOTICES: (
        marked("Notices by mail"),
        marked("Undelivered: no mail server took it."),
    ),
    T.STATISTICS_TABLE_RECALLS: (
        marked("Recalls"),
        marked(
            "How soon lenders acknowledged that what they were told has changed, and who did not in three days."
        ),
    ),
    T.STATISTICS_TABLE_EXPIRED_VISIBLE: (
        marked("Shown though ended"),
        marked(
            "Every listing that a lender was shown in the month, checked again. There must be none."
        ),
    ),
    T.STATISTICS_TABLE_OUTCOMES: (
        marked("Missing outcomes"),
        marked(
            "Lenders owe an outcome within 30 days of a view; those whose term ran out in the month."
        ),
    ),
    T.STATISTICS_TABLE_FISHING: (
        marked("Signals of fishing"),
        marked("How often each was newly seen of a lender."),
    ),
    T.STATISTICS_TABLE_CASES: (
        marked("Case look-ups"),
        marked("The regulators' own: every one is in the log, and its subject is told."),
    ),
}
"""Title of each table, and what it is of."""

COLUMNS: Mapping[int, str] = {
    M.STATISTICS_MEASURE_ANSWERED: marked("answered"),
    M.STATISTICS_MEASURE_UNANSWERED: marked("let in, no answer"),
    M.STATISTICS_MEASURE_REFUSED: marked("refused"),
    M.STATISTICS_MEASURE_P50: marked("half within"),
    M.STATISTICS_MEASURE_P99: marked("99 % within"),
    M.STATISTICS_MEASURE_SCORED: marked("scored"),
    M.STATISTICS_MEASURE_NO_RECORD: marked("no record"),
    M.STATISTICS_MEASURE_FROZEN: marked("frozen"),
    M.STATISTICS_MEASURE_PROVIDER_REFUSED: marked("refused"),
    M.STATISTICS_MEASURE_TIMED_OUT: marked("timed out"),
    M.STATISTICS_MEASURE_UNREACHABLE: marked("unreachable"),
    M.STATISTICS_MEASURE_INVALID: marked("invalid"),
    M.STATISTICS_MEASURE_NOT_LICENSED: marked("not licensed"),
    M.STATISTICS_MEASURE_FILED: marked("filed"),
    M.STATISTICS_MEASURE_EFFECTIVE: marked("took effect"),
    M.STATISTICS_MEASURE_ENDED: marked("ended"),
    M.STATISTICS_MEASURE_FACED: marked("took effect or contested"),
    M.STATISTICS_MEASURE_CONTESTED: marked("contested"),
    M.STATISTICS_MEASURE_CONTEST_RATE: marked("contest rate"),
    M.STATISTICS_MEASURE_DISPUTED: marked("raised"),
    M.STATISTICS_MEASURE_DECIDED: marked("decided"),
    M.STATISTICS_MEASURE_UPHELD: marked("upheld"),
    M.STATISTICS_MEASURE_UPHELD_RATE: marked("upheld rate"),
    M.STATISTICS_MEASURE_OVERDUE: marked("overdue"),
    M.STATISTICS_MEASURE_MAILED: marked("mailed"),
    M.STATISTICS_MEASURE_UNDELIVERED: marked("undelivered"),
    M.STATISTICS_MEASURE_ACKNOWLEDGED: marked("acknowledged"),
    M.STATISTICS_MEASURE_UNACKNOWLEDGED: marked("not in time"),
    M.STATISTICS_MEASURE_SHOWN: marked("shown"),
    M.STATISTICS_MEASURE_SHOWN_ENDED: marked("shown though ended"),
    M.STATISTICS_MEASURE_OUTCOMES_DUE: marked("due"),
    M.STATISTICS_MEASURE_OUTCOMES_MISSING: marked("missing"),
    M.STATISTICS_MEASURE_OUTCOMES_UNREVIEWED: marked("reviewed by nobody"),
    M.STATISTICS_MEASURE_SIGNAL_NO_MATCH: marked("unknown subjects"),
    M.STATISTICS_MEASURE_SIGNAL_OTHERS_CONSENTS: marked("others' consents"),
    M.STATISTICS_MEASURE_SIGNAL_ONE_SUBJECT: marked("one subject again"),
    M.STATISTICS_MEASURE_SIGNAL_OUT_OF_HOURS: marked("out of hours"),
    M.STATISTICS_MEASURE_SIGNAL_MISSING_OUTCOMES: marked("missing outcomes"),
    M.STATISTICS_MEASURE_LOOK_UPS: marked("look-ups"),
    M.STATISTICS_MEASURE_NOTICES_DUE: marked("notices due"),
    M.STATISTICS_MEASURE_NOTICES_DELIVERED: marked("notices delivered"),
    M.STATISTICS_MEASURE_BUDGET: marked("budget of the month"),
    M.STATISTICS_MEASURE_STANDS_DRAFT: marked("drafted"),
    M.STATISTICS_MEASURE_STANDS_NOTICED: marked("noticed"),
    M.STATISTICS_MEASURE_STANDS_CONTESTED: marked("contested"),
    M.STATISTICS_MEASURE_STANDS_EFFECTIVE: marked("effective"),
    M.STATISTICS_MEASURE_STANDS_UNDER_REVIEW: marked("under review"),
    M.STATISTICS_MEASURE_STANDS_APPEAL: marked("in appeal"),
    M.STATISTICS_MEASURE_STANDS_SETTLED: marked("settled"),
}


def table_name(table: int) -> str:
    """Return a table's short name, as files and options have it: `consent-delay`."""
    name = T.Name(T.ValueType(table)).removeprefix("STATISTICS_TABLE_")
    return name.lower().replace("_", "-")


def measure_name(measure: int) -> str:
    """Return a column's name as JSON and CSV have it: `no_record`."""
    return M.Name(M.ValueType(measure)).removeprefix("STATISTICS_MEASURE_").lower()
