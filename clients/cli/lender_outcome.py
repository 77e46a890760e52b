"""`concordat lender outcome`: what was decided after an access, for one or a file of many; and what is owed."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import (
    CODES,
    Exit,
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
    words,
)
from clients.cli.lender_options import LenderFolder
from clients.cli.moments import moment
from clients.sdk.client import LenderClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import load_identity
from clients.sdk.outcome_events import Decision, OutcomeRefused, OutcomeReport, event_of
from clients.sdk.outcome_events_file import (
    COLUMNS,
    OUTCOMES,
    REASONS,
    REVIEWERS,
    Line,
    outcome_named,
    read_decisions,
    reason_named,
    reviewer_named,
)
from concordat import v1
from concordat.clock import Clock, from_timestamp
from concordat.federation.anchors import Anchors, load_anchors
from concordat.rpc.errors import name_of
from concordat.statements import digest_of
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import ReviewerRole
from concordat.verify.bundle import parse_bundle
from concordat.verify.view import verify_view_bundle

app = typer.Typer(
    help="Say what was decided after an access, and list what is owed.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
Handed = tuple[Line, OutcomeReport | None]


@app.command(epilog=CODES)
def report(
    trust_bundle: TrustBundle,
    member: LenderFolder,
    view: Annotated[
        Path | None, typer.Option(help="The view that was decided with (.cbundle).")
    ] = None,
    outcome: Annotated[str, typer.Option(help=f"One of {', '.join(OUTCOMES)}.")] = "",
    reason: Annotated[
        list[str] | None,
        typer.Option(help=f"Of what was not granted, up to four: {', '.join(REASONS)}."),
    ] = None,
    reviewer: Annotated[
        str, typer.Option(help=f"Who reviewed it, if a person did: {', '.join(REVIEWERS)}.")
    ] = "",
    decided_at: Annotated[
        datetime | None,
        typer.Option("--decided-at", parser=datetime.fromisoformat, help="Else: now."),
    ] = None,
    sequence: Annotated[
        int, typer.Option(min=1, help="Above the one before, to replace what you said.")
    ] = 1,
    file: Annotated[
        Path | None, typer.Option(help=f"Many: CSV with the columns {','.join(COLUMNS)}.")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Write the lines of --file that did not pass here.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Say what you decided after an access: of one --view, or of many in a --file.

    It is due within 30 days, and the person concerned is shown it with its reasons. No automatic decision may
    refuse alone: name the role of whoever reviewed it. Lines of a file that do not pass hold up no others; the
    command then exits with 1.
    """
    with failing("the outcomes were not reported", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        if (view is None) == (file is None):
            raise ClientError("name one view, or a file of many: --view or --file")
        if view is not None:
            when = decided_at or Clock().now()
            lines = [_of_view(view, anchors, outcome, reason or [], reviewer, when, sequence)]
        else:
            assert file is not None  # noqa: S101 - asked above
            lines = read_decisions(file)
        checked = [_checked(line, identity, anchors) for line in lines]
        good = [line.decision for line in checked if line.decision is not None]
        with LenderClient(anchors, identity) as client:
            done = iter(client.report_outcome_events(good))
        handed = [(line, next(done) if line.decision else None) for line in checked]
        failed = [each for each in handed if _error(each)]
        if rejects is not None:
            _write_rejects(rejects, failed)
    _tell(handed, as_json=as_json)
    if failed:
        raise typer.Exit(Exit.REFUSED)


def _of_view(
    path: Path,
    anchors: Anchors,
    outcome: str,
    reasons: Sequence[str],
    reviewer: str,
    when: datetime,
    sequence: int,
) -> Line:
    bundle = parse_bundle(path.read_bytes())
    view = verify_view_bundle(bundle, anchors).view
    try:
        decision = Decision(
            view.receipt.access_id,
            view.subject_ref,
            digest_of(bundle.view),
            outcome_named(outcome),
            when.astimezone(),
            [reason_named(name) for name in reasons],
            reviewer_named(reviewer) if reviewer else ReviewerRole.REVIEWER_ROLE_UNSPECIFIED,
            sequence,
        )
    except ValueError as error:
        raise ClientError(str(error)) from error
    return Line(0, {"access_id": decision.access_id.hex()}, decision)


def _checked(line: Line, identity: Any, anchors: Anchors) -> Line:
    """Return a line, without its decision where that breaks a bound: nothing of it is sent then."""
    if line.decision is None:
        return line
    try:
        validate(event_of(identity, anchors.federation, line.decision))
    except StatementMalformedError as error:
        return Line(line.number, line.cells, None, str(error))
    return line


def _error(handed: Handed) -> str:
    line, done = handed
    if done is None:
        return line.error
    return str(done.result) if isinstance(done.result, OutcomeRefused) else ""


def _write_rejects(path: Path, failed: Sequence[Handed]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "error"])
        for each in failed:
            writer.writerow([*(each[0].cells.get(name, "") for name in COLUMNS), _error(each)])


