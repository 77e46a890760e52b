"""`concordat regulator desk`: the regulator's pages, on loopback, where its member key is."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import re
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.auditor.source import LogSource, open_source
from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
)
from clients.cli.regulator_licence import RegulatorFolder
from clients.cli.wallet_page import LOOPBACK, listen, serve
from clients.sdk.client import MemberClient, RegulatorClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import MemberIdentity, load_identity
from concordat.clock import Clock
from concordat.federation.anchors import Anchors, load_anchors

if TYPE_CHECKING:
    from clients.console.base import Console
    from clients.console.base.tls import AskingContext
    from clients.console.desk.office import Office

_HIGHEST_PORT = 65_535
_LEARNING_SECONDS = 5.0


def desk(
    trust_bundle: TrustBundle,
    member: RegulatorFolder,
    listen_on: Annotated[
        str,
        typer.Option(
            "--listen", metavar="HOST:PORT", help="Of this machine alone; port 0 takes a free one."
        ),
    ] = f"{LOOPBACK}:0",
    state: Annotated[
        Path,
        typer.Option(
            help="Folder for the journal, cases, drafts and the log's last checkpoint.",
            file_okay=False,
        ),
    ] = Path("regulator-desk"),
    log: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="The log: an HTTP(S) prefix or a directory. Default: the trust bundle's.",
            show_default=False,
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            help="Serve over HTTPS with this certificate (PEM) for 127.0.0.1; officers may then sign in with one."
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="The private key of --tls-certificate (PEM).")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the regulator's desk on this machine alone, until Ctrl-C.

    A link that works once opens it; officers then sign in by `concordat regulator sign-in`, or over HTTPS with a
    certificate of `concordat regulator officer-certificate`. Press Enter here for another link. Every act is kept
    in the journal of its folder.
    """
    # Slow to load, and only for this.
    from clients.console.desk.files import held_alone  # noqa: PLC0415
    from clients.console.desk.site import build_desk  # noqa: PLC0415

    with ExitStack() as held:
        with failing("the desk was not served", as_json=as_json):
            held.enter_context(held_alone(state))
            anchors = load_anchors(trust_bundle)
            identity = load_identity(member, anchors, read_passphrase(passphrase_file))
            source = _log_of(anchors, log)
            office = open_office(anchors, identity, state, lambda: open_source(source))
            tls = _tls(office, tls_certificate, tls_key)
            app = build_desk(office)
            listening = listen(port_of(listen_on))
        scheme = "http" if tls is None else "https"
        _tell(app, f"{scheme}://{LOOPBACK}:{listening.getsockname()[1]}", state, as_json=as_json)
        serve(app, listening, tls)


def _tls(office: "Office", certificate: Path | None, key: Path | None) -> "AskingContext | None":
    """Return the desk's TLS, which knows the licence's keys where the exchange answers; None without files."""
    from clients.console.desk.tls import DeskTls  # noqa: PLC0415 - slow to load, and only for this

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ClientError("--tls-certificate and --tls-key are given together, or neither is")
    tls = DeskTls(office, certificate, key)
    # Until it knows the licence it takes nobody's certificate; but an exchange that is away holds up no desk.
    learning = threading.Thread(target=tls.learn, daemon=True)
    learning.start()
    learning.join(_LEARNING_SECONDS)
    return tls.context


def _tell(app: "Console", address: str, state: Path, *, as_json: bool) -> None:
    """Print the link that opens the desk, and more where somebody asks for them."""
    link = app.issue_link(address)
    if as_json:
        echo_json(ok=True, address=address, link=link, state=state)
        return
    console().print(f"Open this link within two minutes; it works once:\n{link}", soft_wrap=True)
    console().print("Enter prints another one; Ctrl-C ends the desk.")
    _more_links(app, address)


def open_desk(
    anchors: Anchors, identity: MemberIdentity, state: Path, open_log: Callable[[], LogSource]
) -> "Console":
    """Return the desk of a regulator, which keeps its things in ``state``. Raises ``ClientError``."""
    from clients.console.desk.site import build_desk  # noqa: PLC0415 - slow to load, and only for this

    return build_desk(open_office(anchors, identity, state, open_log))


def open_office(
    anchors: Anchors, identity: MemberIdentity, state: Path, open_log: Callable[[], LogSource]
) -> "Office":
    """Return what the desk of a regulator stands on; see ``open_desk``."""
    from clients.console.desk.office import Office  # noqa: PLC0415 - slow to load, and only for this

    clock = Clock()
    reader = RegulatorClient(anchors, identity, clock)
    registry = MemberClient(anchors, identity, clock)
    return Office(anchors, identity, reader, registry, open_log, state, clock.now)


def port_of(listen_on: str) -> int:
    """Return the port of ``127.0.0.1:PORT``; raise ``ClientError`` for any other address."""
    found = re.fullmatch(r"(127\.0\.0\.1|localhost):(\d{1,5})", listen_on, re.ASCII)
    if found is None or int(found[2]) > _HIGHEST_PORT:
        raise ClientError(
            f"the desk is served on this machine alone: --listen {LOOPBACK}:PORT, not {listen_on}"
        )
    return int(found[2])


def _log_of(anchors: Anchors, given: str | None) -> str:
    source = given or anchors.bundle.log_url
    if not source:
        raise ClientError("the trust bundle does not say where the log is read; name it by --log")
    return source


def _more_links(app: "Console", address: str) -> None:
    """Print another link each time that Enter is pressed, where somebody sits at a terminal."""

    def offer() -> None:
        for _ in sys.stdin:
            console().print(app.issue_link(address), soft_wrap=True)

    if sys.stdin.isatty():
        threading.Thread(target=offer, daemon=True).start()
