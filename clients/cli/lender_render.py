"""What a lender is told of listings and flags, for people and for programs."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.cli.listing_json import in_view_facts
from concordat import v1


def print_told(
    console: Console, listings: v1.ListingsInForce | None, flags: v1.SubjectFlags | None
) -> None:
    """Print what the consent covers of the two; None for what it does not."""
    if listings is not None:
        _print_listings(console, listings)
    if flags is not None:
        _print_flags(console, flags)


def _print_listings(console: Console, listings: v1.ListingsInForce) -> None:
    if not listings.listings:
        console.print("No listing in force.", style="green")
        return
    console.print(listings_table(listings))


def listings_table(listings: v1.ListingsInForce) -> Table:
    """Return what a lender is told, a line a listing, with the subject's own words."""
    table = Table(
        "", "what", "from a", "how large", "stands", "owed since", "in force", "shown until"
    )
    table.add_column("the subject says")
    for place, shown in enumerate(listings.listings):
        facts = in_view_facts(shown)
        table.add_row(
            str(place),
            facts["kind"],
            facts["basis"],
            facts["band"],
            facts["mark"],
            facts["delinquent_since"],
            f"since {facts['effective_since']}",
            facts["expires_at"],
            Text(shown.words.text),
        )
    return table


def _print_flags(console: Console, flags: v1.SubjectFlags) -> None:
    if flags.frozen:
        console.print("FROZEN by its subject.", style="bold yellow")
    if flags.fraud_alert:
        console.print("FRAUD ALERT: check with the subject first.", style="bold yellow")
    if not (flags.frozen or flags.fraud_alert):
        console.print("No freeze and no fraud alert.", style="green")


def listings_facts(answer: v1.ListingAnswer | v1.View) -> list[dict[str, Any]] | None:
    """Return the JSON of the listings of an answer; None where the consent does not cover them."""
    if not answer.HasField("listings"):
        return None
    return [in_view_facts(shown) for shown in answer.listings.listings]


def flags_facts(answer: v1.ListingAnswer | v1.View) -> dict[str, bool] | None:
    """Return the JSON of the flags of an answer; None where the consent does not cover them."""
    if not answer.HasField("flags"):
        return None
    return {"frozen": answer.flags.frozen, "fraud_alert": answer.flags.fraud_alert}
