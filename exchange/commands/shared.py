"""What the commands share: the option, the way errors are shown, the exit codes."""

import json
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
from exchange.backup.errors import BackupError
from exchange.settings import ExchangeSettings

OUT = Console()
ERR = Console(stderr=True)

ConfigOption = Annotated[
    Path, typer.Option("--config", help="The settings file (TOML).", show_default=True)
]


def complain(message: str, *, as_json: bool = False) -> None:
    """Say what is wrong: in one line on standard error, or as the command's JSON object."""
    if as_json:
        typer.echo(json.dumps({"ok": False, "error": message}))
    else:
        ERR.print(message, style="red", highlight=False, markup=False, soft_wrap=True)


def read_settings(path: Path, *, as_json: bool = False) -> ExchangeSettings:
    """Read the settings and begin to log as they say; exit with 2 where they are wrong."""
    try:
        settings = load_settings(ExchangeSettings, path)
    except SettingsError as error:
        complain(f"settings: {error}", as_json=as_json)
        raise typer.Exit(2) from error
    configure_logs(settings.member_id, settings.log_level)
    return settings


@contextmanager
def advising(*, as_json: bool = False, doing: str = "start") -> Iterator[None]:
    """Show what keeps the exchange from ``doing`` it in words that say what to do, and exit with 1.

    Exits with 2 where it is the settings.
    """
    try:
        yield
    except (
        TrustBundleError,
        KeyFileError,
        TlsFileError,
        StoreError,
        OSError,
        RuntimeError,
        BackupError,
    ) as error:
        complain(f"cannot {doing}: {error}", as_json=as_json)
    except SettingsError as error:
        complain(f"settings: {error}", as_json=as_json)
        raise typer.Exit(2) from error
    except SQLAlchemyError as error:
        complain(f"the database failed: {type(error).__name__}; run check", as_json=as_json)
    except Refusal as refusal:
        complain(
            f"{name_of(refusal.reason)}: {CATALOG[refusal.reason].message} {refusal.detail}",
            as_json=as_json,
        )
    else:
        return
    raise typer.Exit(1)
