"""What an answer of the exchange means for a statement: taken, refused for good, or to be sent again. Pure."""

from dataclasses import dataclass

import grpc

from concordat import v1
from concordat.clock import from_timestamp, to_micros
from concordat.rpc.errors import CATALOG, RemoteError
from concordat.v1 import ListingAction, ListingState, Reason
from provider.store.listings import Facts, Told
from provider.store.outbox import Change, Delivery, Posted

_SECOND = 1_000_000  # microseconds
_FIRST_WAIT, _LONGEST_WAIT = 1 * _SECOND, 600 * _SECOND
_LONGEST_TOLD = 86_400 * _SECOND  # an exchange that says more is asked once a day all the same
_MAX_MESSAGE = 500
# What the catalog carries under these codes passes by itself.
_PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
    }
)
# Why a call is refused as a whole for what is in it: the guilty statement is looked for.
_OF_CONTENT = frozenset(
    {
        Reason.REASON_MESSAGE_INVALID,
        Reason.REASON_STATEMENT_MALFORMED,
        Reason.REASON_SIGNATURE_INVALID,
        Reason.REASON_CALLER_NOT_SIGNER,
        Reason.REASON_WRONG_FEDERATION,
    }
)
_ENDS = frozenset(
    {
        ListingState.LISTING_STATE_WITHDRAWN,
        ListingState.LISTING_STATE_REPAIRED,
        ListingState.LISTING_STATE_EXPIRED,
    }
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What to put down of one statement that was answered."""

    change: Change
    told: Told | None = None  # where its listing stands now
    facts: Facts | None = None  # what its correction changed


def answered(post: Posted, result: v1.ListingResult, at: int, spread: float) -> Answered:
    """Return what to put down of the answer to ``post`` at ``at`` (microseconds).

    ``spread``, 0 to 1, is chance: it keeps what failed together from being sent again together.
    """
    if result.WhichOneof("result") == "standing":
        change = _changed(post, Delivery.SENT, settled_at=at)
        return Answered(change, _told_of(post, result.standing, at), _facts_of(post))
    refusal = result.refusal
    if not passes(refusal):
        # What was taken before is only asked again where it stands: a refusal of that un-files nothing.
        taken = post.settled_at is not None
        state = Delivery.SENT if taken else Delivery.REFUSED
        return Answered(_changed(post, state, refusal, settled_at=post.settled_at or at))
    wait = int(wait_before(post.attempts, spread))
    if refusal.HasField("retry_after"):
        told = refusal.retry_after.ToMicroseconds()
        wait = max(0, min(told, _LONGEST_TOLD)) + int(spread * _FIRST_WAIT)
    return Answered(_changed(post, Delivery.QUEUED, refusal, due_at=at + wait))


def passes(refusal: v1.ItemRefusal) -> bool:
    """Tell whether the same statement may be taken later."""
    spec = CATALOG.get(refusal.reason)
    return refusal.HasField("retry_after") or (spec is not None and spec.code in _PASSING)


def is_of_content(error: RemoteError) -> bool:
    """Tell whether a call was refused as a whole for what one of its statements is."""
    return error.reason in _OF_CONTENT


def refused_alone(post: Posted, error: RemoteError, at: int) -> Answered:
    """Return what to put down of a statement for which alone a call was refused."""
    refusal = v1.ItemRefusal(reason=error.reason, message=error.message[:_MAX_MESSAGE])
    return answered(post, v1.ListingResult(refusal=refusal), at, 0)


def failed(post: Posted, error: RemoteError) -> Change:
    """Return what to put down of a statement whose call failed: it stays queued, with why."""
    change = _changed(post, Delivery.QUEUED, due_at=post.due_at)
    return change._replace(reason=error.reason, message=str(error)[:_MAX_MESSAGE])


def moot(post: Posted, refused: Change, at: int) -> Change:
    """Return what to put down of an event whose filing was refused: there is nothing to say it of."""
    return Change(
        *post.key,
        post.sequence,
        Delivery.REFUSED.value,
        post.due_at,
        post.attempts,
        refused.reason,
        refused.message,
        at,
    )


def wait_before(failures: int, spread: float) -> float:
    """Return microseconds to wait after ``failures`` failures: doubling to ten minutes, half of it chance."""
    longest = min(_FIRST_WAIT << min(failures, 20), _LONGEST_WAIT)
    return longest * (0.5 + 0.5 * spread)


def _changed(
    post: Posted,
    state: Delivery,
    refusal: v1.ItemRefusal | None = None,
    *,
    due_at: int | None = None,
    settled_at: int | None = None,
) -> Change:
    return Change(
        *post.key,
        post.sequence,
        state.value,
        post.due_at if due_at is None else due_at,
        post.attempts + 1,
        refusal.reason if refusal else 0,
        refusal.message[:_MAX_MESSAGE] if refusal else "",
        settled_at or post.settled_at,
    )


def _told_of(post: Posted, standing: v1.ListingStanding, at: int) -> Told:
    withdrawn = post.action == ListingAction.LISTING_ACTION_WITHDRAW
    # Others may vouch for it still; it is no more this member's.
    ended = withdrawn or standing.state in _ENDS
    return Told(
        *post.key,
        listing_id=standing.listing_id,
        state=standing.state,
        version=standing.version,
        noticed_at=_moment(standing, "noticed_at"),
        effective_from=_moment(standing, "effective_from"),
        expires_at=to_micros(from_timestamp(standing.expires_at)),
        told_at=at,
        ended_at=at if ended else None,
    )


def _facts_of(post: Posted) -> Facts | None:
    if post.action != ListingAction.LISTING_ACTION_CORRECT:
        return None
    event = v1.ListingEvent.FromString(v1.Envelope.FromString(post.envelope).payload)
    facts = event.correction
    since = to_micros(from_timestamp(facts.delinquent_since))
    return Facts(*post.key, facts.amount.minor, since, facts.evidence_hash)


def _moment(standing: v1.ListingStanding, name: str) -> int | None:
    if not standing.HasField(name):  # type: ignore[arg-type]  # the names are literals above
        return None
    return to_micros(from_timestamp(getattr(standing, name)))
