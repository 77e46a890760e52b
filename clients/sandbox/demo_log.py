"""The demo's look at the log: what the borrower sees, and what an auditor makes of all of it."""

import shutil
from pathlib import Path

from rich.console import Console
from rich.panel import Panel

from clients.auditor.audit import AuditOptions, audit
from clients.auditor.policy import LogTrust
from clients.auditor.source import open_source
from clients.cli.wallet_accesses import accesses_table
from clients.sandbox.demo_offline import TRUST_BUNDLE
from clients.sandbox.federation import Sandbox
from clients.sandbox.people import Person
from clients.sandbox.processes import SandboxError
from clients.sdk import LenderView
from concordat.federation.anchors import load_anchors

LOG = "log"


def show_accesses(console: Console, sandbox: Sandbox, person: Person, view: LenderView) -> None:
    """Show a borrower who looked, and that what the lender holds is among it."""
    receipts = [view.bundle.intent, view.bundle.release]
    listed = sandbox.wallet().list_accesses(person.key, receipts=receipts)
    if listed.receipts_found != len(receipts):
        raise SandboxError("the lender's receipts are not among the borrower's entries")
    console.print(accesses_table(listed.entries))
    seen = ", ".join(cosignature.name for cosignature in listed.checkpoint.cosignatures)
    console.print(
        f"{len(listed.entries)} entries, none missing, the lender's two receipts among them; "
        f"each is proved to be in the log that this checkpoint signs, cosigned by {seen}:",
        highlight=False,
        soft_wrap=True,
    )
    note = listed.checkpoint.note.decode()
    console.print(Panel(note.rstrip(), title="checkpoint"), highlight=False)


def leave_log(sandbox: Sandbox, out: Path) -> None:
    """Copy the log's files, as any web server could serve them."""
    shutil.rmtree(out / LOG, ignore_errors=True)
    shutil.copytree(sandbox.log_folder, out / LOG)


def audit_all(console: Console, out: Path) -> None:
    """Audit the whole log from the files that were left, with nothing running."""
    trust = LogTrust.of(load_anchors(out / TRUST_BUNDLE))
    report = audit(open_source(str(out / LOG)), trust, AuditOptions())
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.kinds.items()))
    console.print(
        f"{report.audited} entries audited, up to the root that the log signed: {kinds}",
        style="green",
        highlight=False,
        soft_wrap=True,
    )
