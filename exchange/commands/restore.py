"""``concordat-exchange restore``: put a backup back, unless its log is older than what is known of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from concordat.federation.anchors import load_anchors
from concordat.store.exclusive import only_process
from exchange.backup.errors import Known, LogNotContinuedError
from exchange.backup.progress import progress_shown
from exchange.backup.restoring import Request, Restored
from exchange.backup.restoring import restore as run
from exchange.backup.snapshot import Tell
from exchange.backup.words import checkpoint_json, checkpoint_line, root_text
from exchange.commands.shared import ERR, OUT, ConfigOption, advising, read_settings
from exchange.settings import ExchangeSettings


def restore(
    config: ConfigOption,
    file: Annotated[Path, typer.Argument(help="The backup.", show_default=False)],
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            help="A checkpoint of the log that was kept elsewhere: the backup must lead to it, and with "
            "one too few witnesses may answer. Repeat for more.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="SQLite: move the database that is there aside.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Restore a backup into an empty database, while the exchange is stopped.

    Before anything is written the log's witnesses are asked for the newest checkpoint; a backup that does
    not lead to it is refused, and both are shown. The log's tiles are made again.
    Exit codes: 0 done; 1 refused, and nothing was changed; 2 the settings are wrong.
    """
    settings = read_settings(config, as_json=as_json)
    request = Request(file, tuple(checkpoints or ()), replace)
    with (
        advising(as_json=as_json, doing="restore"),
        only_process(settings.database),
        progress_shown(ERR) as tell,
    ):
        done = _run(settings, request, tell, as_json=as_json)
    if isinstance(done, LogNotContinuedError):
        typer.echo(json.dumps(_refusal(done)))
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(_facts(done)))
    else:
        OUT.print("\n".join(_lines(done)), highlight=False, markup=False, soft_wrap=True)


def _run(
    settings: ExchangeSettings, request: Request, tell: Tell, *, as_json: bool
) -> Restored | LogNotContinuedError:
    """Restore. A program is to get both checkpoints of a refusal apart; people read them in its text."""
    try:
        return run(settings, load_anchors(settings.trust_bundle), request, datetime.now(UTC), tell)
    except LogNotContinuedError as error:
        if not as_json:
            raise
        return error


def _refusal(error: LogNotContinuedError) -> dict[str, object]:
    return {
        "ok": False,
        "error": str(error),
        "backup": None if error.ours is None else _checkpoint(error.ours),
        "newest": _checkpoint(error.newest),
    }


def _checkpoint(known: Known) -> dict[str, object]:
    return checkpoint_json(known.size, known.root, known.at, known.source)


def _facts(done: Restored) -> dict[str, object]:
    return {
        "ok": True,
        "made_at": done.header.made_at.isoformat(),
        "rows": done.end.rows,
        "size": done.filled.size,
        "root": root_text(done.filled.root),
        "compared_with": [_checkpoint(each) for each in done.known],
        "silent": done.silent,
        "unreadable": done.unreadable,
        "moved_to": None if done.moved_to is None else str(done.moved_to),
    }


def _lines(done: Restored) -> Iterator[str]:
    yield (
        f"restored: {sum(done.end.rows.values()):,} rows of {len(done.end.rows)} tables, "
        f"as of {done.header.made_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    yield (
        f"log: {done.filled.size:,} entries, hashed again: root {root_text(done.filled.root)}; "
        "tiles made again"
    )
    for each in done.known:
        yield f"leads to: {checkpoint_line(each.size, each.root, each.at, each.source)}"
    for name, why in done.silent.items():
        yield f"not heard: {name}: {why}"
    if not done.witnesses:
        yield "no witness was heard: whether this is the newest log nobody else can tell"
    if done.unreadable is not None:
        yield f"the database before could not be read: {done.unreadable}"
    yield "before the next start: see to it that the keyring is that of the backup's database"
    if done.moved_to is not None:
        yield f"the database before is now {done.moved_to.name}"
