"""``concordat-provider receipts``: hand out the log's proofs of the accesses to one person's record."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from concordat import v1
from concordat.clock import from_micros
from concordat.store.reading import opened_to_read
from concordat.verify.receipt_file import SUFFIX, dump_receipt
from provider.commands.shared import (
    EXIT_FAILED,
    OUT,
    ConfigOption,
    advising,
    complain,
    read_settings,
)
from provider.store import journal

_REF_BYTES = 32


def receipts(
    config: ConfigOption,
    subject_ref: Annotated[
        str, typer.Option(help="The person, as the federation knows it: 64 hex digits.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write a file for each receipt to.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the receipt of each access to a file that the person's wallet can check its own list against.

    The node may be running. Exit codes: 0 done, also where there are none; 1 the database or the folder
    cannot be used; 2 the settings or the reference are wrong.
    """
    try:
        reference = bytes.fromhex(subject_ref)
    except ValueError:
        reference = b""
    if len(reference) != _REF_BYTES:
        raise typer.BadParameter("a subject_ref is 64 hex digits")
    with advising():
        settings = read_settings(config)
        with opened_to_read(settings.database) as connection:
            kept = journal.receipts(connection, reference)
    try:
        rows = [_write(out, row) for row in kept]
    except OSError as error:
        complain(f"cannot write to {out}: {error.strerror}")
        raise typer.Exit(EXIT_FAILED) from error
    if as_json:
        typer.echo(json.dumps({"receipts": rows}, indent=2))
        return
    table = Table("when", "lender", "log entry", "file", box=None)
    for row in rows:
        table.add_row(*(str(row[name]) for name in ("at", "lender", "log_index", "file")))
    OUT.print(table)


def _write(out: Path, row: journal.Kept) -> dict[str, object]:
    receipt = v1.LogReceipt.FromString(row.receipt)
    path = out / f"{row.request_digest.hex()[:16]}{SUFFIX}"
    out.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dump_receipt(receipt))
    return {
        "at": from_micros(row.at).isoformat(timespec="seconds"),
        "lender": row.lender or "(the person itself)",
        "log_index": receipt.index,
        "file": str(path),
    }
