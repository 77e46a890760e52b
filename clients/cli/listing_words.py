"""Listings in plain words: states, kinds, what was done, by whom."""

from collections.abc import Callable, Iterable, Mapping

from clients.cli.console import said as in_words
from clients.cli.console import words
from clients.formats import day, money
from clients.language import marked, plural, tr
from concordat import v1
from concordat.v1 import (
    DisputeGround,
    DisputeStage,
    ListingAction,
    ListingBasis,
    ListingKind,
    ListingMark,
    ListingState,
    RulingOutcome,
)

_STATES: Mapping[int, str] = {
    ListingState.LISTING_STATE_DRAFT: marked("filed, not yet told to you"),
    ListingState.LISTING_STATE_NOTICED: marked("announced, not in force"),
    ListingState.LISTING_STATE_CONTESTED: marked("contested, not in force"),
    ListingState.LISTING_STATE_EFFECTIVE: marked("in force"),
    ListingState.LISTING_STATE_SETTLED: marked("in force, settled"),
    ListingState.LISTING_STATE_UNDER_REVIEW: marked("disputed"),
    ListingState.LISTING_STATE_APPEAL: marked("appealed"),
    ListingState.LISTING_STATE_WITHDRAWN: marked("withdrawn"),
    ListingState.LISTING_STATE_REPAIRED: marked("ended early"),
    ListingState.LISTING_STATE_EXPIRED: marked("ended"),
}
_ACTIONS: Mapping[int, str] = {
    ListingAction.LISTING_ACTION_RECONFIRM: marked("said that the facts still hold"),
    ListingAction.LISTING_ACTION_SETTLE: marked("said that it is paid"),
    ListingAction.LISTING_ACTION_WITHDRAW: marked("took it back"),
    ListingAction.LISTING_ACTION_CORRECT: marked("corrected the facts"),
    ListingAction.LISTING_ACTION_OPEN_REVIEW: marked("opened a review"),
    ListingAction.LISTING_ACTION_EXTEND: marked("took more time to decide"),
    ListingAction.LISTING_ACTION_STATE: marked("changed your own words about it"),
    ListingAction.LISTING_ACTION_NOTICE_SERVED: marked("had the notice reach you"),
    ListingAction.LISTING_ACTION_TAKE_EFFECT: marked("put it in force"),
    ListingAction.LISTING_ACTION_TIME_OUT: marked("ended a dispute that nobody decided in time"),
    ListingAction.LISTING_ACTION_REPAIR: marked("ended it early, after it was settled"),
    ListingAction.LISTING_ACTION_EXPIRE: marked("ended it, as its time was over"),
    ListingAction.LISTING_ACTION_PROLONG: marked("prolonged it by order"),
    ListingAction.LISTING_ACTION_END_REVIEW: marked("ended the review, as the order was obeyed"),
}
_STAGES: Mapping[int, str] = {
    DisputeStage.DISPUTE_STAGE_CONTEST: marked("contested it"),
    DisputeStage.DISPUTE_STAGE_REVIEW: marked("disputed it"),
    DisputeStage.DISPUTE_STAGE_APPEAL: marked("appealed the ruling"),
}
_OUTCOMES: Mapping[int, str] = {
    RulingOutcome.RULING_OUTCOME_UPHELD: marked("ruled that you are right"),
    RulingOutcome.RULING_OUTCOME_RECTIFIED: marked("ruled that it is corrected and stays"),
    RulingOutcome.RULING_OUTCOME_REJECTED: marked("ruled that it stays as it is"),
    RulingOutcome.RULING_OUTCOME_UNVERIFIABLE: marked("found that the facts cannot be verified"),
}


def state(number: ListingState.ValueType) -> str:
    """Return where a listing stands, as its subject would put it."""
    return tr(_STATES.get(number, marked("unknown")))


def action(number: ListingAction.ValueType) -> str:
    """Return what somebody did to a listing."""
    return tr(_ACTIONS.get(number, marked("did something")))


def stage(number: DisputeStage.ValueType) -> str:
    """Return what the subject did by a dispute."""
    return tr(_STAGES.get(number, marked("disputed it")))


