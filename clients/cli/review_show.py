"""One dispute as its reviewer reads it, and its evidence in files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.cli import listing_words
from clients.cli.console import words
from clients.cli.moments import moment
from clients.formats import day, money
from clients.sdk.errors import ClientError
from clients.sdk.reviews import OpenedEvidence, Review, ShownFiling
from concordat import v1

_NAME_DIGITS = 16


def print_review(console: Console, review: Review, evidence: list[dict[str, Any]]) -> None:
    """Print all of it."""
    console.print(_facts(review))
    console.print(_filings(review))
    if evidence:
        console.print(_evidence(evidence))
    else:
        console.print("No evidence came with it.")


def _facts(review: Review) -> Table:
    summary, standing = review.summary, review.shown.standing
    table = Table(box=None, show_header=False, title="Dispute", title_justify="left")
    rows = [
        ("dispute", summary.dispute_id.hex()),
        ("what", words(v1.DisputeStage.Name(summary.stage), "DISPUTE_STAGE_")),
        ("why", listing_words.ground(summary.ground)),
        ("raised", moment(review.dispute.raised_at) if review.dispute else "of one's own motion"),
        ("signature", f"DOES NOT HOLD: {review.fault}" if review.fault else "holds"),
        ("decide by", moment(summary.due_at)),
        ("more time", "taken" if summary.extended else "not taken"),
        ("subject", summary.subject_ref.hex()),
        ("listing", summary.listing_id.hex()),
        ("stands", f"{listing_words.state(standing.state)}, version {standing.version}"),
        ("ends on", moment(standing.expires_at)),
        ("facts on record", listing_words.facts(review.shown.facts)),
    ]
    if review.ruling is not None:
        ruled = f"{review.ruling.reviewer} {listing_words.outcome(review.ruling.outcome)}"
        rows.append(("appealed", f"{ruled}: {review.ruling.reasons}"))
    for name, value in rows:
        table.add_row(name, value)
    return table


def _filings(review: Review) -> Table:
    table = Table("source", "filed", "what", "evidence it holds (SHA-256)", title="Sources")
    for shown in review.filings:
        filing = shown.filing
        what = Text(
            f"{listing_words.kind(filing.kind)}, from a {listing_words.basis(filing.basis)}: "
        )
        what.append(f"{money(filing.amount)}, ")
        what.append(f"owed since {day(filing.delinquent_since)}")
        if shown.fault:
            what.append(f"\nDOES NOT HOLD: {shown.fault}", style="bold red")
        evidence = filing.evidence_hash.hex()
        table.add_row(filing.source, moment(filing.filed_at), what, evidence)
    return table


def _evidence(evidence: list[dict[str, Any]]) -> Table:
    table = Table(
        "evidence (SHA-256)", "kind", "bytes", "saved as", "", title="The subject's evidence"
    )
    for facts in evidence:
        problem = Text(facts["problem"], style="bold red")
        size = "" if facts["bytes"] is None else f"{facts['bytes']:,}"
        kind, saved = facts["content_type"] or "", facts["saved_as"] or ""
        table.add_row(facts["sha256"] or "?", kind, size, saved, problem)
    return table


def review_facts(review: Review) -> dict[str, Any]:
    """Return the JSON of a dispute beside its place in the queue; its keys stay as they are."""
    shown, ruling = review.shown, review.ruling
    return {
        "raised_at": moment(review.dispute.raised_at) if review.dispute else None,
        "fault": review.fault,
        "state": listing_words.state_name(shown.standing.state),
        "version": shown.standing.version,
        "expires_at": moment(shown.standing.expires_at),
        "currency": shown.facts.amount.currency,
        "amount_minor": shown.facts.amount.minor,
        "delinquent_since": moment(shown.facts.delinquent_since),
        "filings": [_filing_facts(filing) for filing in review.filings],
        "appealed_ruling": {
            "ruling_id": ruling.ruling_id,
            "reviewer": ruling.reviewer,
            "outcome": words(v1.RulingOutcome.Name(ruling.outcome), "RULING_OUTCOME_"),
            "reasons": ruling.reasons,
        }
        if ruling
        else None,
    }


def _filing_facts(shown: ShownFiling) -> dict[str, Any]:
    filing = shown.filing
    return {
        "source": filing.source,
        "filed_at": moment(filing.filed_at),
        "kind": listing_words.kind(filing.kind),
        "basis": listing_words.basis(filing.basis),
        "currency": filing.amount.currency,
        "amount_minor": filing.amount.minor,
        "delinquent_since": moment(filing.delinquent_since),
        "evidence_hash": filing.evidence_hash,
        "holds": not shown.fault,
        "problem": shown.fault,
    }


def evidence_facts(opened: OpenedEvidence, saved: Mapping[bytes, str]) -> dict[str, Any]:
    """Return the JSON of a piece of evidence; its keys stay as they are."""
    evidence = opened.evidence
    return {
        "sha256": evidence.digest.hex() if evidence else None,
        "content_type": evidence.content_type if evidence else None,
        "bytes": len(evidence.content) if evidence else None,
        "saved_as": saved.get(evidence.digest) if evidence else None,
        "problem": opened.fault,
    }


def save_evidence(opened: list[OpenedEvidence], folder: Path) -> dict[bytes, str]:
    """Write what was opened, readable by its owner alone; return the paths by digest.

    A file is named by its content, so writing it again changes nothing. Raises ``ClientError``.
    """
    saved: dict[bytes, str] = {}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in opened:
            if each.evidence is None:
                continue
            name = each.evidence.digest.hex()[:_NAME_DIGITS] + each.evidence.suffix
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(each.evidence.content)
            saved[each.evidence.digest] = str(folder / name)
    except OSError as error:
        raise ClientError(f"cannot write into {folder}: {error.strerror}") from error
    return saved
