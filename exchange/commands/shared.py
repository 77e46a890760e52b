"""What the commands share: the option, the way errors are shown, the exit codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from concordat.federation.anchors import TrustBundleError
from concordat.refusal import Refusal
from concordat.rpc.errors import CATALOG, name_of
from concordat.rpc.logs import configure_logs
from concordat.rpc.tls import TlsFileError
from concordat.settings import SettingsError, load_settings
from concordat.store.engine import StoreError
from concordat.trust.errors import KeyFileError
from exchange.settings import ExchangeSettings

OUT = Console()
ERR = Console(stderr=True)

ConfigOption = Annotated[
    Path, typer.Option("--config", help="The settings file (TOML).", show_default=True)
]


def read_settings(path: Path) -> ExchangeSettings:
    """Read the settings and begin to log as they say; exit with 2 where they are wrong."""
    try:
        settings = load_settings(ExchangeSettings, path)
    except SettingsError as error:
        ERR.print(f"settings: {error}", style="red", highlight=False)
        raise typer.Exit(2) from error
    configure_logs(settings.member_id, settings.log_level)
    return settings


@contextmanager
def advising() -> Iterator[None]:
    """Show what stops the exchange in one line that says what to do, and exit with 1."""
    try:
        yield
    except (
        TrustBundleError,
        KeyFileError,
        TlsFileError,
        StoreError,
        OSError,
        RuntimeError,
    ) as error:
        ERR.print(f"cannot start: {error}", style="red", highlight=False)
    except SQLAlchemyError as error:
        ERR.print(f"the database failed: {type(error).__name__}; run check", style="red")
    except Refusal as refusal:
        ERR.print(
            f"{name_of(refusal.reason)}: {CATALOG[refusal.reason].message} {refusal.detail}",
            style="red",
            highlight=False,
        )
    else:
        return
    raise typer.Exit(1)
