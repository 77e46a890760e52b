"""`concordat log prove`: make a proof that an entry is in the log, for others to check offline."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from clients.auditor.policy import LogTrust
from clients.auditor.prove import Proven, find_record
from clients.auditor.prove import prove as prove_entry
from clients.auditor.source import LogSource, open_source
from clients.cli.console import JsonOption, console, echo_json
from clients.cli.log_options import (
    Bundle,
    Evidence,
    LogKey,
    Quorum,
    Source,
    Witness,
    auditing,
    checkpoint_facts,
    whose_log,
)
from clients.cli.log_progress import shown
from clients.sdk.errors import ClientError

_INDEX = re.compile(r"[0-9]{1,19}")
_RECORD_ID = re.compile(r"[0-9a-fA-F]{32}")


def prove(
    entry: Annotated[
        str, typer.Argument(help="An entry's index, from 0; or its record id, 32 hex digits.")
    ],
    source: Source = None,
    trust_bundle: Bundle = None,
    log_key: LogKey = None,
    witness: Witness = None,
    quorum: Quorum = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the proof here (.tlog-proof). Default: standard output."),
    ] = None,
    entry_out: Annotated[
        Path | None, typer.Option(help="Write the entry's bytes here, for check-proof.")
    ] = None,
    evidence: Evidence = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that an entry is in the log, by the current checkpoint. A record id is searched for."""
    with auditing("the entry was not proven", evidence=evidence, as_json=as_json):
        whose = whose_log(trust_bundle, log_key, witness, quorum)
        with open_source(whose.source(source)) as log:
            proven = _prove(log, whose.trust, entry)
        if out is not None:
            out.write_bytes(proven.proof.encode())
        if entry_out is not None:
            entry_out.write_bytes(proven.entry)
    if as_json:
        echo_json(ok=True, **_facts(proven), out=str(out) if out else None)
    elif out is None:
        sys.stdout.write(proven.proof.encode().decode())
    else:
        place = f"entry {proven.proof.index} of {proven.checkpoint.size:,}"
        console().print(
            f"Proof of {place} written to {out}; check it with: concordat log check-proof"
        )


def _prove(log: LogSource, trust: LogTrust, entry: str) -> Proven:
    if _RECORD_ID.fullmatch(entry):
        checkpoint = trust.open(log.checkpoint())
        with shown("Searching") as progress:
            index = find_record(log, checkpoint, bytes.fromhex(entry), progress)
        return prove_entry(log, trust, index, checkpoint)
    if _INDEX.fullmatch(entry):
        return prove_entry(log, trust, int(entry))
    raise ClientError(f"{entry!r} is neither an entry's index nor a record id of 32 hex digits")


def _facts(proven: Proven) -> dict[str, object]:
    """Return the JSON of a proof; its keys stay as they are."""
    return {
        "index": proven.proof.index,
        "entry": proven.entry,
        "proof": proven.proof.encode().decode(),
        **checkpoint_facts(proven.checkpoint),
    }
