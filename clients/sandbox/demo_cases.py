"""The demo's case: a regulator looks one borrower up, the borrower is told, and another has its records erased."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from clients.cli.wallet_erase import what, why
from clients.sandbox import cast
from clients.sandbox.federation import Sandbox
from clients.sandbox.people import Person
from clients.sandbox.processes import SandboxError
from clients.sdk import RemoteError
from clients.sdk.cases import CaseProposal, approve_case, propose_case
from clients.sdk.cases_custody import CollectedNotice, collect_notices
from clients.sdk.cases_notices import read_notices
from concordat import v1
from concordat.clock import from_timestamp
from concordat.rpc.errors import name_of
from concordat.v1 import CaseScope, Reason

ARTICLE, REFERENCE = "Order 631 art. 33", "FR-2026/0042"
EMBARGO = timedelta(seconds=4)  # of the notice; a real one is days
PATIENCE = 20.0  # seconds
SCOPE = CaseScope.CASE_SCOPE_ACCESSES


def proposed(sandbox: Sandbox, person: Person, embargo: timedelta) -> v1.Envelope:
    """Return a case of the sandbox's regulator, unsigned as yet; ``embargo`` holds its notice back."""
    now = datetime.now(UTC)
    proposal = CaseProposal(
        subject_ref=person.subject_ref,
        legal_article=ARTICLE,
        case_reference=REFERENCE,
        scopes=[SCOPE],
        ends_at=now + timedelta(days=30),
        notice_at=now + embargo,
    )
    return propose_case(proposal, cast.REGULATOR, sandbox.anchors.federation, now)


def look_up(console: Console, sandbox: Sandbox, person: Person) -> dict[str, Any]:
    """Look a borrower up in a case, with one approver (refused) and with two; return what was shown.

    Raises ``SandboxError`` where the first is let in.
    """
    case = proposed(sandbox, person, EMBARGO)
    first, second, _ = sandbox.approvers()
    supervisor = sandbox.supervisor()
    approve_case(case, first)
    try:
        supervisor.look_up(case, SCOPE)
    except RemoteError as refused:
        if refused.reason != Reason.REASON_CASE_NOT_APPROVED:
            raise
        _say(console, f"with one approver: [red]{name_of(refused.reason)}[/]: {refused.message}")
    else:
        raise SandboxError("a case with one approver was let in")
    approve_case(case, second)
    answered = supervisor.look_up(case, SCOPE)
    seen = len(answered.page.accesses)
    _say(
        console,
        f"with two: {seen} accesses of one person, under {ARTICLE}, case {REFERENCE}; entry "
        f"{answered.entry_index} of the log is sealed, and {cast.REGULATOR} can't keep it so",
    )
    return {"accesses": seen, "entry": answered.entry_index}


def notice(console: Console, sandbox: Sandbox, person: Person) -> dict[str, Any]:
    """Wait until the borrower is told, and have the custodians tell it too, without the exchange.

    Raises ``SandboxError`` where no notice comes, or the custodians' is another.
    """
    told = _told(sandbox, person)
    given = collect_notices(person.key, sandbox.anchors, datetime.now(UTC)).notices
    table = Table("told by", "looked", "who", "under", "case", "log entry", "what came of it")
    for each in (*told, *given):
        said = each.notice
        table.add_row(
            " and ".join(each.custodians) or cast.EXCHANGE,
            f"{from_timestamp(said.looked_at):%H:%M:%S}",
            said.regulator,
            said.legal_article,
            said.case_reference,
            str(each.logged.index),
            name_of(said.refusal) if said.refusal else "answered",
        )
    console.print(table)
    answered = {each.record_id for each in told if not each.notice.refusal}
    if {each.record_id for each in given} != answered or not all(e.custodians for e in given):
        raise SandboxError("the custodians do not hold the notice that the exchange gave")
    return {"told": len(told), "by_custodians": len(given)}


def _told(sandbox: Sandbox, person: Person) -> list[CollectedNotice]:
    """Return the two notices, of the attempt and the look-up, as soon as the exchange has delivered both."""
    deadline = time.monotonic() + PATIENCE
    wallet = sandbox.wallet_of(person)
    while time.monotonic() < deadline:
        now = datetime.now(UTC)
        exchange = person.client.book.directory.require(cast.EXCHANGE, now)
        read = read_notices(wallet.inbox(), exchange, sandbox.anchors, person.subject_ref)
        if read.faults:
            raise SandboxError(f"a notice does not hold: {'; '.join(read.faults)}")
        if len(read.notices) == 2:  # noqa: PLR2004 - the attempt, and the look-up
            return read.notices
        time.sleep(0.2)
    raise SandboxError("the exchange did not tell the borrower of the look-up")


def erase(console: Console, person: Person) -> dict[str, Any]:
    """Have a borrower's records erased; return what went and what is kept."""
    outcome = person.client.erase(person.key)
    table = Table("", "how many", "what", "why it is kept")
    table.columns[1].justify = "right"
    for item in outcome.gone:
        table.add_row("[green]gone[/]", str(item.count), what(item), "")
    for item in outcome.kept:
        table.add_row("kept", str(item.count), what(item), why(item))
    console.print(table)
    return {
        "gone": sum(item.count for item in outcome.gone),
        "kept": sum(item.count for item in outcome.kept),
    }


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)
