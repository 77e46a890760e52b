"""One listing, with everything that happened to it, for people to read."""

from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.cli import listing_words
from clients.cli.moments import moment
from clients.formats import day
from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import ListingState
from concordat.verify.listing_history import CheckedListing

_ENDED = {
    ListingState.LISTING_STATE_WITHDRAWN,
    ListingState.LISTING_STATE_REPAIRED,
    ListingState.LISTING_STATE_EXPIRED,
}
_DISPUTED = {
    ListingState.LISTING_STATE_CONTESTED,
    ListingState.LISTING_STATE_UNDER_REVIEW,
    ListingState.LISTING_STATE_APPEAL,
}


def next_step(own: v1.OwnListing) -> str:
    """Return what its subject can do now, or waits for."""
    if own.state in _ENDED:
        return ""
    if own.state in _DISPUTED:
        return f"wait: decided by {day(own.decide_by)}"
    steps = []
    if own.HasField("appeal_until"):
        steps.append(f"wallet appeal, before {day(own.appeal_until)}")
    match own.state:
        case ListingState.LISTING_STATE_DRAFT:
            steps.append("wallet inbox: read the notice")
        case ListingState.LISTING_STATE_NOTICED:
            before = f", before {day(own.effective_from)}"
            steps.append(f"wallet contest{before if own.HasField('effective_from') else ''}")
        case ListingState.LISTING_STATE_EFFECTIVE:
            steps.append("wallet dispute, or wallet settle")
        case ListingState.LISTING_STATE_SETTLED:
            steps.append("wallet dispute")
    return "; ".join(steps)


def until(own: v1.OwnListing) -> str:
    """Return the day on which a listing ends, whatever happens; empty once it has ended."""
    return "" if own.state in _ENDED else day(own.expires_at)


def print_listing(console: Console, checked: CheckedListing, now: datetime) -> None:
    """Print all of it."""
    console.print(_facts(checked.listing, now))
    console.print(_steps(checked))
    if checked.listing.recipients:
        console.print(_recipients(checked.listing))
    if not checked.problems:
        console.print("Every step is signed by whoever is said to have taken it.", style="green")


def _facts(own: v1.OwnListing, now: datetime) -> Table:
    table = Table(box=None, show_header=False, title="Listing", title_justify="left")
    for name, value in _rows(own, now):
        if value:
            table.add_row(name, value)
    return table


def _rows(own: v1.OwnListing, now: datetime) -> list[tuple[str, str]]:
    kind = f"{listing_words.kind(own.kind)}, from a {listing_words.basis(own.basis)}"
    times = [
        ("notice reached you", "noticed_at"),
        ("in force no earlier than", "effective_from"),
        ("in force since", "effective_at"),
        ("settled on", "settled_at"),
        ("dispute decided by", "decide_by"),
        ("appeal before", "appeal_until"),
        ("ends on", "expires_at"),
    ]
    return [
        ("listing", own.listing_id.hex()),
        ("stands", listing_words.state(own.state)),
        ("lenders see", _seen(own)),
        ("what", kind),
        ("from", ", ".join(own.sources) or "nobody any more"),
        ("facts on record", listing_words.facts(own.facts)),
        ("evidence", own.facts.evidence_hash.hex()),
        *((name, _time(own, field, now)) for name, field in times),
        ("your own words", own.words.text),
        ("dispute", own.dispute_id.hex()),
        ("last ruling", own.ruling_id.hex()),
        ("version", str(own.version)),
        ("next", next_step(own)),
    ]


def _seen(own: v1.OwnListing) -> str:
    if not own.HasField("shown"):
        return "nothing"
    shown = own.shown
    band = v1.AmountBand.Name(shown.band).removeprefix("AMOUNT_BAND_").lower().replace("_", " ")
    words = " and your own words" if shown.HasField("words") else ""
    return (
        f"with your consent: {listing_words.mark(shown.mark)}, a {band} amount{words}, "
        f"until {day(shown.expires_at)}"
    )


def _time(own: v1.OwnListing, field: str, now: datetime) -> str:
    if not own.HasField(field):  # type: ignore[arg-type]  # a name of the list above
        return ""
    at = from_timestamp(getattr(own, field))
    days = (at - now).days
    left = f" (in {days + 1} days)" if at > now else ""
    return moment(getattr(own, field)) + left


def _steps(checked: CheckedListing) -> Table:
    table = Table("", "when", "who", "what", "then", title="What happened", title_justify="left")
    for step in checked.steps:
        what = Text(
            listing_words.statement(step.statement) if step.statement else "nobody can read it"
        )
        if step.fault:
            what.append(f"\nDOES NOT HOLD: {step.fault}", style="bold red")
        table.add_row(
            str(step.step.sequence),
            moment(step.step.at),
            (step.who or "you") if step.statement else "?",
            what,
            listing_words.state(step.step.state),
        )
    return table


def _recipients(own: v1.OwnListing) -> Table:
    table = Table("lender", "was told", "recalled", "acknowledged", title="Who was told")
    for told in own.recipients:
        acknowledged = moment(told.acknowledged_at) if told.HasField("acknowledged_at") else ""
        table.add_row(
            told.lender, moment(told.told_at), "yes" if told.recalled else "", acknowledged
        )
    return table
