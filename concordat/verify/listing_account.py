"""A listing as it is told, held against its own steps and against what its subject remembers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.v1 import ListingMark, NoticeChannel
from concordat.verify.listing_course import (
    APPEAL,
    DISPUTED,
    EFFECTIVE,
    SETTLED,
    UNDER_REVIEW,
    Course,
    name_of,
)
from concordat.verify.mismatch import MismatchError

_MARKS = {
    ListingMark.LISTING_MARK_EFFECTIVE: frozenset({EFFECTIVE}),
    ListingMark.LISTING_MARK_SETTLED: frozenset({SETTLED}),
    ListingMark.LISTING_MARK_EFFECTIVE_DISPUTED: frozenset({UNDER_REVIEW, APPEAL}),
    ListingMark.LISTING_MARK_SETTLED_DISPUTED: frozenset({UNDER_REVIEW, APPEAL}),
}


@dataclass(frozen=True, slots=True)
class KnownOfListing:
    """What a wallet remembers of a listing, to be held against what the exchange says now."""

    steps: tuple[bytes, ...] = ()  # digests of the statements seen, in order
    sent: frozenset[bytes] = frozenset()  # digests of the subject's own that the exchange took in
    notices: frozenset[bytes] = frozenset()  # SHA-256 of the notices found in the inbox
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InboxRequests:
    """The subject's own requests for its inbox, by digest: all that it made from ``since`` on."""

    since: datetime
    digests: frozenset[bytes] = frozenset()


def require_served(
    notice: v1.NoticeProof, at: datetime, known: KnownOfListing, mine: InboxRequests | None
) -> None:
    """Raise ``MismatchError`` where the wallet knows better than the exchange how a notice was served."""
    served = from_timestamp(notice.served_at)
    if served > at + MAX_SKEW:
        raise MismatchError("the notice is said to be on record before it was served")
    if known.notices and notice.notice_hash not in known.notices:
        raise MismatchError("the notice that was served is not the one in your inbox")
    by_inbox = notice.channel == NoticeChannel.NOTICE_CHANNEL_INBOX
    if (
        mine is not None
        and by_inbox
        and served >= mine.since + MAX_SKEW
        and notice.evidence_digest not in mine.digests
    ):
        raise MismatchError("the exchange says that you fetched the notice; this wallet did not")


def against_steps(told: v1.OwnListing, course: Course, at: datetime) -> Iterator[str]:
    """Yield where a listing is told otherwise than its steps have it.

    Raises ``StatementMalformedError`` for a time that nobody can read.
    """
    if not told.steps:
        yield "nothing shows how it came about"
        return
    if from_timestamp(told.steps[-1].at) > at + MAX_SKEW:
        yield "its last step lies in the future"
    if told.state != course.state:
        yield f"it is told as {name_of(told.state)}, and its steps lead to {name_of(course.state)}"
    if sorted(told.sources) != sorted(course.live_sources):
        yield "its sources are not those that its steps leave"
    opened = course.dispute.dispute_id if course.dispute else b""
    if told.dispute_id != opened and (opened or course.state not in DISPUTED):
        yield "the open dispute is not the one that its steps lead to"
    if told.ruling_id != (course.ruling.ruling_id if course.ruling else b""):
        yield "the last ruling is not the one in its steps"
    if (told.words if told.HasField("words") else None) != course.words:
        yield "your own words are not the ones that you signed last"
    yield from _facts_against_steps(told, course)
    if told.HasField("shown"):
        yield from _shown_against_state(told, course, at)


def _facts_against_steps(told: v1.OwnListing, course: Course) -> Iterator[str]:
    """Yield where the facts on record are worse for the subject than anybody signed."""
    amount = told.facts.amount
    if amount.currency != course.currency or amount.minor > course.amount:
        yield "the amount on record is more than its sources signed"
    if course.since is not None and from_timestamp(told.facts.delinquent_since) > course.since:
        yield "the date on record is later than its sources signed"
    ends = from_timestamp(told.expires_at)
    if course.ends_by is not None and ends > course.ends_by and not course.prolonged:
        yield "it ends later than the register's entry that it mirrors"


def _shown_against_state(told: v1.OwnListing, course: Course, at: datetime) -> Iterator[str]:
    """Yield where lenders are shown what they must not be."""
    if course.state not in _MARKS.get(told.shown.mark, frozenset()):
        yield f"lenders are shown it, and it is {name_of(course.state)}"
    if at >= from_timestamp(told.expires_at):
        yield "lenders are shown it after its end"
    if not (told.HasField("noticed_at") and told.HasField("effective_at")):
        yield "lenders are shown it, and no notice and effect of it are on record"


def against_memory(
    told: v1.OwnListing, course: Course, digests: Sequence[bytes], known: KnownOfListing
) -> Iterator[str]:
    """Yield what the wallet saw or sent before, and does not find again."""
    before = list(known.steps)
    if list(digests[: len(before)]) != before:
        yield f"the first {len(before)} steps are not those that you were shown before"
    missing = len(known.sent.difference(digests))
    if missing:
        yield f"{missing} of your own statements, which the exchange took in, are left out"
    ends = from_timestamp(told.expires_at)
    if known.expires_at is not None and ends > known.expires_at and not course.prolonged:
        yield f"its end has moved from {known.expires_at:%Y-%m-%d} to {ends:%Y-%m-%d}"
