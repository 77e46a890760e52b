"""`concordat pki`: set up a federation's trust, offline. Exit codes: 0 ok, 1 refused, 2 usage."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from pathlib import Path
from typing import Annotated

import typer

from clients.cli.pki_licence import licence, sealing_key, status
from clients.cli.pki_options import (
    CODES,
    DEFAULT_FOLDER,
    Folder,
    Json,
    PassphraseFile,
    report,
    told_plainly,
)
from clients.cli.pki_statements import show, sign
from clients.pki import Endpoints, Pki, WitnessTerms
from clients.pki.files import read_passphrase

app = typer.Typer(
    help="Set up a federation's trust, offline: roots, certificates, member keys, licences.",
    epilog=CODES,
    no_args_is_help=True,
)
app.command("licence", epilog=CODES)(licence)
app.command("sealing-key", epilog=CODES)(sealing_key)
app.command("status", epilog=CODES)(status)
app.command("sign", epilog=CODES)(sign)
app.command("show", epilog=CODES)(show)


@app.command(epilog=CODES)
def init(
    federation: Annotated[str, typer.Argument(help='Its name, such as "demo.concordat".')],
    folder: Folder = DEFAULT_FOLDER,
    roots: Annotated[int, typer.Option(min=1, max=16, help="Root keys to make.")] = 3,
    threshold: Annotated[int, typer.Option(min=1, max=16, help="Roots that must sign.")] = 2,
    exchange_id: str = "exchange",
    registrar_id: str = "registrar",
    exchange_endpoint: Annotated[str, typer.Option(help="host:port for members.")] = "",
    exchange_public_endpoint: Annotated[str, typer.Option(help="host:port for subjects.")] = "",
    registrar_endpoint: Annotated[str, typer.Option(help="host:port for members.")] = "",
    registrar_public_endpoint: Annotated[str, typer.Option(help="host:port for subjects.")] = "",
    log_url: Annotated[str, typer.Option(help="HTTP prefix at which the log is read.")] = "",
    witness: Annotated[
        list[str] | None,
        typer.Option(help="A witness's verifier key, as its init prints it; repeat for more."),
    ] = None,
    witness_url: Annotated[
        list[str] | None,
        typer.Option(
            help="Where that witness is asked (HTTP prefix), in the same order; all or none."
        ),
    ] = None,
    witness_quorum: Annotated[
        int, typer.Option(min=0, max=32, help="Witnesses that must cosign a checkpoint.")
    ] = 0,
    days: Annotated[int, typer.Option(min=1, max=7300, help="Days the CA is valid.")] = 3650,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make a federation: roots, CA, the exchange's and registrar's keys, the trust bundle."""
    with told_plainly(as_json):
        pki = Pki.create(
            folder,
            federation=federation,
            roots=roots,
            threshold=threshold,
            exchange_id=exchange_id,
            registrar_id=registrar_id,
            endpoints=Endpoints(
                exchange=exchange_endpoint,
                exchange_public=exchange_public_endpoint,
                registrar=registrar_endpoint,
                registrar_public=registrar_public_endpoint,
                log=log_url,
            ),
            witnesses=WitnessTerms(witness or (), witness_quorum, witness_url or ()),
            passphrase=read_passphrase(passphrase_file),
            days=days,
        )
    bundle = pki.folder / "trust-bundle.json"
    report(
        as_json,
        f"Made {federation} in {folder}; {threshold} of {roots} roots sign licences.\n"
        f"Hand {bundle} to every party, out of band.\n"
        f"Next: concordat pki licence {exchange_id} --role exchange",
        federation=federation,
        trust_bundle=bundle,
    )


@app.command(epilog=CODES)
def member(
    member_id: Annotated[str, typer.Argument(help="Lower-case slug, for ever the same.")],
    folder: Folder = DEFAULT_FOLDER,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days the certificate lasts.")] = 365,
    passphrase_file: PassphraseFile = None,
    member_passphrase_file: Annotated[
        Path | None, typer.Option(help="Encrypt the member's signing key with its first line.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a member's signing key, TLS key and certificate. Never overwrites one."""
    with told_plainly(as_json):
        pki = Pki.open(folder, read_passphrase(passphrase_file))
        secret = read_passphrase(member_passphrase_file)
        files = pki.add_member(member_id, days=days, passphrase=secret)
    report(
        as_json,
        f"Made the keys and the certificate of {member_id} in {files.folder}.\n"
        f"Next: concordat pki licence {member_id} --role ...",
        member_id=member_id,
        folder=files.folder,
    )
