"""What of a subject's data goes at once when it asks, and what is kept, by which rule, until when: pure.

Sources: GDPR art. 17(1) and its exceptions 17(3)(b) and (e); rights.md R14, R18. A sealed look-up of a regulator
whose notice is not due is no part of this: to name it would be to tell of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import ConsentState
from concordat.v1 import ErasureCategory as Category
from concordat.v1 import ErasureRule as Rule
from exchange.listings.machine import RECALL_WITHIN
from exchange.listings.machine.filing import FILING_KEEPS

FILED_AGAIN_WITHIN = FILING_KEEPS + timedelta(days=1)  # clocks differ
KEEP_LOOKS = timedelta(days=2)  # longer than a request lives, and than looks are counted
_LIVE_CONSENT = frozenset({ConsentState.CONSENT_STATE_ACTIVE, ConsentState.CONSENT_STATE_PAUSED})


@dataclass(frozen=True, slots=True)
class Periods:
    """How long proof is kept."""

    accesses: timedelta  # setting subjects.keep_access_days
    questions: timedelta  # setting limits.threshold_days


@dataclass(frozen=True, slots=True)
class Kept:
    """That something stays: why, and until when at the latest; None where the subject decides."""

    rule: Rule.ValueType
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ConsentHeld:
    """A consent on record."""

    state: ConsentState.ValueType
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class ListingHeld:
    """A listing on record; ``live`` where it has not ended."""

    live: bool
    expires_at: datetime
    filed_at: datetime
    disputed_until: datetime | None  # of an open dispute, or an appeal that is still possible


@dataclass(frozen=True, slots=True)
class EntryHeld:
    """An entry of the log about the subject that still opens."""

    sequence: int
    record: v1.LogRecord
    at: datetime
    settled: bool  # whether it stands in a signed checkpoint


def consent_kept(consent: ConsentHeld, proof_until: datetime | None, at: datetime) -> Kept | None:
    """Return why a consent stays. ``proof_until``: the end of the proof of the last access that it allowed."""
    if consent.state in _LIVE_CONSENT and at < consent.valid_until:
        return Kept(Rule.ERASURE_RULE_CONSENT_IN_FORCE, consent.valid_until)
    if proof_until is not None and at < proof_until:
        return Kept(Rule.ERASURE_RULE_PROOF_OF_ACCESS, proof_until)
    return None


def access_kept(made_at: datetime, periods: Periods, at: datetime, *, narrow: bool) -> Kept | None:
    """Return why an access stays; ``narrow`` is one that asked for less than a whole score."""
    proof, counted = made_at + periods.accesses, made_at + periods.questions
    if narrow and counted > proof and at < counted:
        return Kept(Rule.ERASURE_RULE_LIMIT_COUNTED, counted)
    return Kept(Rule.ERASURE_RULE_PROOF_OF_ACCESS, proof) if at < proof else None


def listing_kept(listing: ListingHeld, at: datetime) -> Kept | None:
    """Return why a listing stays."""
    if listing.disputed_until is not None and at < listing.disputed_until:
        return Kept(Rule.ERASURE_RULE_DISPUTE_OPEN, listing.disputed_until)
    if listing.live:
        return Kept(Rule.ERASURE_RULE_LISTING_LIVE, listing.expires_at)
    again = listing.filed_at + FILED_AGAIN_WITHIN
    return Kept(Rule.ERASURE_RULE_COULD_BE_FILED_AGAIN, again) if at < again else None


def recall_kept(told_at: datetime, at: datetime) -> Kept | None:
    """Return why it stays that a lender was told of a listing."""
    until = told_at + RECALL_WITHIN
    return Kept(Rule.ERASURE_RULE_RECALL_WINDOW, until) if at < until else None


def look_kept(made_at: datetime, at: datetime) -> Kept | None:
    """Return why it stays that the subject looked, or was given a report."""
    until = made_at + KEEP_LOOKS
    return Kept(Rule.ERASURE_RULE_LIMIT_COUNTED, until) if at < until else None


def news_kept(at_end: datetime) -> Kept:
    """Return why it stays what a lender is told of, until ``at_end``, when it goes by itself."""
    return Kept(Rule.ERASURE_RULE_TO_BE_HEARD, at_end)


NOT_READ = Kept(Rule.ERASURE_RULE_NOT_READ, None)
FLAG_PLACED = Kept(Rule.ERASURE_RULE_FLAG_PLACED, None)


def binding_kept(not_after: datetime) -> Kept:
    """Return why the binding of the subject's key stays."""
    return Kept(Rule.ERASURE_RULE_KEY_BINDING, not_after)


