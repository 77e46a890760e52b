"""`concordat regulator disputes`: disputes and orders by furnisher, as of the last midnight."""

from typing import Any

from rich.table import Table

from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
)
from clients.cli.moments import moment
from clients.cli.regulator_licence import RegulatorFolder
from clients.cli.regulator_orders import regulator_desk
from concordat import v1
from concordat.v1 import Extent

_HIDDEN = "·"
_COUNTS = (
    "open_over_10_days",
    "open_3_to_10_days",
    "open_under_3_days",
    "decided",
    "upheld",
    "orders_given",
    "orders_complied",
)
_SHORTFALLS = ("open_overdue", "ran_out", "orders_overdue")


def disputes(
    trust_bundle: TrustBundle,
    member: RegulatorFolder,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show each furnisher's open disputes by days left, how they were decided, and orders to it.

    Counts are rounded, and small ones are not told (·). They are the same all day. Your reading is logged.
    """
    with (
        failing("disputes were not read", as_json=as_json),
        regulator_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        read = desk.client.read_oversight()
    rows = [furnisher_facts(each, read.smallest_cell) for each in read.furnishers]
    if as_json:
        echo_json(
            ok=True,
            as_of=moment(read.as_of),
            month_from=moment(read.month_from),
            month_until=moment(read.month_until),
            smallest_cell=read.smallest_cell,
            furnishers=rows,
        )
        return
    console().print(_table(read, rows))
    console().print(
        f"As of {moment(read.as_of)}. Counts are rounded to {read.smallest_cell}; below that they are not "
        f"told ({_HIDDEN})."
    )


def _table(read: v1.ReadOversightResponse, rows: list[dict[str, Any]]) -> Table:
    month = moment(read.month_from)[:7]
    table = Table(
        "furnisher",
        "open, > 10 d left",
        "3 to 10 d",
        "< 3 d",
        "overdue",
        f"decided in {month}",
        "upheld",
        "ran out",
        "orders given",
        "obeyed",
        "overdue",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        late = any(row[name] != "none" for name in _SHORTFALLS)
        table.add_row(
            row["furnisher"],
            *(_cell(row[name]) for name in _COUNTS[:3]),
            _cell(row["open_overdue"]),
            _cell(row["decided"]),
            _rate(row["upheld_percent"]),
            _cell(row["ran_out"]),
            _cell(row["orders_given"]),
            _cell(row["orders_complied"]),
            _cell(row["orders_overdue"]),
            style="bold red" if late else "",
        )
    return table


def furnisher_facts(told: v1.FurnisherOversight, smallest: int) -> dict[str, Any]:
    """Return the JSON of a furnisher; its keys stay as they are. What is not told is null."""
    counts = {name: getattr(told, name) if told.HasField(name) else None for name in _COUNTS}  # type: ignore[arg-type]  # the names of fields
    decided, upheld = counts["decided"], counts["upheld"]
    rate = min(100, round(100 * upheld / decided)) if decided and upheld is not None else None
    return {
        "furnisher": told.furnisher,
        **counts,
        "upheld_percent": rate,
        **{name: _shortfall(getattr(told, name), smallest) for name in _SHORTFALLS},
    }


def _shortfall(told: v1.Shortfall, smallest: int) -> int | str:
    if told.extent == Extent.EXTENT_COUNTED:
        return told.count
    return "none" if told.extent == Extent.EXTENT_NONE else f"fewer than {smallest}"


def _cell(value: int | str | None) -> str:
    return _HIDDEN if value is None else str(value)


def _rate(percent: int | None) -> str:
    return _HIDDEN if percent is None else f"{percent} %"
