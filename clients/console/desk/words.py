"""What the desk's tables say, in the language spoken: statistics, members, cases, orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clients.console.base.formats import number, percent, period
from clients.language import marked, tr
from clients.regulator_report.grid import keys_of, length_words, measures_of, period_of
from clients.regulator_report.wording import COLUMNS, TABLES
from concordat import v1
from concordat.rpc.errors import CATALOG, name_of
from concordat.v1 import (
    CaseScope,
    DriftLevel,
    OrderedAction,
    OrderedFact,
    OrderStage,
    Role,
    Standing,
)

NOTHING = "\N{EN DASH}"  # where a table has no word

ROLES: Mapping[int, str] = {
    Role.ROLE_PROVIDER: marked("provider"),
    Role.ROLE_FURNISHER: marked("furnisher"),
    Role.ROLE_COURT: marked("court"),
    Role.ROLE_LENDER: marked("lender"),
    Role.ROLE_REVIEWER: marked("reviewer"),
    Role.ROLE_APPEAL: marked("appeal body"),
    Role.ROLE_REGULATOR: marked("regulator"),
    Role.ROLE_REGISTRAR: marked("registrar"),
    Role.ROLE_WITNESS: marked("witness"),
    Role.ROLE_EXCHANGE: marked("exchange"),
}
STANDINGS: Mapping[int, str] = {
    Standing.STANDING_ACTIVE: marked("active"),
    Standing.STANDING_SUSPENDED: marked("suspended"),
    Standing.STANDING_REVOKED: marked("revoked"),
}
DRIFT: Mapping[int, str] = {
    DriftLevel.DRIFT_LEVEL_NONE: marked("as calibrated"),
    DriftLevel.DRIFT_LEVEL_WATCH: marked("to be watched"),
    DriftLevel.DRIFT_LEVEL_STALE: marked("stale"),
}
SCOPES: Mapping[int, str] = {
    CaseScope.CASE_SCOPE_LISTINGS: marked("listings"),
    CaseScope.CASE_SCOPE_ACCESSES: marked("accesses"),
    CaseScope.CASE_SCOPE_CONSENTS: marked("consents"),
}
ACTIONS: Mapping[int, str] = {
    OrderedAction.ORDERED_ACTION_CORRECT: marked("correct it"),
    OrderedAction.ORDERED_ACTION_WITHDRAW: marked("withdraw it"),
}
FACTS: Mapping[int, str] = {
    OrderedFact.ORDERED_FACT_AMOUNT: marked("the amount"),
    OrderedFact.ORDERED_FACT_DELINQUENCY_DATE: marked("the date of delinquency"),
    OrderedFact.ORDERED_FACT_SETTLED: marked("that it was paid"),
    OrderedFact.ORDERED_FACT_EVIDENCE: marked("the evidence"),
    OrderedFact.ORDERED_FACT_WHOLE: marked("all of it"),
}
STAGES: Mapping[int, str] = {
    OrderStage.ORDER_STAGE_GIVEN: marked("given"),
    OrderStage.ORDER_STAGE_OVERDUE: marked("overdue"),
    OrderStage.ORDER_STAGE_COMPLIED: marked("obeyed"),
    OrderStage.ORDER_STAGE_MOOT: marked("moot"),
}
HEADS: Mapping[str, str] = {
    "purpose": marked("purpose"),
    "reason": marked("reason"),
    "article": marked("article"),
    "member": marked("member"),
    "of": marked("of"),
}
PURPOSES: Mapping[int, str] = {
    v1.Purpose.PURPOSE_CREDIT_APPLICATION: marked("credit application"),
    v1.Purpose.PURPOSE_GUARANTOR_CHECK: marked("guarantor check"),
    v1.Purpose.PURPOSE_ACCOUNT_REVIEW: marked("account review"),
    v1.Purpose.PURPOSE_DEPOSIT_WAIVER: marked("deposit waiver"),
    v1.Purpose.PURPOSE_FRAUD_FLAGS: marked("fraud flags"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A table of plain text; ``figures`` are the columns that are numbers."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: Sequence[int] = ()
    about: str = ""


def said(names: Mapping[int, str], value: int) -> str:
    """Return the word for an enum's value; its number where it is newer than this desk."""
    return tr(names[value]) if value in names else str(value)


def statistics_table(told: v1.Statistics) -> Shown:
    """Return a table of statistics in words."""
    keys, measures = keys_of(told.rows), measures_of(told.rows)
    rows = []
    for row in told.rows:
        cells = {cell.measure: cell for cell in row.cells}
        figures = [
            cell_words(cells[each], told.smallest_cell) if each in cells else ""
            for each in measures
        ]
        rows.append([*_key_words(row, keys), *figures])
    title, about = TABLES[told.table]
    return Shown(
        f"{tr(title)}, {period(period_of(told))}",
        [*(tr(HEADS[each]) for each in keys), *(tr(COLUMNS[each]) for each in measures)],
        rows,
        range(len(keys), len(keys) + len(measures)),
        tr(about),
    )


def _key_words(row: v1.StatisticsRow, keys: Sequence[str]) -> list[str]:
    if row.total:
        return [tr("all"), *[""] * (len(keys) - 1)]
    words = {
        "purpose": said(PURPOSES, row.purpose) if row.purpose else "",
        "reason": reason_words(row.reason) if row.reason else "",
        "article": row.legal_article,
        "member": row.member,
        "of": "",
    }
    return [words[key] for key in keys]


def reason_words(reason: v1.Reason.ValueType) -> str:
    """Return what a refusal says, behind its name in the protocol."""
    said_ = tr(CATALOG[reason].message) if reason in CATALOG else ""
    return f"{name_of(reason)}: {said_}" if said_ else name_of(reason)


def cell_words(cell: v1.StatisticsCell, smallest: int) -> str:
    """Return what a cell tells. With an asterisk: or it was withheld with one that is so small."""
    words = {
        "none": lambda: tr("none"),
        "few": lambda: tr("1 to {most}", most=smallest - 1),
        "rate_ppm": lambda: percent(cell.rate_ppm),
        "up_to_ms": lambda: length_words(cell.up_to_ms),
        "above_ms": lambda: tr("over {length}", length=length_words(cell.above_ms)),
        "count": lambda: number(cell.count),
        "setting": lambda: number(cell.setting),
    }
    field = cell.WhichOneof("told")
    return untold(smallest) if field is None else words[field]()


def untold(smallest: int) -> str:
    """Return what stands where a number is not told."""
    return tr("fewer than {smallest}*", smallest=smallest)


def shortfall(told: v1.Shortfall, smallest: int) -> str:
    """Return how much a member left undone."""
    if told.extent == v1.Extent.EXTENT_COUNTED:
        return number(told.count)
    if told.extent == v1.Extent.EXTENT_NONE:
        return tr("none")
    return tr("1 to {most}", most=smallest - 1)
