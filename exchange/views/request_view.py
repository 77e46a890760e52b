"""The main flow: admit, record, log, gather, pool, sign, release (docs/ARCHITECTURE.md).

Read this page first. Each step refuses by raising ``Refusal``; nothing is released before its access entry
is in a signed checkpoint of the log, and nothing is stored about a score.
"""

from __future__ import annotations

from itertools import compress
from time import monotonic as _monotonic
from typing import TYPE_CHECKING

from concordat import v1
from concordat.federation.purposes import require_releases_score
from concordat.refusal import Refusal
from concordat.rpc.deadline import MARGIN_SECONDS, next_hop_seconds
from concordat.statements import digest_of, seal_batch
from concordat.telemetry.streams import step
from concordat.v1 import DataCategory
from exchange.listings.told import NOTHING
from exchange.views import measured
from exchange.views.checking import check_ask
from exchange.views.compose import Pooling, compose_view, statements_to_release
from exchange.views.counted import cells_of_view
from exchange.views.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from opentelemetry.trace import Span

    from concordat.clock import Clock
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.trust.keys import Signer
    from exchange.listings.answering import Lookout
    from exchange.listings.told import Shown
    from exchange.log.book import LogBook
    from exchange.views.accesses import Accesses, Logged
    from exchange.views.dispatch import Dispatcher, Gathering

# The longest that providers are waited for, whatever the lender's deadline.
PROVIDER_SECONDS = 5.0


def nobody_stale(_version: int) -> frozenset[str]:
    """Mark no provider; for whoever does not watch drift."""
    return frozenset()


class ViewDesk:
    """Answers view requests, one or many at a time."""

    def __init__(  # noqa: PLR0913, PLR0917 - wired once, with all that a view is made of
        self,
        directory: MemberDirectory,
        accesses: Accesses,
        lookout: Lookout,
        book: LogBook,
        dispatcher: Dispatcher,
        signer: Signer,
        clock: Clock,
        provider_seconds: float = PROVIDER_SECONDS,
        stale: Callable[[int], frozenset[str]] = nobody_stale,
    ) -> None:
        """Check against ``directory``, record in ``accesses``, ask through ``dispatcher``.

        ``stale`` names the providers whose scores have drifted since the fit of a calibration, by its version.
        """
        self._directory = directory
        self._accesses = accesses
        self._lookout = lookout
        self._book = book
        self._dispatcher = dispatcher
        self._signer = signer
        self._clock = clock
        self._provider_seconds = provider_seconds
        self._stale = stale

    async def answer(
        self,
        asks: Sequence[v1.RequestViewRequest],
        caller: Member,
        at: datetime,
        seconds_left: float,
        spans: Sequence[Span] | None = None,
    ) -> list[v1.RequestViewResponse | Refusal]:
        """Answer each ask by itself, in order; one that is refused refuses no other.

        ``spans`` are of asks that are traced each by itself, by place; else they belong to the current trace.
        Raises ``Refusal`` where nothing may be released to anybody, because the log is not in order.
        """
        self._dispatcher.in_flight += len(asks)
        try:
            self._book.require_open(at)
            self._directory.calibration(at)  # with none in use nothing can be pooled: ask nobody
            budget = next_hop_seconds(seconds_left)
            ends = _monotonic() + seconds_left
            anchors = self._directory.anchors
            with step("admission", spans, views=len(asks)):
                checked = [
                    check_ask(ask, caller, anchors, at, require_releases_score) for ask in asks
                ]
            # Record: an access entry for each, durable before anything else happens (R24). Log: each is in a
            # signed checkpoint before a provider hears of it, and proves it to them.
            with step("record", spans):
                recorded = await self._accesses.record(checked)
            with step("log wait", spans):
                logged = await self._accesses.logged(recorded, budget)
            measured.refused(checked, logged)
            asked = [not isinstance(result, Refusal) for result in logged]
            spans = None if spans is None else list(compress(spans, asked))
            with step("ask providers", spans) as asking:
                gathered = await self._gather(logged, ends - _monotonic(), asking)
            released = iter(await self._release(gathered, ends - _monotonic(), spans))
            return [result if isinstance(result, Refusal) else next(released) for result in logged]
        finally:
            self._dispatcher.in_flight -= len(asks)

    async def _gather(
        self,
        logged: Sequence[Logged | Refusal],
        seconds_left: float,
        spans: Sequence[Span] | None,
    ) -> list[Gathering]:
        """Gather: every provider that a consent names, at once."""
        asked = [result for result in logged if not isinstance(result, Refusal)]
        if not asked:
            return []
        budget = next_hop_seconds(seconds_left, self._provider_seconds)
        return await self._dispatcher.ask(asked, budget, spans)

    async def _release(
        self, gathered: Sequence[Gathering], seconds_left: float, spans: Sequence[Span] | None
    ) -> list[v1.RequestViewResponse | Refusal]:
        """Pool, add listings and sign, record and log what goes out, and only then let it go."""
        if not gathered:
            return []
        at = self._clock.now()
        exchange = self._directory.require(self._directory.anchors.bundle.exchange_id, at)
        calibration = self._directory.calibration(at)
        pooling = Pooling(calibration, self._stale(calibration.version))
        shown = await self._shown(gathered, at)
        with step("pool", spans):
            views = [
                compose_view(gathering, exchange, pooling, at, each)
                for gathering, each in zip(gathered, shown, strict=True)
            ]
            envelopes = seal_batch(views, self._signer)
        releases = [
            Release.of_view(
                view,
                digest_of(envelope),
                _categories(gathering),
                each,
                cells_of_view(gathering, calibration),
                gathering.waited,
            )
            for view, envelope, gathering, each in zip(
                views, envelopes, gathered, shown, strict=True
            )
        ]
        with step("release", spans):
            receipts = await self._accesses.released(releases, seconds_left - MARGIN_SECONDS)
        measured.released(gathered, views, receipts)
        return [
            receipt
            if isinstance(receipt, Refusal)
            else v1.RequestViewResponse(
                view=envelope,
                consent_status=gathering.status,
                statements=statements_to_release(gathering),
                intent=gathering.intent,
                release=receipt,
            )
            for gathering, envelope, receipt in zip(gathered, envelopes, receipts, strict=True)
        ]

    async def _shown(self, gathered: Sequence[Gathering], at: datetime) -> list[Shown]:
        """Return the listings in force of each subject whose consent covers them."""
        places = [
            place
            for place, gathering in enumerate(gathered)
            if DataCategory.DATA_CATEGORY_LISTINGS in _categories(gathering)
        ]
        refs = [gathered[place].admitted.checked.subject_ref for place in places]
        found = await self._lookout.shown(refs, at)
        by_place = {places[nth]: each for nth, each in found.items()}
        return [by_place.get(place, NOTHING) for place in range(len(gathered))]


def _categories(gathering: Gathering) -> Sequence[DataCategory.ValueType]:
    """Return the categories of data that go out: all that the consent covers."""
    return gathering.admitted.checked.consent.message.data_categories
