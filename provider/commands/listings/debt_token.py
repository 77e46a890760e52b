"""``concordat-provider listings debt-token``: print what goes with a debt when it is sold or sued for."""

import json

import typer

from concordat.trust.debt import format_debt_token
from provider.commands.listings.options import (
    JsonOption,
    ReferenceArgument,
    require_reference,
    the_debt_key,
)
from provider.commands.shared import ConfigOption, advising, read_settings


def debt_token(
    reference: ReferenceArgument, config: ConfigOption, as_json: JsonOption = False
) -> None:
    """Print the token of an own debt, one line, for its buyer, its agent or the court.

    With it they file the same debt, so that there is one listing of it. Whoever has it can find out
    whether a person owes this debt: hand it to nobody else. Of a debt that was bought, pass on the token
    that came with it. A node may be running.

    Exit codes: 0 printed; 1 the database can't be read; 2 the debt key, the settings or REFERENCE are wrong.
    """
    with advising(as_json=as_json):
        settings = read_settings(config)
        token = the_debt_key(settings).token(require_reference(reference))
    line = format_debt_token(token)
    typer.echo(json.dumps({"ok": True, "debt_token": line}) if as_json else line)
