"""`concordat pki sign` and `show`: any statement file, with no federation folder at hand."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Column, Table

from clients.cli.pki_options import REFUSED, Json, report, told_plainly
from clients.pki import add_signature, read_envelope
from clients.pki.files import TRUST_BUNDLE, read_passphrase
from clients.pki.reading import describe, read_statement, verdict_on
from concordat.federation.anchors import load_anchors
from concordat.statements import digest_of
from concordat.trust.keys import Ed25519Signer

File = Annotated[Path, typer.Argument(help="A licence, a status or another statement file.")]


def sign(
    file: File,
    root_key: Annotated[Path, typer.Option(help="Your root key.")],
    trust_bundle: Annotated[Path, typer.Option(help="The federation's trust bundle.")] = Path(
        "pki", TRUST_BUNDLE
    ),
    passphrase_file: Annotated[
        Path | None, typer.Option(help="File whose first line opens your root key.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add one root's signature to a draft licence or status; read it with `show` first."""
    with told_plainly(as_json):
        signer = Ed25519Signer.load(root_key, read_passphrase(passphrase_file))
        progress = add_signature(file, signer, load_anchors(trust_bundle), datetime.now(UTC))
    done = "complete" if progress.complete else "pass it on to the next root"
    report(
        as_json,
        f"{progress.path}: {progress.signed} of {progress.needed} signatures; {done}.",
        path=progress.path,
        signed=progress.signed,
        needed=progress.needed,
        complete=progress.complete,
    )


def show(
    file: File,
    trust_bundle: Annotated[
        Path | None, typer.Option(help="Check against this trust bundle; exit code 1 if it fails.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print any statement so that a person can read it, and say whether it verifies."""
    with told_plainly(as_json):
        envelope = read_envelope(file)
        statement = read_statement(envelope)
        anchors = load_anchors(trust_bundle) if trust_bundle else None
        verdict = verdict_on(envelope, anchors, datetime.now(UTC))
    signers = [signature.keyid for signature in envelope.signatures]
    kind, digest = statement.DESCRIPTOR.name, digest_of(envelope).hex()
    if as_json:
        facts = {
            "ok": verdict.verifies is not False,
            "kind": kind,
            "digest": digest,
            "signed_by": signers,
            "verifies": verdict.verifies,
            "explanation": verdict.explanation,
            "statement": MessageToDict(statement, preserving_proto_field_name=True),
        }
        typer.echo(json.dumps(facts, indent=2))
    else:
        table = Table("field", Column("value", overflow="fold"), title=kind, title_justify="left")
        rows = [*describe(statement), ("digest", digest), ("signed by", "\n".join(signers))]
        for name, text in rows:
            table.add_row(name, text)
        Console().print(table)
        typer.echo(verdict.explanation)
    if verdict.verifies is False:
        raise typer.Exit(REFUSED)
