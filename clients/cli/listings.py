"""`concordat listings`: what a lender does: check one subject, screen a portfolio, heed what is recalled."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from clients.cli.console import (
    CODES,
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
from clients.cli.listing_json import in_view_facts
from clients.cli.listings_retractions import retractions
from clients.cli.listings_screen import screen
from clients.cli.render import moment
from clients.sdk.client import LenderClient
from clients.sdk.identity import load_identity
from clients.sdk.listing_checks import ListingCheck
from clients.sdk.permission_file import load_permission
from concordat import v1
from concordat.federation.anchors import load_anchors

app = typer.Typer(
    help="Check one subject's listings, screen a portfolio, heed what is recalled.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)


@app.command(epilog=CODES)
def check(
    trust_bundle: TrustBundle,
    member: LenderFolder,
    consent: Annotated[Path, typer.Option(help="What the subject handed over (.consent).")],
    out: Annotated[Path | None, typer.Option(help="Write the signed answer here (.env).")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, max=300, help="Time to answer in.")] = 10.0,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for one subject's listings in force and flags, as its consent allows, and verify the answer.

    Nothing is shown alike for a subject who was never listed and for one whose listings are announced,
    disputed, withdrawn or ended.
    """
    with failing("the listings were not obtained", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        permission = load_permission(consent)
        with LenderClient(anchors, identity) as client:
            checked = client.check_listings(permission, seconds=seconds)
        if out is not None:
            out.write_bytes(checked.response.answer.SerializeToString())
    if as_json:
        echo_json(ok=True, **_facts(checked), out=str(out) if out else None)
        return
    answer = checked.answer
    if answer.HasField("listings"):
        _print_listings(answer.listings)
    if answer.HasField("flags"):
        _print_flags(answer.flags)
    digest = checked.verified.signed.digest.hex()
    console().print(f"Verified: the exchange's own answer, on record in the log. Answer {digest}.")
    console().print(f"Delete it by {moment(answer.delete_by)}.")


def _print_listings(listings: v1.ListingsInForce) -> None:
    if not listings.listings:
        console().print("No listing in force.", style="green")
        return
    console().print(listings_table(listings))


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


def _print_flags(flags: v1.SubjectFlags) -> None:
    if flags.frozen:
        console().print("FROZEN by its subject.", style="bold yellow")
    if flags.fraud_alert:
        console().print("FRAUD ALERT: check with the subject first.", style="bold yellow")
    if not (flags.frozen or flags.fraud_alert):
        console().print("No freeze and no fraud alert.", style="green")


def _facts(checked: ListingCheck) -> dict[str, Any]:
    """Return the JSON of an answer; its keys stay as they are."""
    answer = checked.answer
    listed = [in_view_facts(shown) for shown in answer.listings.listings]
    flags = {"frozen": answer.flags.frozen, "fraud_alert": answer.flags.fraud_alert}
    return {
        "subject_ref": answer.subject_ref,
        "purpose": words(v1.Purpose.Name(answer.purpose), "PURPOSE_"),
        "listings": listed if answer.HasField("listings") else None,
        "flags": flags if answer.HasField("flags") else None,
        "answer_id": answer.answer_id,
        "answer_digest": checked.verified.signed.digest,
        "access_id": answer.access_id,
        "log_index": checked.verified.release.index,
        "issued_at": moment(answer.issued_at),
        "delete_by": moment(answer.delete_by),
    }


app.command(epilog=CODES)(screen)
app.command(epilog=CODES)(retractions)
