"""Telling what became of ``listings file``."""

import json
from pathlib import Path

import typer
from rich.table import Table

from concordat.rpc.errors import CATALOG
from provider.commands.listings.file_run import Result
from provider.commands.listings.wording import reason_name
from provider.commands.shared import EXIT_FAILED, EXIT_OK, EXIT_SOME_REJECTED, OUT, complain
from provider.listings import rejects as row_rejects
from provider.listings import verdict
from provider.loading.rows import ADVICE as LINE_ADVICE

_ADVICE = {
    word.value: advice
    for words in (row_rejects.ADVICE, verdict.ADVICE, LINE_ADVICE)
    for word, advice in words.items()
}


def exit_code(result: Result) -> int:
    """Return the command's exit code."""
    tally = result.tally
    if result.cut_short or not result.sent + result.queued + tally.unchanged:
        return EXIT_FAILED
    return EXIT_SOME_REJECTED if tally.rejected or result.refused else EXIT_OK


def report(result: Result, rejects: Path | None, *, as_json: bool) -> None:
    """Print the counts, with what to do about what was not taken."""
    tally = result.tally
    if as_json:
        counts = {
            "ok": exit_code(result) == EXIT_OK,
            "read": tally.read,
            "sent": result.sent,
            "queued": result.queued,
            "unchanged": tally.unchanged,
            "rejected": dict(sorted(tally.rejected.items())),
            "refused": dict(sorted(result.refused.items())),
            "cut_short": result.cut_short,
            "trouble": result.trouble,
        }
        typer.echo(json.dumps(counts))
        return
    if result.cut_short:
        complain(f"cut short: {result.cut_short}. What was taken in stays; file the file again.")
    table = Table("debts", "count", "", box=None)
    table.add_row("read", f"{tally.read:,}")
    table.add_row("sent", f"{result.sent:,}", "the exchange has taken them")
    table.add_row("queued", f"{result.queued:,}", "durable; sent once the exchange takes them")
    table.add_row("unchanged", f"{tally.unchanged:,}", "filed before with the same facts")
    for reason, count in sorted(tally.rejected.items()):
        table.add_row(f"rejected: {reason}", f"{count:,}", _ADVICE[reason])
    for reason, count in sorted(result.refused.items()):
        table.add_row(f"refused: {reason}", f"{count:,}", _public(reason))
    OUT.print(table)
    if result.trouble:
        OUT.print(f"not all was sent: {result.trouble}", highlight=False, soft_wrap=True)
    if rejects is not None and (tally.rejected or result.refused):
        OUT.print(f"rejected rows: {rejects}", highlight=False, soft_wrap=True)


def _public(reason: str) -> str:
    return next((spec.message for r, spec in CATALOG.items() if reason_name(r) == reason), "")
