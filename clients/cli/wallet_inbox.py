"""`concordat wallet inbox`: what the exchange has to tell you. A notice that you fetch has reached you."""

from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.text import Text

from clients.cli.console import JsonOption, console, echo_json, failing, words
from clients.cli.moments import moment
from clients.cli.wallet_desk import earlier_facts, print_earlier, wallet_desk
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from concordat import v1


def inbox(
    every: Annotated[
        bool, typer.Option("--all", help="Show what you have read before, too.")
    ] = False,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Read your inbox, oldest first.

    A notice of a listing counts as served when you fetch it: the time in which you can contest the listing
    before it takes effect begins then. Leaving it unread keeps the listing from taking effect, unless a mail
    server took the notice in for you.
    """
    with (
        failing("the inbox was not read", as_json=as_json),
        wallet_desk(wallet, passphrase_file) as desk,
    ):
        desk.send_waiting()
        seen = desk.store.memory().inbox_seen
        messages = desk.client.read_inbox(desk.store)
    fresh = [message for message in messages if message.message_id > seen]
    shown = messages if every else fresh
    if as_json:
        facts = [_facts(message, new=message in fresh) for message in shown]
        echo_json(ok=True, messages=facts, earlier=earlier_facts(desk.earlier))
        return
    print_earlier(desk.earlier)
    for message in shown:
        console().print(_panel(message))
    if not shown:
        console().print(f"Nothing new; {len(messages)} messages in all: --all shows them.")


def _panel(message: v1.InboxMessage) -> Panel:
    kind = words(v1.InboxKind.Name(message.kind), "INBOX_KIND_")
    about = f", {message.listing_id.hex()}" if message.listing_id else ""
    return Panel(
        Text(message.text), title=f"{kind}, {moment(message.sent_at)}{about}", title_align="left"
    )


def _facts(message: v1.InboxMessage, *, new: bool) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "kind": words(v1.InboxKind.Name(message.kind), "INBOX_KIND_"),
        "listing_id": message.listing_id.hex() or None,
        "sent_at": moment(message.sent_at),
        "new": new,
        "text": message.text,
    }