def _tell(handed: Sequence[Handed], *, as_json: bool) -> None:
    failed = [each for each in handed if _error(each)]
    if as_json:
        facts = [_facts(each) for each in handed]
        echo_json(ok=not failed, reported=len(handed) - len(failed), outcomes=facts)
        return
    for each in failed:
        place = f"line {each[0].number}: " if each[0].number else ""
        console().print(f"{place}{_error(each)}", style="red")
    unreviewed = sum(_taken(each).unreviewed for each in handed)
    console().print(f"On record: {len(handed) - len(failed)}; not: {len(failed)}.")
    if unreviewed:
        console().print(
            f"{unreviewed} not granted, with no person's review: that is flagged, and the person is told.",
            style="yellow",
        )


def _taken(handed: Handed) -> v1.OutcomeTaken:
    result = handed[1].result if handed[1] is not None else None
    return result if isinstance(result, v1.OutcomeTaken) else v1.OutcomeTaken()


def _facts(handed: Handed) -> dict[str, Any]:
    """Return the JSON of one; its keys stay as they are."""
    line, done = handed
    result = done.result if done is not None else None
    refused = name_of(result.reason) if isinstance(result, OutcomeRefused) else None
    return {
        "line": line.number or None,
        "access_id": line.cells.get("access_id", ""),
        "replaced": _taken(handed).replaced,
        "unreviewed": _taken(handed).unreviewed,
        "reason": refused,
        "error": _error(handed) or None,
    }


@app.command(epilog=CODES)
def due(
    trust_bundle: TrustBundle,
    member: LenderFolder,
    out: Annotated[
        Path | None, typer.Option(help="Write them here as CSV, to be filled in for --file.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """List accesses of 20 days ago and more whose outcome you have not told, the oldest first.

    Those of more than 30 days ago are overdue: the persons concerned and the regulator see that.
    """
    with failing("what is due was not listed", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        with LenderClient(anchors, identity) as client:
            owed = client.outcomes_due()
        if out is not None:
            _write_due(out, owed)
    now = Clock().now()
    if as_json:
        echo_json(ok=True, due=[_due_facts(each, now) for each in owed])
    elif not owed:
        console().print("No outcome is owed.", style="green")
    else:
        console().print(_due_table(owed, now))


def _write_due(path: Path, owed: Sequence[v1.OutcomeDue]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for each in owed:
            ids = (each.access_id.hex(), each.subject_ref.hex(), each.answer_digest.hex())
            writer.writerow([*ids, *[""] * (len(COLUMNS) - len(ids))])


def _due_table(owed: Sequence[v1.OutcomeDue], now: datetime) -> Table:
    table = Table("access", "for", "asked", "due by")
    for each in owed:
        facts = _due_facts(each, now)
        style = "bold red" if facts["overdue"] else ""
        cells = (each.access_id.hex(), facts["purpose"], facts["accessed_at"], facts["due_by"])
        table.add_row(*cells, style=style)
    return table


def _due_facts(each: v1.OutcomeDue, now: datetime) -> dict[str, Any]:
    """Return the JSON of one; its keys stay as they are."""
    return {
        "access_id": each.access_id,
        "subject_ref": each.subject_ref,
        "answer_digest": each.answer_digest,
        "purpose": words(v1.Purpose.Name(each.purpose), "PURPOSE_"),
        "accessed_at": moment(each.accessed_at),
        "due_by": moment(each.due_by),
        "overdue": from_timestamp(each.due_by) <= now,
    }
