"""`concordat wallet page`: the wallet as a page in the browser, on this machine alone."""

import socket
import webbrowser
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clients.cli.console import JsonOption, console, echo_json, failing, read_passphrase
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.sdk.wallet_file import WalletFolder
from concordat.clock import Clock

if TYPE_CHECKING:
    from clients.console.base.tls import AskingContext

LOOPBACK = "127.0.0.1"


def page(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of this machine; 0 takes a free one.")
    ] = 0,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser, too.")] = False,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the wallet as a page on this machine alone, until Ctrl-C.

    The page is opened by a link that works once, within two minutes, and is printed here. It closes after 15
    minutes without use. Nothing is loaded from anywhere else, and no script runs in it.
    """
    from clients.console.wallet.app import wallet_app  # noqa: PLC0415 - slow to load, and only for this

    with failing("the page was not served", as_json=as_json):
        app = wallet_app(WalletFolder.open(wallet, read_passphrase(passphrase_file)), Clock())
        listening = listen(port)
    address = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
    link = app.issue_link(address)
    if as_json:
        echo_json(ok=True, address=address, link=link)
    else:
        console().print(
            f"Open this link within two minutes; it works once:\n{link}", soft_wrap=True
        )
        console().print("The page runs until you press Ctrl-C here.")
    if browser:
        webbrowser.open(link)
    serve(app, listening)


def listen(port: int) -> socket.socket:
    """Return a socket that listens on loopback; raise ``OSError`` where the port is taken."""
    listening = socket.create_server((LOOPBACK, port))
    listening.set_inheritable(False)
    return listening


def serve(app: object, listening: socket.socket, tls: "AskingContext | None" = None) -> None:
    """Serve until the process is told to end; over HTTPS with ``tls``."""
    import uvicorn  # noqa: PLC0415 - slow to load, and only for this

    secured: dict[str, Any] = {}
    if tls is not None:
        from clients.console.base.tls import over_tls  # noqa: PLC0415 - as above

        secured = over_tls(tls)
    settings = uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application, as ``Console`` is
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
        limit_concurrency=64,
        ws="none",
        lifespan="off",
        **secured,
    )
    with listening, suppress(KeyboardInterrupt):  # which is how it ends
        uvicorn.Server(settings).run(sockets=[listening])
