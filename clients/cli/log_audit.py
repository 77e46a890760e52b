"""`concordat log audit`: check every entry and every tile of a log, up to its signed checkpoint."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.auditor.audit import AuditOptions, AuditReport
from clients.auditor.audit import audit as audit_log
from clients.auditor.source import open_source
from clients.cli.console import Exit, JsonOption, console, echo_json, fail
from clients.cli.log_options import (
    Bundle,
    Evidence,
    LogKey,
    Quorum,
    Source,
    Witness,
    auditing,
    checkpoint_facts,
    from_seconds,
    whose_log,
)
from clients.cli.log_progress import shown


def audit(
    source: Source = None,
    trust_bundle: Bundle = None,
    log_key: LogKey = None,
    witness: Witness = None,
    quorum: Quorum = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Keep here how far the audit came, and go on from there next time. "
            "Record ids stand in FILE.ids, 16 bytes an entry."
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(min=0, max=256, help="Processes that check entries; 0 for what makes sense."),
    ] = 0,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Leave out that no record id repeats, which takes memory."),
    ] = False,
    evidence: Evidence = None,
    as_json: JsonOption = False,
) -> None:
    """Check a log: checkpoint, entries, bundles, tiles of every level, and the root.

    Each entry must be a well-formed LogEntry, no earlier than the one ahead of it. Each sealed entry of a case
    look-up must have been opened to its subject within 180 days, or the command ends with 1.

    No record id may stand in two entries: to tell, all are held, some 50 bytes of memory an entry.
    """
    with auditing("the audit did not pass", evidence=evidence, as_json=as_json):
        whose = whose_log(trust_bundle, log_key, witness, quorum)
        options = AuditOptions(state=state, quick=quick, jobs=jobs)
        began = time.monotonic()
        with open_source(whose.source(source)) as log, shown("Auditing") as progress:
            report = audit_log(log, whose.trust, options, progress)
    facts = _facts(report, time.monotonic() - began)
    if report.overdue:
        fail(
            "somebody was not told of a case look-up in time",
            Exit.REFUSED,
            "CASE_NOTICE_OVERDUE",
            f"{report.overdue} sealed entries are over 180 days old and were not opened: show that to the "
            "regulator's supervisor; their subjects can collect from the witnesses",
            as_json=as_json,
            **facts,
        )
    if as_json:
        echo_json(ok=True, **facts)
        return
    console().print(_table(facts))
    console().print("ok: the log is what its checkpoint says", style="green")


def _facts(report: AuditReport, seconds: float) -> dict[str, Any]:
    """Return the JSON of an audit; its keys stay as they are."""
    return {
        **checkpoint_facts(report.checkpoint),
        "kinds": dict(sorted(report.kinds.items())),
        "first_logged_at": from_seconds(report.first_at / 1e9) if report.checkpoint.size else None,
        "last_logged_at": from_seconds(report.last_at / 1e9) if report.checkpoint.size else None,
        "audited": report.audited,
        "record_ids_unique": True if report.unique else None,
        "case_notices_overdue": report.overdue,
        "seconds": round(seconds, 3),
        "entries_a_second": round(report.audited / seconds) if seconds else None,
    }


def _table(facts: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, title="Audit", title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    names = ", ".join(each["name"] for each in facts["witnesses"])
    table.add_row("log", facts["origin"])
    table.add_row("size", f"{facts['size']:,} entries")
    table.add_row("root", facts["root"])
    for kind, count in facts["kinds"].items():
        table.add_row(f"  {kind}", f"{count:,}")
    if facts["size"]:
        table.add_row("logged", f"{facts['first_logged_at']} to {facts['last_logged_at']}")
    table.add_row("witnesses", names or "none")
    table.add_row("record ids", "no two alike" if facts["record_ids_unique"] else "not compared")
    table.add_row(
        "audited now", f"{facts['audited']:,} entries, {facts['entries_a_second']:,} a second"
    )
    return table
