"""`concordat wallet outcomes`: what lenders decided after they looked at your data, why, and who reviewed it."""

from datetime import datetime
from typing import Any

from rich.table import Table

from clients.cli.console import JsonOption, console, echo_json, failing, read_passphrase, words
from clients.cli.moments import moment
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.sdk import outcome_events_words as said
from clients.sdk.client import WalletClient
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.clock import Clock, from_timestamp


def outcomes(
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show what lenders decided after they looked at your data, the reasons, and whether a person reviewed it.

    A lender that decides on credit, a surety or a deposit has to say within 30 days what it decided. Who did not
    is overdue. Of what was not granted you may ask that a person looks at it. It is taken from your whole report,
    and that you looked stands among your accesses.
    """
    with failing("the outcomes were not obtained", as_json=as_json):
        held = WalletFolder.open(wallet, read_passphrase(passphrase_file))
        with held.locked(), WalletClient(held.anchors) as client:
            report = client.report(held.key()).report
    now = Clock().now()
    if as_json:
        echo_json(ok=True, outcomes=[outcome_facts(each, now) for each in report.outcomes])
    elif not report.outcomes:
        console().print("No lender has anything to say: none looked at your data to decide.")
    else:
        console().print(outcomes_table(report, now))


def outcomes_table(report: v1.SubjectReport, at: datetime) -> Table:
    """Return a line an access, for people to read."""
    table = Table("who", "decided", "why", "reviewed", "due by", "access")
    for each in report.outcomes:
        event = said.event_in(each)
        table.add_row(
            each.lender,
            said.standing(each, at),
            said.why(event) if event is not None else "",
            said.review(event) if event is not None else "",
            moment(each.due_by) if each.HasField("due_by") else "",
            each.access_id.hex(),
        )
    return table


def outcome_facts(outcome: v1.ReportedOutcome, at: datetime) -> dict[str, Any]:
    """Return the JSON of one access's outcome; its keys stay as they are."""
    event = said.event_in(outcome)
    due = outcome.HasField("due_by")
    return {
        "access_id": outcome.access_id,
        "lender": outcome.lender,
        "due_by": moment(outcome.due_by) if due else None,
        "overdue": event is None and due and from_timestamp(outcome.due_by) <= at,
        "outcome": event and words(v1.OutcomeKind.Name(event.outcome), "OUTCOME_KIND_"),
        "reasons": [
            words(v1.DecisionReason.Name(reason), "DECISION_REASON_") for reason in event.reasons
        ]
        if event is not None
        else [],
        "reviewed_by_person": event.reviewed_by_person if event is not None else None,
        "reviewer": words(v1.ReviewerRole.Name(event.reviewer_role), "REVIEWER_ROLE_")
        if event is not None and event.reviewed_by_person
        else None,
        "decided_at": moment(event.decided_at) if event is not None else None,
    }
