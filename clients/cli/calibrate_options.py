"""What the `concordat calibrate` commands share: options, and dates as they are typed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

Licences = Annotated[
    list[Path],
    typer.Option(
        "--licences",
        "-l",
        help="Licences of the providers and the exchange: a folder with all in it, or a file. Repeatable.",
    ),
]
SomeLicences = Annotated[
    list[Path] | None,
    typer.Option(
        "--licences",
        "-l",
        help="A folder or file with the exchange's licence: its signature is checked too. Repeatable.",
    ),
]
File = Annotated[Path, typer.Argument(help="A calibration's file.")]
Out = Annotated[Path, typer.Option(help="Where to write it; a new file: versions are kept.")]
Version = Annotated[
    int,
    typer.Option(  # far below what the statement holds: nothing ever replaces the highest version
        min=1, max=999_999, help="Its version: above that of every calibration before it."
    ),
]
ExchangeKey = Annotated[Path, typer.Option("--key", help="The exchange's signing key.")]


def day(text: str) -> datetime:
    """Parse a date, or a time with its zone, in ISO 8601; a date is its midnight in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; write one like 2027-01-31") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


NotBefore = Annotated[
    datetime, typer.Option(parser=day, metavar="DATE", help="In use from, such as 2027-01-31.")
]
StaleFrom = Annotated[
    datetime,
    typer.Option(
        parser=day, metavar="DATE", help="Stale from: fit anew before it; usually a year later."
    ),
]


def new_file(path: Path) -> Path:
    """Refuse to overwrite, as every version of a calibration is kept; and a folder that is not there."""
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}; make it", param_hint="--out")
    if path.exists():
        raise typer.BadParameter(f"{path} exists; name a new file", param_hint="--out")
    return path


def in_order(not_before: datetime, stale_from: datetime) -> None:
    """Refuse a calibration that is stale before it is in use."""
    if stale_from <= not_before:
        raise typer.BadParameter(
            "must be later than --not-before; usually a year", param_hint="--stale-from"
        )
