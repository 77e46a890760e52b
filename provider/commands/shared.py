"""What the commands share: exit codes, the settings option, errors as advice."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from concordat.federation.anchors import TrustBundleError
from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.rpc.logs import configure_logs
from concordat.rpc.tls import TlsFileError
from concordat.settings import SettingsError, load_settings
from concordat.store.engine import StoreError
from concordat.trust.errors import KeyFileError
from provider.ports import PortTakenError
from provider.settings import ProviderSettings

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_SOME_REJECTED = 0, 1, 2, 3

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The node's settings (TOML).", show_default=False)
]

# Standard output is for answers; what goes wrong, and progress, goes to standard error.
OUT = Console()
ERR = Console(stderr=True)


def complain(message: str, *, as_json: bool = False) -> None:
    """Say what is wrong: in one line on standard error, or as the command's JSON object."""
    if as_json:
        typer.echo(json.dumps({"ok": False, "error": message}))
        return
    ERR.print(f"[red]error:[/red] {escape(message)}", highlight=False, soft_wrap=True)


@contextmanager
def advising(*, as_json: bool = False) -> Iterator[None]:
    """Turn what is wrong with settings and files into a line of advice and an exit code."""
    try:
        yield
    except (SettingsError, TrustBundleError, KeyFileError, TlsFileError) as error:
        complain(str(error), as_json=as_json)
        raise typer.Exit(EXIT_USAGE) from error
    except (StoreError, PortTakenError, Refusal, RemoteError) as error:
        complain(str(error), as_json=as_json)
        raise typer.Exit(EXIT_FAILED) from error


def read_settings(config: Path) -> ProviderSettings:
    """Read the settings file and start logging; raise ``SettingsError`` if it can't be used."""
    settings = load_settings(ProviderSettings, config)
    configure_logs(f"provider {settings.member_id}", settings.log_level)
    return settings
