"""CheckListings: the main flow without providers (exchange.views.request_view): admit, log, look, release."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.purposes import covers, require_releases_listings
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.deadline import MARGIN_SECONDS, next_hop_seconds
from concordat.statements import digest_of, seal_batch
from concordat.v1 import DataCategory
from exchange.listings.told import NOTHING
from exchange.views.checking import check_ask
from exchange.views.compose import add_listings
from exchange.views.release import Release

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from concordat.clock import Clock
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.trust.keys import Signer
    from exchange.listings.answering import Lookout
    from exchange.listings.told import Shown
    from exchange.log.book import LogBook
    from exchange.views.accesses import Accesses, Logged
    from exchange.views.admit import Admitted

_LISTINGS = DataCategory.DATA_CATEGORY_LISTINGS


class CheckDesk:
    """Answers lenders who ask for listings or flags alone."""

    def __init__(
        self,
        directory: MemberDirectory,
        accesses: Accesses,
        lookout: Lookout,
        book: LogBook,
        signer: Signer,
        clock: Clock,
    ) -> None:
        """Check against ``directory``, record in ``accesses``, look in ``lookout``."""
        self._directory = directory
        self._accesses = accesses
        self._lookout = lookout
        self._book = book
        self._signer = signer
        self._clock = clock

    async def answer(
        self, ask: v1.RequestViewRequest, caller: Member, at: datetime, seconds_left: float
    ) -> v1.CheckListingsResponse:
        """Answer one ask. Raises ``Refusal``."""
        self._book.require_open(at)
        ends = monotonic() + seconds_left
        checked = check_ask(ask, caller, self._directory.anchors, at, require_releases_listings)
        recorded = await self._accesses.record([checked])
        (logged,) = await self._accesses.logged(recorded, next_hop_seconds(seconds_left))
        if isinstance(logged, Refusal):
            raise logged
        return await self._release(logged, ends - monotonic() - MARGIN_SECONDS)

    async def _release(self, logged: Logged, seconds: float) -> v1.CheckListingsResponse:
        """Look, sign, record and log what goes out, and only then let it go."""
        admitted, intent = logged
        at = self._clock.now()
        terms = admitted.checked.consent.message
        shown = NOTHING
        if covers(terms, _LISTINGS):
            found = await self._lookout.shown([terms.subject_ref], at)
            shown = found.get(0, NOTHING)
        answer = _compose(admitted, shown, at)
        (envelope,) = seal_batch([answer], self._signer)
        categories: Sequence[DataCategory.ValueType] = [
            category
            for category in terms.data_categories
            if category != DataCategory.DATA_CATEGORY_SCORE
        ]
        release = Release.of_listings(answer, digest_of(envelope), categories, shown)
        (receipt,) = await self._accesses.released([release], seconds)
        if isinstance(receipt, Refusal):
            raise receipt
        return v1.CheckListingsResponse(answer=envelope, intent=intent, release=receipt)


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
