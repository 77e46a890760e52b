"""`concordat wallet rebind`: a new key in the place of one that was lost; the old one is dead."""

from pathlib import Path
from typing import Annotated

import typer

from clients.cli.console import JsonOption, console, echo_json, failing, read_passphrase
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.sdk.client import WalletClient
from clients.sdk.errors import WalletError
from clients.sdk.rebinding import keep_former_bindings, keep_rebinding, next_key
from clients.sdk.wallet_file import KEY, WalletFolder
from concordat import v1

KILLED = (
    "The key before is dead at the exchange within a second, whoever holds it. Your listings, consents and "
    "accesses are read with the new key; consents that you do not want any more: concordat wallet revoke."
)


def rebind(
    identity_number: Annotated[
        str, typer.Option(prompt=True, envvar="CONCORDAT_IDENTITY_NUMBER", help="Your own.")
    ],
    code: Annotated[
        str,
        typer.Option(
            "--code",
            "--enrolment-code",
            prompt="Enrolment code",
            envvar="CONCORDAT_ENROLMENT_CODE",
            help="A new one from the registrar, who checks again who you are.",
        ),
    ],
    trust_bundle: Annotated[
        Path | None,
        typer.Option(
            "--trust-bundle",
            "-t",
            envvar="CONCORDAT_TRUST_BUNDLE",
            help="The federation's trust bundle, where the wallet itself is lost and a new one is made.",
        ),
    ] = None,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Have the registrar bind a new key to you: the old one was lost, or somebody else may have it.

    In your wallet's folder a new key takes the old one's place, and what the wallet remembers stays. Where the
    wallet is lost too, name a new folder and the trust bundle. If it breaks off, run it again with the same code.
    """
    with failing("no new key was bound", as_json=as_json):
        passphrase = read_passphrase(passphrase_file)
        if (wallet / KEY).is_file():
            answer = _in_place(wallet, passphrase, identity_number, code)
        else:
            answer = _anew(wallet, trust_bundle, passphrase, identity_number, code)
        binding = v1.SubjectBinding.FromString(answer.binding.payload)
    if as_json:
        echo_json(
            ok=True,
            wallet=str(wallet),
            subject_ref=binding.subject_ref,
            version=binding.version,
            former_keys=len(answer.earlier),
        )
        return
    console().print(f"A new key is bound to you: binding {binding.version}.", style="green")
    console().print(KILLED)


def _in_place(
    wallet: Path, passphrase: bytes | None, identity_number: str, code: str
) -> v1.BindSubjectResponse:
    held = WalletFolder.open(wallet, passphrase)
    with held.locked(), WalletClient(held.anchors) as client:
        signer = next_key(wallet, passphrase)
        answer = client.request_binding(signer, identity_number, code)
        keep_rebinding(wallet, answer, passphrase)
    return answer


def _anew(
    wallet: Path,
    trust_bundle: Path | None,
    passphrase: bytes | None,
    identity_number: str,
    code: str,
) -> v1.BindSubjectResponse:
    if trust_bundle is None:
        raise WalletError(f"{wallet} holds no wallet: to make a new one there, add --trust-bundle")
    held = WalletFolder.create(wallet, trust_bundle, passphrase)
    with held.locked(), WalletClient(held.anchors) as client:
        answer = client.request_binding(held.signer, identity_number, code)
        keep_former_bindings(wallet, answer)
        held.save_binding(answer.binding)
    return answer
