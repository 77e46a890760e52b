"""The exchange's FurnisherService as its contract says, small, with faults that a test switches on.

Every envelope's signature is checked, an id is known by its bytes, and one debt of a source has one live
filing. What was taken stays in ``filings`` and ``events``, by id; nothing is ever taken out, so that a test
can tell whether something was filed twice.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.federation.directory import Member
from concordat.ids import new_id
from concordat.refusal import Refusal, refusing_untrusted
from concordat.rpc.errors import to_item, to_status
from concordat.trust.envelope import open_envelope
from concordat.v1 import ListingAction, ListingState, Reason

LIFE = timedelta(days=6 * 365)
Statement = v1.ListingFiling | v1.ListingEvent

_AFTER = {
    ListingAction.LISTING_ACTION_SETTLE: ListingState.LISTING_STATE_SETTLED,
    ListingAction.LISTING_ACTION_WITHDRAW: ListingState.LISTING_STATE_WITHDRAWN,
}


class FakeFurnisherService:
    """Answers one member's calls. Attributes that a test sets are read at every call."""

    def __init__(self) -> None:
        self.member: Callable[[], Member] | None = None  # whose keys must have signed
        self.filings: dict[bytes, v1.ListingFiling] = {}
        self.events: dict[bytes, v1.ListingEvent] = {}
        self.syncs: list[v1.MirrorSync] = []
        self.standings: dict[bytes, v1.ListingStanding] = {}  # by listing id
        self.duties: list[v1.Duty] = []
        self.calls: list[tuple[str, int, int]] = []  # method, statements, different signatures
        self.refuse: Callable[[Statement], Refusal | None] = lambda statement: None
        self.refuse_call: Callable[[Sequence[Statement]], Refusal | None] = lambda statements: None
        self.lose_answers = 0  # of the next calls, after what they brought was taken
        self.slow_seconds = 0.0
        self.on_call: Callable[[], None] = lambda: None
        self.on_taken: Callable[[], None] = lambda: None  # before the answer
        self._listing_of: dict[bytes, bytes] = {}  # filing id to listing id
        self._lock = threading.Lock()

    # What a test asks ---------------------------------------------------------------------------

    def filed(self, debt: bytes) -> list[v1.ListingFiling]:
        return [filing for filing in self.filings.values() if filing.debt_commitment == debt]

    def live_debts(self) -> list[bytes]:
        return sorted(
            filing.debt_commitment
            for filing in self.filings.values()
            if self.standing(filing.filing_id).state != ListingState.LISTING_STATE_WITHDRAWN
        )

    def standing(self, filing_id: bytes) -> v1.ListingStanding:
        return self.standings[self._listing_of[filing_id]]

    def said(self, filing_id: bytes) -> list[v1.ListingEvent]:
        listing_id = self._listing_of[filing_id]
        return [event for event in self.events.values() if event.listing_id == listing_id]

    # The service --------------------------------------------------------------------------------

    def FileListings(self, request: Any, context: Any) -> v1.FileListingsResponse:  # noqa: N802
        results = self._take("file", request.filings, v1.ListingFiling, self._file, context)
        return v1.FileListingsResponse(results=results)

    def SubmitListingEvents(  # noqa: N802
        self, request: Any, context: Any
    ) -> v1.SubmitListingEventsResponse:
        results = self._take("say", request.events, v1.ListingEvent, self._say, context)
        return v1.SubmitListingEventsResponse(results=results)

    def SubmitMirrorSync(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.on_call()
        sync = self._opened(request.sync, v1.MirrorSync)
        with self._lock:
            live = self.live_debts()
            if (len(live), hashlib.sha256(b"".join(live)).digest()) != (sync.entries, sync.digest):
                _abort(context, Refusal(Reason.REASON_MIRROR_DIFFERS))
            self.syncs.append(sync)
        until = from_timestamp(sync.read_at) + timedelta(days=1)
        return v1.SubmitMirrorSyncResponse(live_until=to_timestamp(until))

    def ListDuties(self, request: Any, context: Any) -> v1.ListDutiesResponse:  # noqa: N802
        self.on_call()
        keys = [duty.filing_id + bytes([duty.kind]) for duty in self.duties]
        start = keys.index(request.after) + 1 if request.after else 0
        page = self.duties[start : start + 2]  # small, so that a test has several
        more = start + 2 < len(self.duties)
        return v1.ListDutiesResponse(duties=page, next=keys[start + 1] if more else b"")

    def _take(
        self,
        name: str,
        envelopes: Sequence[v1.Envelope],
        kind: type[Any],
        take: Callable[[Any], v1.ListingStanding],
        context: Any,
    ) -> list[v1.ListingResult]:
        self.on_call()
        time.sleep(self.slow_seconds)
        signatures = {s.sig for envelope in envelopes for s in envelope.signatures}
        self.calls.append((name, len(envelopes), len(signatures)))
        statements = [self._opened(envelope, kind) for envelope in envelopes]
        refusal = self.refuse_call(statements)
        if refusal is not None:
            _abort(context, refusal)
        results = []
        with self._lock:
            for statement in statements:
                try:
                    if (refused := self.refuse(statement)) is not None:
                        raise refused
                    results.append(v1.ListingResult(standing=take(statement)))
                except Refusal as why:
                    results.append(v1.ListingResult(refusal=to_item(why)))
            self.on_taken()
            if self.lose_answers > 0:
                self.lose_answers -= 1
                context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the answer is lost")
        return results

    def _opened(self, envelope: v1.Envelope, kind: type[Any]) -> Any:
        assert self.member
        member = self.member()
        with refusing_untrusted():
            statement = open_envelope(envelope, kind, member.keys, datetime.now(UTC)).message
        who = getattr(statement, "source", "") or getattr(statement, "actor", "")
        assert (who or statement.court) == member.member_id
        return statement

    def _file(self, filing: v1.ListingFiling) -> v1.ListingStanding:
        known = self.filings.get(filing.filing_id)
        if known is not None:
            if known != filing:
                raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
            return self.standing(filing.filing_id)
        for other in self.filed(filing.debt_commitment):
            if self.standing(other.filing_id).state != ListingState.LISTING_STATE_WITHDRAWN:
                raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "the source has it listed")
            if not filing.reinsertion.certified or filing.evidence_hash == other.evidence_hash:
                raise Refusal(Reason.REASON_REINSERTION_NOT_CERTIFIED)
        listing_id = new_id()
        self.filings[filing.filing_id] = filing
        self._listing_of[filing.filing_id] = listing_id
        self.standings[listing_id] = standing = v1.ListingStanding(
            listing_id=listing_id,
            state=ListingState.LISTING_STATE_DRAFT,
            version=1,
            expires_at=to_timestamp(datetime.now(UTC) + LIFE),
        )
        return standing

    def _say(self, event: v1.ListingEvent) -> v1.ListingStanding:
        standing = self.standings.get(event.listing_id)
        if standing is None:
            raise Refusal(Reason.REASON_LISTING_UNKNOWN)
        known = self.events.get(event.event_id)
        if known is not None:
            if known != event:
                raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
            return standing
        if standing.state == ListingState.LISTING_STATE_WITHDRAWN:
            raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED)
        self.events[event.event_id] = event
        standing.state = _AFTER.get(event.action, standing.state)
        if event.action == ListingAction.LISTING_ACTION_CORRECT:
            standing.version += 1
        return standing


def _abort(context: Any, refusal: Refusal) -> None:
    context.abort_with_status(to_status(refusal, "request-id"))
