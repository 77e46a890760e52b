"""Options that the `concordat listings` commands share."""

from pathlib import Path
from typing import Annotated

import typer

LenderFolder = Annotated[
    Path,
    typer.Option("--member", help="The lender's folder: signing.key, tls.crt, tls.key."),
]
