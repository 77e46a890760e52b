"""A listing as one JSON object, for its subject's own programs; keys stay as they are."""

from typing import Any

from clients.cli import listing_words
from clients.cli.console import words
from clients.cli.listing_render import next_step
from clients.cli.moments import moment
from clients.formats import day
from concordat import v1
from concordat.verify.listing_history import CheckedListing, CheckedStep

_TIMES = (
    "noticed_at",
    "effective_from",
    "effective_at",
    "settled_at",
    "expires_at",
    "decide_by",
    "appeal_until",
)


def listing_facts(checked: CheckedListing) -> dict[str, Any]:
    """Return everything there is about a listing."""
    own = checked.listing
    return {
        "listing_id": own.listing_id,
        "state": listing_words.state_name(own.state),
        "kind": listing_words.kind(own.kind),
        "basis": listing_words.basis(own.basis),
        "profile": words(v1.Profile.Name(own.profile), "PROFILE_"),
        "sources": list(own.sources),
        "currency": own.facts.amount.currency,
        "amount_minor": own.facts.amount.minor,
        "delinquent_since": moment(own.facts.delinquent_since),
        "evidence_hash": own.facts.evidence_hash,
        **{name: _time(own, name) for name in _TIMES},
        "shown": _shown(own),
        "dispute_id": own.dispute_id.hex() or None,
        "ruling_id": own.ruling_id.hex() or None,
        "words": own.words.text or None,
        "version": own.version,
        "next": next_step(own),
        "steps": [_step(step) for step in checked.steps],
        "recipients": [_recipient(told) for told in own.recipients],
        "holds": not checked.problems,
        "problems": list(checked.problems),
    }


def _time(own: v1.OwnListing, name: str) -> str | None:
    return moment(getattr(own, name)) if own.HasField(name) else None  # type: ignore[arg-type]


def _shown(own: v1.OwnListing) -> dict[str, Any] | None:
    if not own.HasField("shown"):
        return None
    return in_view_facts(own.shown)


def in_view_facts(shown: v1.ListingInView) -> dict[str, Any]:
    """Return what a lender is told of a listing."""
    return {
        "kind": listing_words.kind(shown.kind),
        "mark": listing_words.mark(shown.mark),
        "band": words(v1.AmountBand.Name(shown.band), "AMOUNT_BAND_"),
        "basis": listing_words.basis(shown.basis),
        "delinquent_since": day(shown.delinquent_since),
        "effective_since": day(shown.effective_since),
        "settled_on": day(shown.settled_on) if shown.HasField("settled_on") else None,
        "expires_at": day(shown.expires_at),
        "words": shown.words.text or None,
        "words_language": shown.words.language or None,
    }


def _step(step: CheckedStep) -> dict[str, Any]:
    said = step.statement
    return {
        "sequence": step.step.sequence,
        "at": moment(step.step.at),
        "kind": type(said).DESCRIPTOR.name if said else None,
        "who": step.who or ("you" if said else None),
        "what": listing_words.statement(said) if said else None,
        "state": listing_words.state_name(step.step.state),
        "digest": step.digest,
        "holds": not step.fault,
        "problem": step.fault,
    }


def _recipient(told: v1.ListingRecipient) -> dict[str, Any]:
    acknowledged = moment(told.acknowledged_at) if told.HasField("acknowledged_at") else None
    return {
        "lender": told.lender,
        "told_at": moment(told.told_at),
        "recalled": told.recalled,
        "acknowledged_at": acknowledged,
    }
