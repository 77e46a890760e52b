"""`concordat review extend`, `open` and `strike-out`: what a reviewer does beside ruling."""

from typing import Annotated, cast

import typer

from clients.cli import listing_words
from clients.cli.console import JsonOption, PassphraseFile, TrustBundle, console, echo_json, failing
from clients.cli.moments import moment
from clients.cli.review_desk import DisputeId, ReviewerFolder, exactly, review_desk
from clients.cli.wallet_dispute import Ground
from clients.sdk.review_statements import make_extension, make_opening, make_strike_out
from concordat import v1

ListingId = Annotated[str, typer.Argument(metavar="LISTING", help="The listing's id, 32 digits.")]
SubjectRef = Annotated[
    str, typer.Option("--subject", help="The subject's reference, 64 digits, as the case names it.")
]


def extend(
    dispute: DisputeId,
    trust_bundle: TrustBundle,
    member: ReviewerFolder,
    reasons: Annotated[str, typer.Option(help="Why, to the subject; up to 2,000 characters.")],
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Take more time for a dispute, once, as far as the listing's profile allows."""
    with (
        failing("no more time was taken", as_json=as_json),
        review_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        summary = desk.find(dispute)
        event = make_extension(desk.identity, desk.federation, summary, reasons, desk.now)
        standing = desk.client.submit_event(event)
    _report("More time is taken; see the queue for the new deadline.", standing, as_json=as_json)


def open_review(
    listing: ListingId,
    trust_bundle: TrustBundle,
    member: ReviewerFolder,
    subject: SubjectRef,
    ground: Ground,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Open a review of your own motion; as a reviewer, or as the regulator."""
    about = _about(listing, subject)
    with (
        failing("no review was opened", as_json=as_json),
        review_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        why = cast("v1.DisputeGround.ValueType", ground)
        event = make_opening(desk.identity, desk.federation, about, why, desk.now)
        standing = desk.client.submit_event(event)
    _report("The review is open.", standing, as_json=as_json)


def strike_out(
    listing: ListingId,
    trust_bundle: TrustBundle,
    member: ReviewerFolder,
    subject: SubjectRef,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Strike a listing out before it takes effect."""
    about = _about(listing, subject)
    with (
        failing("the listing was not struck out", as_json=as_json),
        review_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        event = make_strike_out(desk.identity, desk.federation, about, desk.now)
        standing = desk.client.submit_event(event)
    _report("Struck out.", standing, as_json=as_json)


def _about(listing: str, subject: str) -> v1.ReviewSummary:
    return v1.ReviewSummary(
        listing_id=exactly(listing, 16, "a listing's id"),
        subject_ref=exactly(subject, 32, "a subject's reference"),
    )


def _report(done: str, standing: v1.ListingStanding, *, as_json: bool) -> None:
    if as_json:
        echo_json(
            ok=True,
            listing_id=standing.listing_id,
            state=listing_words.state_name(standing.state),
            version=standing.version,
            expires_at=moment(standing.expires_at),
        )
        return
    console().print(f"{done} The listing is {listing_words.state(standing.state)}.")
