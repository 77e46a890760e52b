"""`concordat wallet accesses`: who looked, when, for what, what went out; and that nothing is left out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.table import Table

from clients.cli.access_words import details, told
from clients.cli.console import (
    Exit,
    JsonOption,
    console,
    echo_json,
    fail,
    failing,
    read_passphrase,
    words,
)
from clients.cli.moments import moment
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.sdk.accesses import AccessList
from clients.sdk.client import WalletClient
from clients.sdk.errors import WalletError
from clients.sdk.own_accesses import list_and_keep
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.verify.bundle import parse_bundle
from concordat.verify.history import HistoryBrokenError, HistoryEntry
from concordat.verify.receipt_file import MAGIC as RECEIPT_MAGIC
from concordat.verify.receipt_file import parse_receipt


def accesses(
    bundles: Annotated[
        list[Path] | None,
        typer.Option(
            "--receipt",
            help="A lender's view file, or a provider's receipt: its accesses must be among yours. "
            "Repeat for more.",
        ),
    ] = None,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show every access to your data, refused attempts too, each proved to be in the public log.

    A missing entry is found out: the entries about you form a chain, and the wallet remembers its end. The
    evidence is then kept in the wallet's folder.
    """
    with failing("the accesses were not listed", as_json=as_json):
        held = WalletFolder.open(wallet, read_passphrase(passphrase_file))
        receipts = [receipt for path in bundles or () for receipt in _receipts(path)]
        with held.locked(), WalletClient(held.anchors) as client:
            try:
                listed = list_and_keep(client, held, receipts)
            except HistoryBrokenError as error:
                tell_broken(held, error, as_json=as_json)
    quorum = held.anchors.bundle.witness_quorum
    if as_json:
        echo_json(ok=True, **_facts(listed, quorum))
    else:
        _show(listed, quorum)


def _receipts(path: Path) -> list[v1.LogReceipt]:
    """Return the receipts in a view's file, or that of a provider; not verified yet."""
    raw = path.read_bytes()
    if raw.startswith(RECEIPT_MAGIC):
        return [parse_receipt(raw)]
    bundle = parse_bundle(raw)
    return [bundle.intent, bundle.release]


def keep_broken(held: WalletFolder, error: HistoryBrokenError) -> tuple[Path | None, str]:
    """Keep the evidence; return its folder, None where that can't be, and what to do about it."""
    try:
        folder = held.keep_evidence(error)
    except WalletError as failure:
        then = f"the signed evidence could not be kept ({failure}): make room and list them again"
        return None, f"{error}; {then}"
    return folder, f"{error}; the signed evidence is in {folder}: show it to the regulator"


def tell_broken(held: WalletFolder, error: HistoryBrokenError, *, as_json: bool) -> NoReturn:
    """Say so, whatever becomes of the evidence; what was kept before stays as it was."""
    folder, advice = keep_broken(held, error)
    fail(
        "the exchange's account of your accesses does not hold",
        Exit.REFUSED,
        "HISTORY_BROKEN",
        advice,
        as_json=as_json,
        evidence=folder and str(folder),
    )


def accesses_table(entries: Iterable[HistoryEntry]) -> Table:
    """Return a line an entry, for people to read."""
    table = Table("when", "who", "what", "about", "log entry")
    table.columns[4].justify = "right"
    for entry in entries:
        who, what, about = told(entry)
        table.add_row(moment(entry.entry.logged_at), who, what, about, str(entry.index))
    return table


def _show(listed: AccessList, quorum: int) -> None:
    console().print(accesses_table(listed.entries))
    checkpoint = listed.checkpoint
    seen = len(checkpoint.cosignatures)
    console().print(
        f"{len(listed.entries)} entries about you, none missing; each proved to be in a log of "
        f"{checkpoint.size} entries{f', cosigned by {seen} of its witnesses' if seen else ''}."
    )
    if seen < quorum:
        console().print(
            f"Only {seen} of at least {quorum} witnesses have seen this log. One that they have not could "
            "have been made for you alone: list again later.",
            style="yellow",
        )
    if listed.receipts_found:
        console().print(f"{listed.receipts_found} receipts that others hold are among them.")


def _facts(listed: AccessList, quorum: int) -> dict[str, Any]:
    """Return the JSON; its keys stay as they are."""
    return {
        "entries": [_entry_facts(entry) for entry in listed.entries],
        "log_size": listed.checkpoint.size,
        "log_root": listed.checkpoint.root,
        "checkpoint": listed.checkpoint.note.decode(),
        "witnesses": [cosignature.name for cosignature in listed.checkpoint.cosignatures],
        "witness_quorum": quorum,
        "receipts_found": listed.receipts_found,
    }


def _entry_facts(entry: HistoryEntry) -> dict[str, Any]:
    who, what, about = told(entry)
    return {
        "sequence": entry.sequence,
        "log_index": entry.index,
        "record_id": entry.entry.record_id,
        "kind": words(v1.LogEntryKind.Name(entry.entry.kind), "LOG_ENTRY_KIND_"),
        "logged_at": moment(entry.entry.logged_at),
        "erased": entry.record is None,
        "who": who,
        "what": what,
        "about": about,
        "details": details(entry.record),
    }
