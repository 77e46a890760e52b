"""``concordat-provider listings status``: what was sent, what waits, what was refused and why."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from concordat.clock import from_micros
from concordat.settings import SettingsError
from concordat.store.reading import opened_to_read
from provider.commands.listings.options import DEFAULT_WAIT, JsonOption, require_reference
from provider.commands.listings.wording import action_name, reason_name, state_name
from provider.commands.shared import OUT, ConfigOption, advising, read_settings
from provider.listings.amounts import format_amount
from provider.listings.counter import Counter
from provider.listings.orders import AskOrder
from provider.settings import ProviderSettings
from provider.store import listings, mirror, outbox
from provider.store.listings import Listed
from provider.store.outbox import Delivery, Posted

MOST_SHOWN = 50


def status(
    config: ConfigOption,
    reference: Annotated[
        str, typer.Argument(metavar="[REFERENCE]", help="One debt, with all that was said of it.")
    ] = "",
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Of REFERENCE: ask the exchange where it stands now.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the outbox: counts, and the latest that were refused or can't be sent, with why; or one debt.

    Where a listing stands is what the exchange last answered. A node may be running.

    Exit codes: 0 shown; 1 the database can't be read; 2 wrong usage.
    """
    with advising(as_json=as_json):
        settings = read_settings(config)
        if refresh and not reference:
            raise SettingsError("--refresh needs a REFERENCE")
        if refresh:
            _refresh(settings, require_reference(reference))
        with opened_to_read(settings.database) as connection:
            found = _debts(connection, reference) if reference else _overview(connection)
    if as_json:
        typer.echo(json.dumps({"ok": True, **found}, indent=2))
    elif reference:
        _print_debts(found)
    else:
        _print_overview(found)


def _refresh(settings: ProviderSettings, reference: str) -> None:
    with opened_to_read(settings.database) as connection:
        rows = listings.by_reference(connection, reference)
    keys = [row.key for row in rows if row.ended_at is None]
    with Counter.opened(settings) as counter:
        if keys:
            counter.hand_in([AskOrder(*key) for key in keys])
            counter.deliver(keys, DEFAULT_WAIT)


def _overview(connection: Connection) -> dict[str, Any]:
    counts = outbox.counts(connection)
    synced = mirror.read(connection)
    return {
        "outbox": {state.name.lower(): counts.get(state, 0) for state in Delivery},
        "listings": {
            state_name(state): count for state, count in sorted(listings.counts(connection).items())
        },
        "synced": None
        if synced is None
        else {"entries": synced.entries, **{n: _time(getattr(synced, n)) for n in _SYNC_TIMES}},
        "troubled": [
            {
                "reference": one.reference,
                "creditor": one.creditor,
                "what": action_name(one.action),
                "delivery": Delivery(one.state).name.lower(),
                "reason": reason_name(one.reason) if one.reason else "",
                "message": one.message,
                "attempts": one.attempts,
                "made_at": _time(one.made_at),
                "next_at": _time(one.due_at) if one.state == Delivery.QUEUED else None,
            }
            for one in outbox.troubled(connection, MOST_SHOWN)
        ],
    }


_SYNC_TIMES = ("read_at", "synced_at", "live_until")


def _debts(connection: Connection, reference: str) -> dict[str, Any]:
    rows = listings.by_reference(connection, require_reference(reference))
    if not rows:
        raise SettingsError(f"nothing with the reference {reference!r} was filed here")
    said = outbox.of_filings(connection, [row.key for row in rows])
    return {"debts": [_debt(row, said[row.key]) for row in rows]}


def _debt(row: Listed, said: list[Posted]) -> dict[str, Any]:
    return {
        "reference": row.reference,
        "creditor": row.creditor,
        "subject_ref": row.subject_ref.hex(),
        "filing_id": row.filing_id.hex(),
        "listing_id": row.listing_id.hex() if row.listing_id else None,
        "amount": format_amount(row.amount, row.currency),
        "delinquent_since": _time(row.delinquent_since),
        "state": state_name(row.state),
        "ended": row.ended_at is not None,
        "version": row.version,
        **{n: _time(getattr(row, n)) for n in _LISTING_TIMES},
        "said": [
            {
                "what": action_name(post.action),
                "id": post.statement_id.hex(),
                "delivery": Delivery(post.state).name.lower(),
                "reason": reason_name(post.reason) if post.reason else "",
                "message": post.message,
                "made_at": _time(post.made_at),
                "settled_at": _time(post.settled_at),
            }
            for post in said
        ],
    }


_LISTING_TIMES = ("noticed_at", "effective_from", "expires_at", "told_at")


def _print_overview(found: dict[str, Any]) -> None:
    table = Table("statements", "count", box=None)
    for name, count in found["outbox"].items():
        table.add_row(name, f"{count:,}")
    OUT.print(table)
    if found["listings"]:
        table = Table("listings, as last told", "count", box=None)
        for name, count in found["listings"].items():
            table.add_row(name, f"{count:,}")
        OUT.print(table)
    if synced := found["synced"]:
        OUT.print(
            f"register of {synced['read_at']} synced: {synced['entries']:,} entries, shown until "
            f"{synced['live_until']}",
            highlight=False,
        )
    if found["troubled"]:
        table = Table("reference", "what", "", "reason", "try", "message", box=None)
        for one in found["troubled"]:
            columns = ("reference", "what", "delivery", "reason", "attempts", "message")
            table.add_row(*(escape(str(one[name])) for name in columns))
        OUT.print(table)


def _print_debts(found: dict[str, Any]) -> None:
    for debt in found["debts"]:
        table = Table(escape(debt["reference"]), escape(debt["creditor"]), box=None)
        for name in ("subject_ref", "listing_id", "amount", "delinquent_since", "state", "ended"):
            table.add_row(name, escape(str(debt[name])))
        for name in _LISTING_TIMES:
            table.add_row(name, str(debt[name] or ""))
        OUT.print(table)
        table = Table("what", "", "reason", "at", "message", box=None)
        for post in debt["said"]:
            columns = ("what", "delivery", "reason", "made_at", "message")
            table.add_row(*(escape(str(post[name])) for name in columns))
        OUT.print(table)


def _time(micros: int | None) -> str | None:
    return None if micros is None else from_micros(micros).isoformat(timespec="seconds")
