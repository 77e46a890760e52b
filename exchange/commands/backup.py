"""``concordat-exchange backup``: one file with everything in the database, made while it serves."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from concordat.federation.anchors import load_anchors
from exchange.backup.progress import progress_shown
from exchange.backup.snapshot import Made, make_backup
from exchange.backup.words import root_text
from exchange.commands.shared import ERR, OUT, ConfigOption, advising, read_settings


def backup(
    config: ConfigOption,
    out: Annotated[Path, typer.Option("--out", help="The file to write; replaced if it exists.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write everything in the database to one file, as it is at one moment, while the exchange serves.

    Keys are not in it: keep the keyring, the signing keys and the trust bundle apart from it.
    Exit codes: 0 done; 1 it cannot be made, and no file was left; 2 the settings are wrong.
    """
    settings = read_settings(config, as_json=as_json)
    with advising(as_json=as_json, doing="back up"), progress_shown(ERR) as tell:
        anchors = load_anchors(settings.trust_bundle)
        made = make_backup(settings.database, anchors, out, datetime.now(UTC), tell)
    if as_json:
        typer.echo(json.dumps(_facts(made, out)))
        return
    OUT.print(
        f"{out}: {sum(made.end.rows.values()):,} rows of {len(made.end.rows)} tables, "
        f"{made.bytes_written:,} bytes; log of {made.header.size:,} entries, "
        f"root {root_text(made.header.root)}\n"
        "Keep the keyring and the signing keys apart from it: without them it opens nothing.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _facts(made: Made, out: Path) -> dict[str, object]:
    return {
        "ok": True,
        "file": str(out),
        "bytes": made.bytes_written,
        "made_at": made.header.made_at.isoformat(),
        "schema": made.header.schema,
        "size": made.header.size,
        "root": root_text(made.header.root),
        "rows": made.end.rows,
        "sha256": made.end.sha256,
    }
