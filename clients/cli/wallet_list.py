"""`concordat wallet list`: this wallet's consents, and where the exchange says they stand."""

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.table import Table

from clients.cli.console import JsonOption, console, echo_json, failing, read_passphrase, words
from clients.cli.moments import moment
from clients.cli.render import disclosure
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.sdk.client import WalletClient
from clients.sdk.wallet_file import WalletFolder
from concordat import v1


@dataclass(frozen=True, slots=True)
class _Line:
    terms: v1.Consent
    state: str
    uses: int | None


def list_consents(
    offline: Annotated[
        bool, typer.Option(help="Ask nobody: what the wallet itself holds.")
    ] = False,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """List every consent with its state and uses; those that the wallet never gave are refused."""
    with failing("the consents were not listed", as_json=as_json):
        held = WalletFolder.open(wallet, read_passphrase(passphrase_file))
        lines = _held_here(held) if offline else _on_record(held)
    if as_json:
        echo_json(ok=True, consents=[_facts(line) for line in lines])
        return
    table = Table("consent", "recipient", "purpose", "shares", "score", "state", "uses", "until")
    for line in lines:
        terms = line.terms
        table.add_row(
            terms.consent_id.hex(),
            terms.recipient,
            words(v1.Purpose.Name(terms.purpose), "PURPOSE_"),
            ", ".join(_shares(terms)),
            disclosure(terms.disclosure) if "score" in _shares(terms) else "none",
            line.state,
            f"{'?' if line.uses is None else line.uses} of {terms.max_uses}",
            moment(terms.valid_until),
        )
    console().print(table)


def _held_here(held: WalletFolder) -> list[_Line]:
    lines = []
    for record in held.consents():
        kind = v1.ConsentEventKind.Name(record.last_event.kind) if record.event else ""
        state = words(kind, "CONSENT_EVENT_KIND_") if kind else "granted"
        lines.append(_Line(record.terms, state if record.granted else "not granted", None))
    return lines


def _on_record(held: WalletFolder) -> list[_Line]:
    with WalletClient(held.anchors) as client:
        consents = client.list_consents(held.key())
    return [
        _Line(c.terms, words(v1.ConsentState.Name(c.state), "CONSENT_STATE_"), c.uses)
        for c in consents
    ]


def _shares(terms: v1.Consent) -> list[str]:
    """Return what a consent covers, in words."""
    return [words(v1.DataCategory.Name(c), "DATA_CATEGORY_") for c in terms.data_categories]


def _facts(line: _Line) -> dict[str, object]:
    """Return the JSON of a consent; its keys stay as they are."""
    terms = line.terms
    return {
        "consent_id": terms.consent_id,
        "recipient": terms.recipient,
        "providers": list(terms.providers),
        "purpose": words(v1.Purpose.Name(terms.purpose), "PURPOSE_"),
        "disclosure": words(v1.DisclosureKind.Name(terms.disclosure.kind), "DISCLOSURE_KIND_"),
        "data_categories": _shares(terms),
        "threshold": terms.disclosure.threshold,
        "state": line.state,
        "uses": line.uses,
        "max_uses": terms.max_uses,
        "valid_from": moment(terms.valid_from),
        "valid_until": moment(terms.valid_until),
    }
