"""`concordat review rule`: a dispute decided, with reasons; signed once, and sent until it is answered."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from clients.cli import listing_words
from clients.cli.console import (
    Exit,
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    fail,
    failing,
)
from clients.cli.moments import moment
from clients.cli.money_options import minor_units
from clients.cli.pki_options import choice
from clients.cli.review_desk import DisputeId, ReviewDesk, ReviewerFolder, review_desk
from clients.sdk.errors import ClientError, may_pass
from clients.sdk.review_statements import make_ruling
from clients.sdk.reviews import Review
from clients.sdk.ruling_file import RulingFile
from concordat import v1
from concordat.clock import to_timestamp
from concordat.rpc.errors import RemoteError
from concordat.v1 import RulingOutcome

outcome_of = choice(RulingOutcome.items(), "RULING_OUTCOME_")
_RECTIFIED = RulingOutcome.RULING_OUTCOME_RECTIFIED


def rule(
    dispute: DisputeId,
    outcome: Annotated[
        int,
        typer.Argument(
            parser=outcome_of,
            metavar="OUTCOME",
            help="upheld: the subject is right, and the listing goes; rejected: it stays; rectified: it is "
            "corrected and stays; unverifiable: the facts cannot be verified in time.",
        ),
    ],
    trust_bundle: TrustBundle,
    member: ReviewerFolder,
    reasons: Annotated[str, typer.Option(help="Why, to the parties; up to 2,000 characters.")] = "",
    reasons_file: Annotated[Path | None, typer.Option(help="The reasons, in a file.")] = None,
    amount: Annotated[
        str, typer.Option(help="Of rectified: what is owed, such as 1250.00; else as on record.")
    ] = "",
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Of rectified: owed since (UTC); else as on record."
        ),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Of rectified: the evidence; its SHA-256 goes on record.")
    ] = None,
    not_settled: Annotated[
        bool, typer.Option("--not-settled", help="Of rectified: the settlement is not proved.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Decide a dispute. A ruling is final here: the subject may appeal it to an appeal body.

    What was signed is kept in your folder, under rulings/, before it is sent: run the same command again where
    no answer came.
    """
    chosen = cast("RulingOutcome.ValueType", outcome)
    given = any((amount, since, evidence, not_settled))
    if chosen == _RECTIFIED and evidence is None:
        raise typer.BadParameter("rectified needs the --evidence that it rests on")
    if chosen != _RECTIFIED and given:
        raise typer.BadParameter(
            "--amount, --since, --evidence and --not-settled go with rectified"
        )
    failed = "the ruling was not handed in"
    with (
        failing(failed, as_json=as_json),
        review_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        why = _reasons(reasons, reasons_file)
        kept = RulingFile.waiting(member, dispute)
        before = kept.signed_before(chosen, why) if kept else None
        if kept is None or before is None:
            review = desk.client.get_review(desk.find(dispute).dispute_id)
            facts = None
            if evidence is not None:
                facts = _correction(review, amount, since, evidence.read_bytes())
            ruling = make_ruling(
                desk.identity,
                desk.federation,
                review.summary,
                chosen,
                why,
                desk.now,
                correction=facts,
                not_settled=not_settled,
            )
            _agree(review, ruling, yes=yes, as_json=as_json)
            kept = RulingFile(member, review.summary.dispute_id)
            kept.keep(ruling)
            before = ruling
        standing = _hand_in(desk, kept, before)
    if as_json:
        echo_json(
            ok=True,
            dispute_id=v1.Ruling.FromString(before.payload).dispute_id,
            ruling_id=v1.Ruling.FromString(before.payload).ruling_id,
            state=listing_words.state_name(standing.state),
            version=standing.version,
            expires_at=moment(standing.expires_at),
        )
        return
    console().print(f"Ruled. The listing is {listing_words.state(standing.state)}.")


def _reasons(text: str, path: Path | None) -> str:
    if bool(text) == (path is not None):
        raise ClientError("a ruling has reasons: give either --reasons or --reasons-file")
    return text.strip() if path is None else path.read_text("utf-8").strip()


def _correction(
    review: Review, amount: str, since: datetime | None, evidence: bytes
) -> v1.Correction:
    """Return the corrected facts; what is not given stays as it is on record."""
    facts = v1.Correction()
    facts.CopyFrom(review.shown.facts)
    if amount:
        facts.amount.minor = minor_units(amount, facts.amount.currency)
    if since is not None:
        facts.delinquent_since.CopyFrom(to_timestamp(since.replace(tzinfo=UTC)))
    facts.evidence_hash = hashlib.sha256(evidence).digest()
    return facts


def _agree(review: Review, ruling: v1.Envelope, *, yes: bool, as_json: bool) -> None:
    """Show what will be handed in and ask; exit unless the person agrees."""
    said = v1.Ruling.FromString(ruling.payload)
    told = f"{said.reviewer} {listing_words.outcome(said.outcome)}: {said.reasons}"
    if said.HasField("correction"):
        told += f"\nOn record: {listing_words.facts(review.shown.facts)}"
        told += f"\nCorrected: {listing_words.facts(said.correction)}"
    typer.echo(told, err=True)
    if yes or typer.confirm("Hand in this ruling?", err=True):
        return
    advice = "nothing was handed in; run the command again when you have decided"
    fail("you did not agree", Exit.REFUSED, "NOT_AGREED", advice, as_json=as_json)


def _hand_in(desk: ReviewDesk, kept: RulingFile, ruling: v1.Envelope) -> v1.ListingStanding:
    """Hand the ruling in; one that is refused for good is forgotten, so that another can be made."""
    try:
        standing = desk.client.submit_ruling(ruling)
    except RemoteError as error:
        if not may_pass(error):
            kept.forget()
        raise
    kept.taken()
    return standing
