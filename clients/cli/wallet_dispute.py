"""`concordat wallet contest`, `dispute` and `appeal`: a listing disputed, with evidence for the reviewer alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import typer

from clients.cli import listing_words
from clients.cli.console import JsonOption, failing
from clients.cli.pki_options import choice
from clients.cli.wallet_desk import WalletDesk, tell, wallet_desk
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, ListingId, PassphraseFile
from clients.sdk.errors import WalletError
from clients.sdk.subject_outbox import Posted
from clients.sdk.subject_requests import Grievance, choose_reviewer, make_dispute
from concordat import v1
from concordat.federation.evidence import Evidence
from concordat.v1 import DisputeStage, ListingState
from concordat.verify.listing_history import CheckedListing

ground_of = choice(v1.DisputeGround.items(), "DISPUTE_GROUND_")

Ground = Annotated[
    int,
    typer.Option(
        parser=ground_of,
        metavar="GROUND",
        help="not-mine, paid, amount, date, claim-contested, ineligible, duplicate, fraud or "
        "settlement-denied.",
    ),
]
EvidenceFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--evidence",
        help="A file that only the reviewer can read; up to 256 KiB. Repeat for up to 4.",
    ),
]
Reviewer = Annotated[
    str, typer.Option(help="member id of who shall decide; else one is drawn by lot.")
]

CONTEST = DisputeStage.DISPUTE_STAGE_CONTEST
REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
APPEAL = DisputeStage.DISPUTE_STAGE_APPEAL
_NOTICED = {ListingState.LISTING_STATE_NOTICED}
_IN_FORCE = {ListingState.LISTING_STATE_EFFECTIVE, ListingState.LISTING_STATE_SETTLED}


def contest(
    listing: ListingId,
    ground: Ground,
    evidence: EvidenceFiles = None,
    reviewer: Reviewer = "",
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Contest a listing before it takes effect; the clock stops until it is decided."""
    _raise(
        _Told(listing, CONTEST, ground, evidence or (), reviewer),
        (wallet, passphrase_file),
        as_json=as_json,
    )


def dispute(
    listing: ListingId,
    ground: Ground,
    evidence: EvidenceFiles = None,
    reviewer: Reviewer = "",
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Dispute a listing that is in force. A second dispute needs evidence that was not heard yet."""
    _raise(
        _Told(listing, REVIEW, ground, evidence or (), reviewer),
        (wallet, passphrase_file),
        as_json=as_json,
    )


def appeal(
    listing: ListingId,
    ground: Ground,
    evidence: EvidenceFiles = None,
    reviewer: Reviewer = "",
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Appeal the last ruling on a listing, to somebody else than who made it."""
    _raise(
        _Told(listing, APPEAL, ground, evidence or (), reviewer),
        (wallet, passphrase_file),
        as_json=as_json,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What was typed."""

    listing: str
    stage: DisputeStage.ValueType
    ground: int
    evidence: Sequence[Path]
    reviewer: str


def _raise(told: _Told, where: tuple[Path, Path | None], *, as_json: bool) -> None:
    failed = "the listing was not disputed"
    with failing(failed, as_json=as_json):
        evidence = [Evidence.of(path.read_bytes()) for path in told.evidence]
        with wallet_desk(*where) as desk:
            desk.send_waiting()
            checked = desk.client.own_listings(desk.store).find(told.listing)
            ground = cast("v1.DisputeGround.ValueType", told.ground)
            complaint = Complaint(told.stage, ground, evidence, told.reviewer)
            posted = file_dispute(desk, checked, complaint)
    decides = v1.Dispute.FromString(posted.pending.statement.payload).reviewer
    done = f"{listing_words.stage(told.stage).capitalize()}: {decides} decides."
    tell(failed, done, posted, desk.earlier, as_json=as_json, reviewer=decides)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is disputed about a listing, with what, and before whom; no name means that one is drawn by lot."""

    stage: DisputeStage.ValueType
    ground: v1.DisputeGround.ValueType
    evidence: Sequence[Evidence] = ()
    reviewer: str = ""


def file_dispute(desk: WalletDesk, checked: CheckedListing, told: Complaint) -> Posted:
    """Sign a dispute and send it, unless one of its stage was sent just now or waits.

    Raises ``WalletError`` where the listing does not stand so that it can be disputed in this way.
    """
    sent = desk.sent_before("dispute", checked.listing.listing_id, (told.stage, True))
    return _post(desk, checked, told) if sent is None else sent


def open_stages(own: v1.OwnListing) -> list[DisputeStage.ValueType]:
    """Return in which ways a listing can be disputed as it stands."""
    ways = [(CONTEST, own.state in _NOTICED), (REVIEW, own.state in _IN_FORCE)]
    ways.append((APPEAL, own.HasField("appeal_until")))
    return [stage for stage, is_open in ways if is_open]


def _post(desk: WalletDesk, checked: CheckedListing, told: Complaint) -> Posted:
    own = checked.listing
    _require_stage(own, told.stage)
    appealed = told.stage == APPEAL
    reviewer = choose_reviewer(
        desk.client.members(),
        appeal=appealed,
        at=desk.now,
        not_by=_parties(checked, appealed=appealed),
        named=told.reviewer,
    )
    grievance = Grievance(
        listing_id=own.listing_id,
        stage=told.stage,
        ground=told.ground,
        evidence=told.evidence,
        ruling_id=own.ruling_id if appealed else b"",
    )
    request = make_dispute(desk.store.key, desk.federation, grievance, reviewer, desk.now)
    return desk.client.post(desk.store, request)


def _parties(checked: CheckedListing, *, appealed: bool) -> set[str]:
    """Return who may not decide: whoever ever was a source, and in an appeal whoever ruled before."""
    barred = {s.who for s in checked.steps if isinstance(s.statement, v1.ListingFiling)}
    if appealed:
        barred |= {s.who for s in checked.steps if isinstance(s.statement, v1.Ruling)}
    return barred | set(checked.listing.sources)


def _require_stage(own: v1.OwnListing, stage: DisputeStage.ValueType) -> None:
    """Raise ``WalletError`` that names the right command where this one can't succeed."""
    stands = listing_words.state(own.state)
    if stage == APPEAL and not own.HasField("appeal_until"):
        raise WalletError(f"there is no ruling on it that can be appealed now; it is {stands}")
    if stage == CONTEST and own.state not in _NOTICED:
        use = "; use: concordat wallet dispute" if own.state in _IN_FORCE else ""
        raise WalletError(
            f"it is {stands}, and is contested between its notice and its effect{use}"
        )
    if stage == REVIEW and own.state not in _IN_FORCE:
        use = "; use: concordat wallet contest" if own.state in _NOTICED else ""
        raise WalletError(f"it is {stands}, and can be disputed only while it is in force{use}")
