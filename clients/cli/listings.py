"""`concordat listings`: what a lender does: check one subject, screen a portfolio, heed what is recalled."""

from pathlib import Path
from typing import Annotated, Any

import typer

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
from clients.cli.lender_render import flags_facts, listings_facts, print_told
from clients.cli.listings_retractions import retractions
from clients.cli.listings_screen import screen
from clients.cli.moments import moment
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
    print_told(
        console(),
        answer.listings if answer.HasField("listings") else None,
        answer.flags if answer.HasField("flags") else None,
    )
    digest = checked.verified.signed.digest.hex()
    console().print(f"Verified: the exchange's own answer, on record in the log. Answer {digest}.")
    console().print(f"Delete it by {moment(answer.delete_by)}.")


def _facts(checked: ListingCheck) -> dict[str, Any]:
    """Return the JSON of an answer; its keys stay as they are."""
    answer = checked.answer
    return {
        "subject_ref": answer.subject_ref,
        "purpose": words(v1.Purpose.Name(answer.purpose), "PURPOSE_"),
        "listings": listings_facts(answer),
        "flags": flags_facts(answer),
        "answer_id": answer.answer_id,
        "answer_digest": checked.verified.signed.digest,
        "access_id": answer.access_id,
        "log_index": checked.verified.release.index,
        "issued_at": moment(answer.issued_at),
        "delete_by": moment(answer.delete_by),
    }


app.command(epilog=CODES)(screen)
app.command(epilog=CODES)(retractions)
