"""A table of statistics as rows of words, for a screen, a page or a file. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clients.cli.console import words as enum_words
from clients.regulator_report.wording import COLUMNS, TABLES, measure_name, table_name
from concordat import v1
from concordat.clock import from_timestamp

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms"))
_PPM = 1_000_000

KEYS = ("purpose", "reason", "article", "member", "of")
"""Heads of the columns that say what a row is of."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table in words."""

    table: int
    name: str
    title: str
    about: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    period: str  # 2026-10-31, or 2026-10


def grid_of(told: v1.Statistics, *, brief: bool = False) -> Grid:
    """Return a table in words: what its rows are of, and a column for each thing that any row tells.

    ``brief`` for a screen, where `<10*` has to do for `fewer than 10*`.
    """
    keys, measures = keys_of(told.rows), measures_of(told.rows)
    rows = []
    for row in told.rows:
        cells = {cell.measure: cell for cell in row.cells}
        words = [
            cell_words(cells[each], told.smallest_cell) if each in cells else ""
            for each in measures
        ]
        if brief:
            words = [each.replace("fewer than ", "<") for each in words]
        rows.append([*_key_words(row, keys), *words])
    title, about = TABLES[told.table]
    heads = [*keys, *(COLUMNS[each] for each in measures)]
    return Grid(told.table, table_name(told.table), title, about, heads, rows, period_of(told))


def period_of(told: v1.Statistics) -> str:
    """Return the name of a table's day or month."""
    start, end = from_timestamp(told.period_from), from_timestamp(told.period_until)
    return start.strftime("%Y-%m-%d" if (end - start).days == 1 else "%Y-%m")


def cell_words(cell: v1.StatisticsCell, smallest: int) -> str:
    """Return what a cell tells. With an asterisk: or it was withheld with one that is so small."""
    words = {
        None: f"fewer than {smallest}*",
        "none": "none",
        "few": f"1 to {smallest - 1}",
        "rate_ppm": f"{cell.rate_ppm * 100 / _PPM:.1f} %",
        "up_to_ms": length_words(cell.up_to_ms),
        "above_ms": f"over {length_words(cell.above_ms)}",
        "count": f"{cell.count:,}",
        "setting": f"{cell.setting:,}",
    }
    return words[cell.WhichOneof("told")]


def length_words(milliseconds: int) -> str:
    """Return a bound of a bucket: `500 ms`, `6 h`."""
    unit, name = next(each for each in _UNITS if milliseconds % each[0] == 0)
    return f"{milliseconds // unit} {name}"


def keys_of(rows: Sequence[v1.StatisticsRow]) -> list[str]:
    """Return what the rows of a table are by; all tables have a row's name, if only `all`."""
    found = [
        name
        for name, given in (
            ("purpose", any(row.purpose for row in rows)),
            ("reason", any(row.reason for row in rows)),
            ("article", any(row.legal_article for row in rows)),
            ("member", any(row.member for row in rows)),
        )
        if given
    ]
    return found or ["of"]


def measures_of(rows: Sequence[v1.StatisticsRow]) -> list[v1.StatisticsMeasure.ValueType]:
    """Return each thing that any row of a table tells, in the order of the rows."""
    return list(dict.fromkeys(cell.measure for row in rows for cell in row.cells))


def _key_words(row: v1.StatisticsRow, keys: Sequence[str]) -> list[str]:
    if row.total:
        return ["all", *[""] * (len(keys) - 1)]
    words = {
        "purpose": enum_words(v1.Purpose.Name(row.purpose), "PURPOSE_") if row.purpose else "",
        "reason": v1.Reason.Name(row.reason).removeprefix("REASON_") if row.reason else "",
        "article": row.legal_article,
        "member": row.member,
    }
    return [words.get(key, "") for key in keys]


def facts_of(told: v1.Statistics) -> dict[str, Any]:
    """Return a table as JSON has it; what is not told is null."""
    return {
        "table": table_name(told.table),
        "period": period_of(told),
        "smallest_cell": told.smallest_cell,
        "rows": [
            {
                "total": row.total,
                "member": row.member or None,
                "purpose": v1.Purpose.Name(row.purpose) if row.purpose else None,
                "reason": v1.Reason.Name(row.reason) if row.reason else None,
                "legal_article": row.legal_article or None,
                "cells": {measure_name(cell.measure): _fact(cell) for cell in row.cells},
            }
            for row in told.rows
        ],
    }


def _fact(cell: v1.StatisticsCell) -> dict[str, Any] | None:
    field = cell.WhichOneof("told")
    return None if field is None else {field: getattr(cell, field)}