def outcome(number: RulingOutcome.ValueType) -> str:
    """Return what was decided."""
    return tr(_OUTCOMES.get(number, marked("ruled on it")))


def statement(said: v1.ListingFiling | v1.ListingEvent | v1.Dispute | v1.Ruling) -> str:
    """Return what a step of a listing was, with its reason where it has one."""
    match said:
        case v1.ListingFiling():
            return tr(
                "filed it: {amount}, owed since {day}",
                amount=money(said.amount),
                day=day(said.delinquent_since),
            )
        case v1.ListingEvent():
            return _event(said)
        case v1.Dispute():
            return _dispute(said)
        case v1.Ruling():
            return f"{outcome(said.outcome)}: {said.reasons}"


def _dispute(said: v1.Dispute) -> str:
    pieces = len(said.evidence_hashes)
    with_it = ""
    if pieces:
        with_it = plural(
            ", with {number} piece of evidence", ", with {number} pieces of evidence", pieces
        )
    asked = tr("; {reviewer} decides", reviewer=said.reviewer)
    return f"{stage(said.stage)}: {ground(said.ground)}{with_it}{asked}"


def _event(said: v1.ListingEvent) -> str:
    what, field = action(said.action), said.WhichOneof("particulars") or ""
    if field == "words" and not said.words.text:
        return tr("took your own words away")
    if field in _PARTICULARS:
        return what + _PARTICULARS[field](said)
    return what


def facts(correction: v1.Correction) -> str:
    """Return the amount and the date on record."""
    return tr(
        "{amount}, owed since {day}",
        amount=money(correction.amount),
        day=day(correction.delinquent_since),
    )


def ground(number: DisputeGround.ValueType) -> str:
    """Return why something is disputed."""
    return in_words(DisputeGround.Name(number), "DISPUTE_GROUND_")


def kind(number: ListingKind.ValueType) -> str:
    """Return what a listing is about."""
    return in_words(ListingKind.Name(number), "LISTING_KIND_")


def basis(number: ListingBasis.ValueType) -> str:
    """Return what a debt arose from."""
    return in_words(ListingBasis.Name(number), "LISTING_BASIS_")


def mark(number: ListingMark.ValueType) -> str:
    """Return how a lender sees a listing."""
    return in_words(ListingMark.Name(number), "LISTING_MARK_")


def short_forms(ids: Iterable[bytes]) -> dict[bytes, str]:
    """Return the first digits of each id: as few as tell all of them apart, and at least eight."""
    whole = {identifier: identifier.hex() for identifier in ids}
    length = _SHORTEST
    while len({text[:length] for text in whole.values()}) < len(whole):
        length += 1
    return {identifier: text[:length] for identifier, text in whole.items()}


def short(identifier: bytes) -> str:
    """Return the first digits of an id, where nobody knows the others that it could be taken for."""
    return identifier.hex()[:SHORT]


def _channel(said: v1.ListingEvent) -> str:
    return in_words(v1.NoticeChannel.Name(said.notice.channel), "NOTICE_CHANNEL_")


SHORT = 13
_SHORTEST = 8

_PARTICULARS: Mapping[str, Callable[[v1.ListingEvent], str]] = {
    "settlement": lambda said: tr(", on {day}", day=day(said.settlement.paid_at)),
    "withdrawal": lambda said: (
        f": {in_words(v1.WithdrawalCode.Name(said.withdrawal), 'WITHDRAWAL_CODE_')}"
    ),
    "correction": lambda said: f": {facts(said.correction)}",
    "ground": lambda said: f": {ground(said.ground)}",
    "extension": lambda said: f": {said.extension.reasons}",
    "notice": lambda said: tr(", by {channel}", channel=_channel(said)),
    "prolongation": lambda said: tr(", to {day}", day=day(said.prolongation.until)),
}


def state_name(number: ListingState.ValueType) -> str:
    """Return a state's own name, for programs."""
    return words(ListingState.Name(number), "LISTING_STATE_")
