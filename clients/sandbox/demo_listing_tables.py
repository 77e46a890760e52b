"""The tables of the demo's story of a listing, from plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table

from clients.cli import listing_words
from clients.cli.console import words
from clients.cli.moments import moment
from clients.sdk import RemoteError
from clients.sdk.reviews import Review
from concordat import v1
from concordat.federation.evidence import Evidence
from concordat.rpc.errors import name_of

# What names the one ask that an answer is to; the rest is what the lender is told.
_OF_ONE_ASK: Final = (
    "answer_id",
    "request_digest",
    "consent_digest",
    "access_id",
    "issued_at",
    "delete_by",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the listing stood at one moment, and whether a lender with consent was told of it then."""

    what: str
    state: v1.ListingState.ValueType
    shown: bool


def as_told(answer: v1.ListingAnswer) -> bytes:
    """Return the bytes of an answer without what names the one ask that it is to."""
    bare = v1.ListingAnswer()
    bare.CopyFrom(answer)
    for name in _OF_ONE_ASK:
        bare.ClearField(name)
    return bare.SerializeToString(deterministic=True)


def standings(noted: Sequence[Standing]) -> Table:
    """Return what the borrower and a lender were told, moment by moment."""
    table = Table("what happened", "the borrower sees", "a lender with consent sees")
    for each in noted:
        seen = "the listing" if each.shown else "nothing, as of anybody who was never listed"
        table.add_row(each.what, listing_words.state(each.state), seen)
    return table


def review(shown: Review, evidence: Evidence, told: str) -> Table:
    """Return a dispute as its reviewer reads it, and what the borrower is told of the ruling."""
    table = Table(
        box=None, show_header=False, title="What the reviewer reads", title_justify="left"
    )
    (source,) = shown.filings
    filed = f"{source.filing.source}: {listing_words.facts(shown.shown.facts)}"
    table.add_row("filed by", filed)
    table.add_row("contested", listing_words.ground(shown.summary.ground))
    table.add_row("decide by", moment(shown.summary.due_at))
    table.add_row("evidence, sealed to it alone", evidence.content.decode())
    table.add_row("the borrower is told", told.strip())
    return table


def refused(attempt: str, refusal: RemoteError) -> Table:
    """Return one refusal."""
    table = Table("tried", "reason", "message")
    table.add_row(attempt, f"[red]{name_of(refusal.reason)}[/]", refusal.message)
    return table


def retractions(recalled: Sequence[v1.Retraction]) -> Table:
    """Return what the exchange recalled of what it told the lender."""
    table = Table(
        "recalled",
        "of the answer",
        "at",
        title="Signed retractions, each acknowledged by the lender",
        title_justify="left",
    )
    for said in recalled:
        cause = words(v1.RetractionCause.Name(said.cause), "RETRACTION_CAUSE_")
        table.add_row(cause, f"{said.answer_digest.hex()[:16]}…", moment(said.issued_at))
    return table
