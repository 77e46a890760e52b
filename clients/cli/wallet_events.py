"""`concordat wallet pause`, `resume` and `revoke`: the exchange and every provider are told."""

from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from clients.cli.console import (
    Exit,
    JsonOption,
    console,
    echo_json,
    explain,
    failing,
    read_passphrase,
    words,
)
from clients.cli.wallet_options import DEFAULT_WALLET, ConsentId, Folder, PassphraseFile
from clients.sdk.client import WalletClient
from clients.sdk.consent_record import ConsentRecord
from clients.sdk.events import EventReport, Told
from clients.sdk.own_consents import change_and_tell
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.clock import Clock
from concordat.v1 import ConsentEventKind as Kind


def pause(
    consent: ConsentId,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Pause a consent, until you resume it."""
    _change(consent, Kind.CONSENT_EVENT_KIND_PAUSE, wallet, passphrase_file, as_json=as_json)


def resume(
    consent: ConsentId,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Resume a paused consent."""
    _change(consent, Kind.CONSENT_EVENT_KIND_RESUME, wallet, passphrase_file, as_json=as_json)


def revoke(
    consent: ConsentId,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a consent, for ever. Run it again to tell whoever was not reached."""
    _change(consent, Kind.CONSENT_EVENT_KIND_REVOKE, wallet, passphrase_file, as_json=as_json)


def _change(
    consent: str, kind: Kind.ValueType, folder: Path, passphrase: Path | None, *, as_json: bool
) -> None:
    """Sign the event, keep it, tell everyone; the same event again where it was signed before."""
    with failing("the consent was not changed", as_json=as_json):
        held = WalletFolder.open(folder, read_passphrase(passphrase))
        with held.locked(), WalletClient(held.anchors) as client:
            now = Clock().now()
            record = held.consent(consent)
            report = change_and_tell(held, client, record, kind, now)
    _tell(record, report, as_json=as_json)


def _tell(record: ConsentRecord, report: EventReport, *, as_json: bool) -> None:
    """Print who holds the event; exit with what is worst."""
    parties = [report.exchange, *report.providers]
    state = report.status.state if report.status else v1.ConsentState.CONSENT_STATE_UNSPECIFIED
    if as_json:
        echo_json(
            ok=report.complete,
            consent_id=record.consent_id,
            state=words(v1.ConsentState.Name(state), "CONSENT_STATE_"),
            told=[_facts(told) for told in parties],
        )
    else:
        table = Table("party", "holds it", "otherwise")
        for told in parties:
            mark = Text("yes", style="green") if told.acknowledged else Text("NO", style="bold red")
            table.add_row(told.party, mark, Text(told.problem))
        console().print(table)
        if not report.complete:
            console().print(
                "Run the command again to tell whoever was not reached.", style="yellow"
            )
    if not report.complete:
        raise typer.Exit(max(_code(told) for told in parties if not told.acknowledged))


def _facts(told: Told) -> dict[str, object]:
    return {"party": told.party, "acknowledged": told.acknowledged, "problem": told.problem}


def _code(told: Told) -> Exit:
    return explain(told.error)[0] if told.error is not None else Exit.REFUSED
