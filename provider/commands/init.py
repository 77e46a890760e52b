"""``concordat-provider init``: create the node's database, or bring it to this version's schema."""

import json
from typing import Annotated

import typer

from concordat.store.engine import migrate
from provider.commands.shared import OUT, ConfigOption, advising, read_settings
from provider.database import own_database
from provider.listings.debts import load_or_make_debt_key
from provider.migrations import SCRIPTS
from provider.store import listings


def init(
    config: ConfigOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create the node's database, or migrate it to this version, and the debt key if there is none.

    Repeating it changes nothing. Keep a copy of the debt key in a safe place.

    Exit codes: 0 done; 1 the database can't be opened; 2 the settings are wrong.
    """
    with advising(as_json=as_json):
        settings = read_settings(config)
        with own_database(settings.database, migrated=False) as engine:
            migrate(engine, SCRIPTS)
            with engine.connect() as connection:
                own = listings.one_of(connection, settings.member_id)
        _, made = load_or_make_debt_key(settings.listings.debt_key, settings.member_id, own)
    if as_json:
        typer.echo(json.dumps({"ok": True, "member_id": settings.member_id}))
    else:
        OUT.print(f"{settings.member_id}: the database is ready", highlight=False)
        if made:
            OUT.print(f"new debt key {settings.listings.debt_key}: keep a copy", highlight=False)
