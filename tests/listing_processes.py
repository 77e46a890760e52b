"""Exchange processes on one database, as far as listings go: each with its own connection, memory and clock.

    one, other = Process(url, federation), Process(url, federation)
    one.file(filing); other.say(event)                 # through the servicers, on signed statements
    asyncio.run(other.book.refresh())

``die_in_the_middle`` and ``die_before_answering`` run in a process of their own, which kills itself.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, event

from concordat import v1
from concordat.clock import Clock
from concordat.rpc.admission import CURRENT_CALL, Call
from concordat.statements import seal
from concordat.store import group_commit
from concordat.store.group_commit import GroupCommit
from exchange.listings import timer
from exchange.listings.book import ListingBook
from exchange.listings.furnisher_servicer import FurnisherServicer
from exchange.listings.opening import open_listings
from exchange.settings import ListingsSettings
from exchange.subjects.servicer import SubjectServicer
from tests.builders import EXCHANGE, Federation, Subject, signer
from tests.exchange_services import NO_CONTEXT, subject_request
from tests.vault_builders import exchange_engine


class Process:
    """What one exchange process has of the listings."""

    def __init__(self, url: str, federation: Federation, shared: GroupCommit | None = None) -> None:
        """Open the database; ``shared`` is a connection that is open already, and stays so."""
        self.federation = federation
        self.engine: Engine | None = None
        if shared is None:
            self.engine = exchange_engine(url)
        self.store = shared or GroupCommit(_of(self.engine))
        self.clock = Clock(source=lambda: federation.at)
        self.listings = open_listings(
            ListingsSettings(), federation.directory, self.store, signer(EXCHANGE)
        )
        self.furnishers = FurnisherServicer(federation.anchors, self.store, self.listings.office)
        unused: Any = None  # nobody looks at a score here, nor asks for a report
        self.subjects = SubjectServicer(
            federation.directory, self.store, self.listings.office, unused, unused
        )

    @property
    def book(self) -> ListingBook:
        """The process's memory."""
        return self.listings.book

    def call(self, method: Any, request: Any, caller: str | None = None) -> Any:
        """Call a servicer as a member, or as anybody."""

        async def answered() -> Any:
            member = self.federation.member(caller) if caller else None
            CURRENT_CALL.set(Call("method", "request-id", self.federation.at, member, 5.0))
            return await method(request, NO_CONTEXT)

        return asyncio.run(answered())

    def file(self, *filings: v1.ListingFiling) -> list[v1.ListingResult]:
        """File as the source of the first."""
        envelopes = [seal(filing, signer(filing.source)) for filing in filings]
        request = v1.FileListingsRequest(filings=envelopes)
        response = self.call(self.furnishers.FileListings, request, filings[0].source)
        return list(response.results)

    def say(self, *events: v1.ListingEvent) -> list[v1.ListingResult]:
        """Submit a source's events."""
        envelopes = [seal(each, signer(each.actor)) for each in events]
        request = v1.SubmitListingEventsRequest(events=envelopes)
        response = self.call(self.furnishers.SubmitListingEvents, request, events[0].actor)
        return list(response.results)

    def read_inbox(self, person: Subject) -> list[v1.InboxMessage]:
        """Return all of a subject's messages; notices among them are served."""
        found: list[v1.InboxMessage] = []
        while True:
            asked = subject_request(
                self.federation, person, query=v1.SubjectQuery.SUBJECT_QUERY_INBOX
            )
            after = found[-1].message_id if found else b""
            request = v1.ReadInboxRequest(request=asked, binding=person.binding, after=after)
            page = self.call(self.subjects.ReadInbox, request)
            found += page.messages
            if not page.more:
                return found

    def own(self, person: Subject) -> list[v1.OwnListing]:
        """Return a subject's listings, the first page of them."""
        asked = subject_request(
            self.federation, person, query=v1.SubjectQuery.SUBJECT_QUERY_LISTINGS
        )
        request = v1.ListOwnListingsRequest(request=asked, binding=person.binding)
        return list(self.call(self.subjects.ListOwnListings, request).listings)

    def run_due(self) -> int:
        """Do what is due, once round; return to how many listings."""
        at = self.federation.at
        return self.store.run(lambda c: timer.run_due(c, self.listings.office, at))

    def refresh(self) -> None:
        """Bring the memory up to date."""
        asyncio.run(self.book.refresh())

    def close(self) -> None:
        """Close what was opened here."""
        if self.engine is not None:
            self.store.close()
            self.engine.dispose()


def _of(engine: Engine | None) -> Engine:
    assert engine is not None
    return engine


# Processes that die -----------------------------------------------------------------------------


def _kill(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _reopened(url: str, at: datetime, members: Sequence[bytes]) -> Process:
    federation = Federation(at=at)
    for raw in members:
        federation.directory.add_licence(v1.Envelope.FromString(raw), at)
    return Process(url, federation)


def die_before_answering(url: str, at: datetime, members: Sequence[bytes], raw: bytes) -> None:
    """File, and die when it is committed and nobody has been told."""
    process = _reopened(url, at, members)
    group_commit._Job.settle = _kill  # type: ignore[assignment, method-assign]
    process.file(v1.ListingFiling.FromString(raw))


def die_in_the_middle(url: str, at: datetime, members: Sequence[bytes], raw: bytes) -> None:
    """File, and die when everything is written and nothing is committed."""
    process = _reopened(url, at, members)
    event.listen(_of(process.engine), "commit", _kill)  # called before it commits
    process.file(v1.ListingFiling.FromString(raw))