def being_logged(at: datetime) -> Kept:
    """Return why what is on its way into the log stays: a moment later it can go."""
    return Kept(Rule.ERASURE_RULE_BEING_LOGGED, at + timedelta(minutes=1))


def entry_kept(
    entry: EntryHeld,
    consents: Mapping[bytes, Kept],
    listings: Mapping[bytes, Kept],
    accesses: Mapping[bytes, Kept],
    at: datetime,
) -> Kept | None:
    """Return why what opens an entry stays: with the consent, listing or access that it is about.

    The mappings hold what is kept, by id.
    """
    if not entry.settled:
        return being_logged(at)
    act = entry.record.WhichOneof("act") or ""
    if act not in _ABOUT:
        return None
    kept, id_of = {"consents": consents, "listings": listings, "accesses": accesses}, _ABOUT[act]
    return kept[id_of[0]].get(id_of[1](entry.record))


ACCESSES_THEMSELVES = ("intent", "refusal", "screening", "monitoring", "case_notice")
"""Acts that are accesses; their entry's record is the access."""

_ABOUT: Mapping[str, tuple[str, Callable[[v1.LogRecord], bytes]]] = {
    "consent": ("consents", lambda record: record.consent.consent_id),
    "listing": ("listings", lambda record: record.listing.listing_id),
    "order": ("listings", lambda record: record.order.listing_id),
    "release": ("accesses", lambda record: record.release.access_id),
    "outcome": ("accesses", lambda record: record.outcome.access_id),
    **dict.fromkeys(
        ACCESSES_THEMSELVES,
        ("accesses", lambda record: record.record_id),
    ),
}
"""What an entry's record is about: a consent, a listing or an access, and its id."""

_ACCESS_ACTS = frozenset(act for act, (what, _) in _ABOUT.items() if what == "accesses")


def category_of(record: v1.LogRecord) -> Category.ValueType:
    """Return what the opening of an entry counts as."""
    if record.WhichOneof("act") in _ACCESS_ACTS:
        return Category.ERASURE_CATEGORY_ACCESSES
    return Category.ERASURE_CATEGORY_LOG_RECORDS


Verdict = tuple[Category.ValueType, Kept | None]
"""What kind of thing, and why it stays; None where it goes."""


def items_of(verdicts: Iterable[Verdict], *, gone: bool) -> list[v1.ErasureItem]:
    """Return how many of each kind go, or stay by each rule, with the latest end of each."""
    groups: dict[tuple[int, int], list[datetime | None]] = {}
    for category, kept in verdicts:
        if (kept is None) == gone:
            rule = kept.rule if kept else Rule.ERASURE_RULE_UNSPECIFIED
            groups.setdefault((category, rule), []).append(kept.until if kept else None)
    return [_item(category, rule, ends) for (category, rule), ends in sorted(groups.items())]


def _item(category: int, rule: int, ends: Sequence[datetime | None]) -> v1.ErasureItem:
    item = v1.ErasureItem(category=category, count=len(ends), rule=rule)  # type: ignore[arg-type]
    if known := [end for end in ends if end is not None]:
        item.until.CopyFrom(to_timestamp(max(known)))
    return item
