"""``concordat-exchange rotate-keys``: replace the keys that what is kept of people is sealed under."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from exchange.backup.progress import progress_shown
from exchange.commands.shared import ERR, OUT, ConfigOption, advising, read_settings
from exchange.vault.rotating import replace_references, rotate


def rotate_keys(
    config: ConfigOption,
    discard_old: Annotated[
        bool,
        typer.Option(
            "--discard-old",
            help="Delete the older wrapping keys once nothing is under them. Backups made before can then "
            "not be restored any more, nor what was erased since.",
        ),
    ] = False,
    references: Annotated[
        bool,
        typer.Option(
            "--references",
            help="Replace the key of the subject references instead; the exchange must be stopped.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add a new wrapping key to the keyring and put every person's key under it, while the exchange serves.

    Cut off, it goes on when it is run again. Nothing that was sealed is written anew.
    Exit codes: 0 done; 1 the keyring or the database cannot be used, or the serving process does not
    take the new key; 2 the settings are wrong.
    """
    settings = read_settings(config, as_json=as_json)
    keys = settings.storage_keys
    with advising(as_json=as_json, doing="rotate the keys"), progress_shown(ERR) as tell:
        if references:
            replaced = replace_references(settings.database, keys, datetime.now(UTC), tell)
            facts: dict[str, object] = {"ok": True, "references_of": replaced}
            line = f"the references of {replaced} subjects are under a new key"
        else:
            done = rotate(settings.database, keys, tell, discard_old=discard_old)
            facts = {
                "ok": True,
                "wrapping_key": done.wrapping_key,
                "subjects": done.subjects,
                "discarded": done.discarded,
            }
            line = (
                f"the keys of {done.subjects} subjects are under wrapping key {done.wrapping_key}; "
                f"{done.discarded} older discarded. Copy the keyring {keys.name} to where its copies are."
            )
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        OUT.print(line, highlight=False, markup=False, soft_wrap=True)
