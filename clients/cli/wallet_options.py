"""Options that the `concordat wallet` commands share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_WALLET = Path("wallet")

Folder = Annotated[
    Path,
    typer.Option("--wallet", "-w", envvar="CONCORDAT_WALLET", help="The wallet's folder."),
]
PassphraseFile = Annotated[Path | None, typer.Option(help="File whose first line opens the key.")]
ConsentId = Annotated[
    str, typer.Argument(metavar="CONSENT", help="A consent's id, or its first digits.")
]
ListingId = Annotated[
    str, typer.Argument(metavar="LISTING", help="A listing's id, or its first digits.")
]
