"""CheckListings: no provider is asked, so that one transaction does it all.

Within it the request is admitted and its access entered, what the memory found is confirmed, and the answer
is signed and its release entered. It leaves when both entries are in a signed checkpoint of the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.purposes import covers, require_releases_listings
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.deadline import next_hop_seconds
from concordat.statements import digest_of, seal_batch
from concordat.v1 import DataCategory
from exchange.listings import told
from exchange.listings.told import NOTHING
from exchange.views.admit import Admitted, Checked, admit_many
from exchange.views.checking import check_ask
from exchange.views.compose import add_listings
from exchange.views.release import Release, enter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.clock import Clock
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer
    from exchange.limits.gate import Gate
    from exchange.listings.index import Entry
    from exchange.listings.opening import Listings
    from exchange.listings.told import Shown
    from exchange.log.book import LogBook
    from exchange.views.accesses import Accesses

_LISTINGS, _SCORE = DataCategory.DATA_CATEGORY_LISTINGS, DataCategory.DATA_CATEGORY_SCORE


@dataclass(frozen=True, slots=True)
class _Check:
    """A request that verified, and what the memory has to show."""

    checked: Checked
    found: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer that is on record, and waits to be in the log."""

    envelope: v1.Envelope
    access_id: bytes
    release_id: bytes  # record id of the release


class CheckDesk:
    """Answers lenders who ask for listings or flags alone."""

    def __init__(
        self,
        directory: MemberDirectory,
        accesses: Accesses,
        listings: Listings,
        gate: Gate,
        book: LogBook,
        signer: Signer,
        clock: Clock,
    ) -> None:
        """Check against ``directory``, within ``gate``; look in ``listings``."""
        self._directory = directory
        self._accesses = accesses
        self._store: GroupCommit = listings.store
        self._listings = listings.book
        self._profiles = listings.profiles
        self._gate = gate
        self._book = book
        self._signer = signer
        self._clock = clock
        self._bulk = self._answer_many  # one object, so that checks are answered together

    async def answer(
        self, ask: v1.RequestViewRequest, caller: Member, at: datetime, seconds_left: float
    ) -> v1.CheckListingsResponse:
        """Answer one ask. Raises ``Refusal``."""
        self._book.require_open(at)
        seconds = next_hop_seconds(seconds_left)
        checked = check_ask(ask, caller, self._directory.anchors, at, require_releases_listings)
        if not isinstance(checked, Checked):
            (refusal,) = await self._accesses.record([checked])  # the subject sees the attempt
            assert isinstance(refusal, Refusal)  # noqa: S101 - nothing else becomes of it
            raise refusal
        done = await self._store.arun_in(self._bulk, _Check(checked, self._found(checked, at)))
        ref = checked.subject_ref
        keys = [(ref, done.access_id), (ref, done.release_id)]
        intent, release = await self._book.receipts(keys, seconds)
        if isinstance(intent, Refusal):
            raise intent
        if isinstance(release, Refusal):
            raise release
        return v1.CheckListingsResponse(answer=done.envelope, intent=intent, release=release)

    def _found(self, checked: Checked, at: datetime) -> Sequence[Entry]:
        """Return what the memory has to show, where the consent covers it."""
        self._listings.require_current()
        found = self._listings.shown([checked.subject_ref], at)
        return found.get(0, ()) if covers(checked.consent.message, _LISTINGS) else ()

    def _answer_many(
        self, connection: Connection, items: Sequence[_Check]
    ) -> list[_Answered | Refusal]:
        """Admit, confirm, sign and release all that wait at once, in this one transaction."""
        admitted = admit_many(connection, [item.checked for item in items], self._gate)
        at = self._clock.now()
        found = {
            place: item.found
            for place, item in enumerate(items)
            if item.found and isinstance(admitted[place], Admitted)
        }
        shown = told.confirm(connection, self._profiles, found, at, hold=True)
        let_in = [
            (each, shown.get(place, NOTHING))
            for place, each in enumerate(admitted)
            if isinstance(each, Admitted)
        ]
        answers = [_compose(each, showing, at) for each, showing in let_in]
        envelopes = seal_batch(answers, self._signer) if answers else []
        releases = [
            Release.of_listings(answer, digest_of(envelope), _categories(each), showing)
            for answer, envelope, (each, showing) in zip(answers, envelopes, let_in, strict=True)
        ]
        enter(connection, releases)
        done = iter(
            _Answered(envelope, each.access_id, release.draft.record_id)
            for (each, _), envelope, release in zip(let_in, envelopes, releases, strict=True)
        )
        return [each if isinstance(each, Refusal) else next(done) for each in admitted]


def _categories(admitted: Admitted) -> list[DataCategory.ValueType]:
    """Return the categories of data that go out: all that the consent covers but a score."""
    covered = admitted.checked.consent.message.data_categories
    return [category for category in covered if category != _SCORE]


def _compose(admitted: Admitted, shown: Shown, at: datetime) -> v1.ListingAnswer:
    """Return the (unsigned) answer."""
    checked = admitted.checked
    request, terms = checked.request.message, checked.consent.message
    answer = v1.ListingAnswer(
        answer_id=new_id(),
        federation=request.federation,
        lender=request.lender,
        subject_ref=request.subject_ref,
        request_digest=checked.request.digest,
        consent_digest=checked.consent.digest,
        purpose=request.purpose,
        access_id=admitted.access_id,
        issued_at=to_timestamp(at),
        delete_by=to_timestamp(at + timedelta(days=terms.data_life_days)),
    )
    add_listings(answer, terms, admitted.flags, shown)
    return answer
