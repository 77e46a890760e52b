"""`concordat log check-proof`: check offline that an entry is in the log."""

from pathlib import Path
from typing import Annotated

import typer

from clients.auditor.prove import check_proof as check
from clients.cli.console import JsonOption, console, echo_json
from clients.cli.log_options import (
    Bundle,
    LogKey,
    Quorum,
    Witness,
    auditing,
    checkpoint_facts,
    whose_log,
)
from clients.sdk.errors import ClientError

MAX_FILE_BYTES = 1024 * 1024


def check_proof(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="A .tlog-proof file.")],
    entry: Annotated[
        str, typer.Option(metavar="FILE|HEX", help="The entry: a file of its bytes, or their hex.")
    ],
    trust_bundle: Bundle = None,
    log_key: LogKey = None,
    witness: Witness = None,
    quorum: Quorum = None,
    as_json: JsonOption = False,
) -> None:
    """Check offline that an entry is in the log, by a proof and the trust bundle alone."""
    with auditing("the proof does not hold", evidence=None, as_json=as_json):
        whose = whose_log(trust_bundle, log_key, witness, quorum)
        index, checkpoint = check(_read(proof), _entry(entry), whose.trust)
    if as_json:
        echo_json(ok=True, index=index, **checkpoint_facts(checkpoint))
        return
    names = ", ".join(each.name for each in checkpoint.cosignatures) or "no witness"
    place = f"entry {index} of {checkpoint.size:,} in {checkpoint.origin}"
    console().print(f"ok: it is {place}; cosigned by {names}", style="green")


def _entry(given: str) -> bytes:
    path = Path(given)
    try:
        return _read(path) if path.is_file() else bytes.fromhex(given)
    except ValueError as error:
        raise ClientError(f"{given!r} is neither a file nor hex") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ClientError(f"{path} is too long to be what it should be")
    return content
