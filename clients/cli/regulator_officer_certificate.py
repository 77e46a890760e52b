"""`concordat regulator officer-certificate`: a certificate to sign in to the desk with, by an officer's key."""

import re
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives import hashes

from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
)
from clients.sdk.errors import ClientError
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.trust.keys import Ed25519Signer, key_id

_MEMBER = re.compile(r"[a-z][a-z0-9-]{1,62}", re.ASCII)
_DAYS = 90


def officer_certificate(
    key: Annotated[
        Path, typer.Option(help="Your key: approver-1.key, or the desk's own signing.key.")
    ],
    trust_bundle: TrustBundle,
    out: Annotated[
        Path, typer.Option(help="PKCS#12 file to write, for the browser; none is overwritten.")
    ],
    regulator: Annotated[
        str, typer.Option(metavar="MEMBER", help="Member id of the regulator whose desk it is.")
    ] = "regulator",
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it lasts.")] = _DAYS,
    passphrase_file: PassphraseFile = None,
    out_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            help="File whose first line is to open --out, 12 characters or more; else it is asked for."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a certificate with which you sign in to a desk that is served over HTTPS. Needs no network.

    Your key signs it here, once, and stays here. Take the file to the browser, import it there with its
    passphrase, and delete it.
    """
    # Slow to load, and only for this.
    from clients.pki.files import write_secret  # noqa: PLC0415
    from clients.pki.officer_certificates import issue_officer_certificate  # noqa: PLC0415

    with failing("no certificate was made", as_json=as_json):
        desk = _desk(regulator, trust_bundle)
        if out.exists():
            raise ClientError(f"{out} exists; name a new file")
        signer = Ed25519Signer.load(key, read_passphrase(passphrase_file))
        made = issue_officer_certificate(signer, desk, Clock().now(), days)
        write_secret(out, made.pkcs12(_passphrase(out, out_passphrase_file)))
    certificate = made.certificate
    told = {
        "desk": desk,
        "key_id": key_id(signer.public_key),
        "serial": f"{certificate.serial_number:x}",
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
        "expires_at": certificate.not_valid_after_utc.isoformat(),
    }
    if as_json:
        echo_json(ok=True, file=out, **told)
        return
    console().print(f"{out}: a certificate for {desk}, issued by your key", soft_wrap=True)
    for name in ("key_id", "serial", "fingerprint", "expires_at"):
        console().print(f"  {name.replace('_', ' ')}: {told[name]}", soft_wrap=True)
    console().print("Import it into the browser with its passphrase, then delete the file.")


def _desk(regulator: str, trust_bundle: Path) -> str:
    """Return the desk's name, as it stands in a challenge too."""
    if _MEMBER.fullmatch(regulator) is None:
        raise ClientError(f"{regulator!r} is no member id; a desk's challenge shows it")
    return f"{regulator}@{load_anchors(trust_bundle).federation}"


def _passphrase(out: Path, given: Path | None) -> bytes:
    """Return the passphrase that is to open the file: from a file, or as typed twice."""
    found = read_passphrase(given)
    if found is None:
        typed: str = typer.prompt(
            f"Passphrase to open {out} with", hide_input=True, confirmation_prompt=True, err=True
        )
        found = typed.encode()
    return found
