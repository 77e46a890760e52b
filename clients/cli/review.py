"""`concordat review`: a reviewer's or appeal body's queue, one dispute with its evidence, and the ruling."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli import listing_words
from clients.cli.console import (
    CODES,
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    words,
)
from clients.cli.moments import moment
from clients.cli.review_desk import DisputeId, ReviewerFolder, review_desk
from clients.cli.review_events import extend, open_review, strike_out
from clients.cli.review_rule import rule
from clients.cli.review_show import evidence_facts, print_review, review_facts, save_evidence
from concordat import v1
from concordat.clock import from_timestamp

app = typer.Typer(
    help="A reviewer's queue, evidence and rulings.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)


@app.command(epilog=CODES)
def queue(
    trust_bundle: TrustBundle,
    member: ReviewerFolder,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """List the open disputes that are yours to decide, the nearest deadline first; overdue ones in red."""
    with (
        failing("the queue was not obtained", as_json=as_json),
        review_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        reviews = desk.client.list_reviews()
    if as_json:
        echo_json(ok=True, reviews=[summary_facts(review, desk.now) for review in reviews])
    elif reviews:
        console().print(_table(reviews, desk.now))
    else:
        console().print("Nothing waits for your decision.", style="green")


def _table(reviews: list[v1.ReviewSummary], now: datetime) -> Table:
    ids = listing_words.short_forms(review.dispute_id for review in reviews)
    table = Table("dispute", "what", "why", "decide by", "left", "more time taken", "listing")
    for review in reviews:
        facts = summary_facts(review, now)
        table.add_row(
            ids[review.dispute_id],
            facts["stage"],
            facts["ground"],
            facts["due_at"],
            "OVERDUE" if facts["overdue"] else f"{facts['days_left']} days",
            "yes" if review.extended else "",
            review.listing_id.hex(),
            style="bold red" if facts["overdue"] else "",
        )
    return table


def summary_facts(review: v1.ReviewSummary, now: datetime) -> dict[str, Any]:
    """Return the JSON of a dispute in the queue; its keys stay as they are."""
    due = from_timestamp(review.due_at)
    return {
        "dispute_id": review.dispute_id,
        "stage": words(v1.DisputeStage.Name(review.stage), "DISPUTE_STAGE_"),
        "ground": listing_words.ground(review.ground),
        "due_at": moment(review.due_at),
        "days_left": max(0, (due - now).days),
        "overdue": due <= now,
        "extended": review.extended,
        "listing_id": review.listing_id,
        "subject_ref": review.subject_ref,
    }


@app.command(epilog=CODES)
def show(
    dispute: DisputeId,
    trust_bundle: TrustBundle,
    member: ReviewerFolder,
    save: Annotated[
        Path | None,
        typer.Option("--save-evidence", metavar="DIR", help="Write the opened evidence there."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show one dispute: what the subject says, what the sources filed, and the evidence sealed to you.

    Evidence is opened with sealing.key in your folder, and saved under the first digits of its SHA-256.
    """
    with (
        failing("the dispute was not obtained", as_json=as_json),
        review_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        review = desk.client.get_review(desk.find(dispute).dispute_id)
        opened = desk.open_evidence(review)
        saved = save_evidence(opened, save) if save is not None else {}
    evidence = [evidence_facts(each, saved) for each in opened]
    if as_json:
        facts = summary_facts(review.summary, desk.now)
        echo_json(ok=True, **facts, **review_facts(review), evidence=evidence)
    else:
        print_review(console(), review, evidence)


app.command(epilog=CODES)(rule)
app.command(epilog=CODES)(extend)
app.command("open", epilog=CODES)(open_review)
app.command("strike-out", epilog=CODES)(strike_out)
