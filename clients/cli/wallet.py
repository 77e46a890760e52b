"""`concordat wallet`: a subject's key, consents, and who was told of a change."""

from typing import Annotated

import typer

from clients.cli.console import (
    CODES,
    JsonOption,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
)
from clients.cli.wallet_accesses import accesses
from clients.cli.wallet_contact import contact
from clients.cli.wallet_dispute import appeal, contest, dispute
from clients.cli.wallet_erase import erase
from clients.cli.wallet_events import pause, resume, revoke
from clients.cli.wallet_flags import alert, freeze, unalert, unfreeze
from clients.cli.wallet_grant import grant
from clients.cli.wallet_inbox import inbox
from clients.cli.wallet_list import list_consents
from clients.cli.wallet_listings import listings
from clients.cli.wallet_notices import notices
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.cli.wallet_outcomes import outcomes
from clients.cli.wallet_page import page
from clients.cli.wallet_rebind import rebind
from clients.cli.wallet_report import report
from clients.cli.wallet_report_check import report_check
from clients.cli.wallet_statement import settle, statement
from clients.sdk.client import WalletClient
from clients.sdk.rebinding import keep_former_bindings
from clients.sdk.wallet_file import WalletFolder

app = typer.Typer(
    help="A subject's wallet: key, consents, own score, who looked, listings, disputes, freezes.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)


@app.command(epilog=CODES)
def new(
    trust_bundle: TrustBundle,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Make a wallet with a fresh key. Never overwrites one."""
    with failing("no wallet was made", as_json=as_json):
        made = WalletFolder.create(wallet, trust_bundle, read_passphrase(passphrase_file))
    if as_json:
        echo_json(ok=True, wallet=str(wallet), public_key=made.signer.public_key)
    else:
        console().print(f"Made a wallet in {wallet}. Next: concordat wallet bind", markup=False)


@app.command(epilog=CODES)
def bind(
    identity_number: Annotated[
        str, typer.Option(prompt=True, envvar="CONCORDAT_IDENTITY_NUMBER", help="Your own.")
    ],
    enrolment_code: Annotated[
        str,
        typer.Option(prompt=True, envvar="CONCORDAT_ENROLMENT_CODE", help="From the registrar."),
    ],
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Have the registrar bind the wallet's key to you. The code works once."""
    with failing("the key was not bound", as_json=as_json):
        held = WalletFolder.open(wallet, read_passphrase(passphrase_file))
        with held.locked(), WalletClient(held.anchors) as client:
            answer = client.request_binding(held.signer, identity_number, enrolment_code)
            keep_former_bindings(held.folder, answer)
            held.save_binding(answer.binding)
    if as_json:
        echo_json(ok=True, wallet=str(wallet), subject_ref=held.key().subject_ref)
    else:
        console().print("The key is bound to you. Next: concordat wallet grant", markup=False)


app.command(epilog=CODES)(grant)
app.command(epilog=CODES)(pause)
app.command(epilog=CODES)(resume)
app.command(epilog=CODES)(revoke)
app.command("list", epilog=CODES)(list_consents)
app.command(epilog=CODES)(accesses)
app.command(epilog=CODES)(outcomes)
app.command(epilog=CODES)(report)
app.command("report-check", epilog=CODES)(report_check)
app.command(epilog=CODES)(erase)
app.command(epilog=CODES)(rebind)
app.command(epilog=CODES)(page)
for command in (
    *(listings, inbox, notices, contest, dispute, appeal, statement, settle),
    *(freeze, unfreeze, alert, unalert, contact),
):
    app.command(epilog=CODES)(command)
