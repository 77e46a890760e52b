"""`concordat regulator sign-in`: answer a desk's challenge with an officer's key, offline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    console,
    echo_json,
    failing,
    read_passphrase,
)
from clients.sdk.errors import ClientError
from concordat.clock import Clock
from concordat.trust.keys import Ed25519Signer

if TYPE_CHECKING:
    from clients.console.desk.challenge import Challenge

_MOST_BYTES = 1024


def sign_in(
    challenge: Annotated[
        str,
        typer.Argument(
            metavar="CHALLENGE", help="The challenge that the desk shows: its file, or the line."
        ),
    ],
    key: Annotated[
        Path, typer.Option(help="Your key: approver-1.key, or the desk's own signing.key.")
    ],
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a desk's challenge, and print the line to paste there. Needs no network.

    Check that the origin is the address of the window that you sign in to.
    """
    from clients.console.desk.challenge import sign_challenge  # noqa: PLC0415 - slow to load, and only for this

    with failing("the challenge was not signed", as_json=as_json):
        asked = _read(challenge)
        signer = Ed25519Signer.load(key, read_passphrase(passphrase_file))
        answer = sign_challenge(asked, signer, Clock().now())
    if as_json:
        until = asked.expires_at.isoformat()
        echo_json(ok=True, answer=answer, origin=asked.origin, desk=asked.desk, expires_at=until)
        return
    typer.echo(f"You sign in to {asked.desk} at {asked.origin}.", err=True)
    console().print(answer, markup=False, highlight=False, soft_wrap=True)


def _read(given: str) -> "Challenge":
    """Return the challenge in a file or in the argument itself."""
    from clients.console.desk.challenge import PREFIX, parse_challenge  # noqa: PLC0415 - slow to load, and only for this

    if given.startswith(PREFIX):
        return parse_challenge(given)
    with Path(given).open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES or not raw.isascii():
        raise ClientError(f"{given} holds no challenge of a desk")
    return parse_challenge(raw.decode("ascii"))
