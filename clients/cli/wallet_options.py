"""Options that the `concordat wallet` commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_WALLET = Path("wallet")

Folder = Annotated[
    Path,
    typer.Option("--wallet", "-w", envvar="CONCORDAT_WALLET", help="The wallet's folder."),
]
PassphraseFile = Annotated[Path | None, typer.Option(help="File whose first line opens the key.")]
Language = Literal["en", "zh"]  # the keys of ``clients.catalogs.LANGUAGES``
ConsentId = Annotated[
    str, typer.Argument(metavar="CONSENT", help="A consent's id, or its first digits.")
]
ListingId = Annotated[
    str, typer.Argument(metavar="LISTING", help="A listing's id, or its first digits.")
]
