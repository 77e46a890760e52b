"""Opening the listings of an exchange process: everything that its services and timers need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.listings.announcements import Announcer, not_posted
from exchange.listings.answering import Lookout
from exchange.listings.book import ListingBook
from exchange.listings.intake import serve_notices
from exchange.listings.ledger import Office
from exchange.listings.notices import mail_table
from exchange.listings.notices.courier import Courier
from exchange.listings.notices.mail import Mailer
from exchange.listings.profile import Profiles
from exchange.listings.timer import AT_ONCE, run_due
from exchange.listings.wording import Wording
from exchange.repeating import repeat
from exchange.subjects.contact_table import address_of
from exchange.subjects.inbox_table import message_of

if TYPE_CHECKING:
    from datetime import datetime

    from concordat import v1
    from concordat.clock import Clock
    from concordat.federation.directory import MemberDirectory
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer
    from exchange.settings import ListingsSettings

TIMER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Listings:
    """The listings of one process."""

    store: GroupCommit
    profiles: Profiles
    office: Office
    book: ListingBook
    lookout: Lookout

    def run_due_now(self, clock: Clock) -> int:
        """Do what is due, all of it; return to how many listings. For the start, and for tests."""
        done = 0
        while (some := self.store.run(lambda c: run_due(c, self.office, clock.now()))) > 0:
            done += some
        return done

    async def run_timer(self, clock: Clock) -> None:
        """Do what is due, every second, until cancelled."""

        async def run() -> bool:
            some = await self.store.arun(lambda c: run_due(c, self.office, clock.now()))
            if some:
                self.book.nudge()
            return some >= AT_ONCE

        await repeat("listings", TIMER_SECONDS, run)


def open_listings(
    settings: ListingsSettings,
    directory: MemberDirectory,
    store: GroupCommit,
    signer: Signer,
) -> Listings:
    """Open the listings; ``load`` of their book, before anything is answered, is the caller's.

    Raises ``ProfileError`` where a profile can't be used.
    """
    profiles = Profiles.load(settings.profiles)
    post = not_posted if settings.mail is None else mail_table.enqueue
    anchors, wording = directory.anchors, Wording(directory, profiles)
    office = Office(
        anchors.federation,
        anchors.bundle.exchange_id,
        signer,
        profiles,
        Announcer(wording, post),
        wording,
    )
    book = ListingBook(store, profiles)
    return Listings(store, profiles, office, book, Lookout(book, store, profiles))


def open_courier(settings: ListingsSettings, listings: Listings, clock: Clock) -> Courier | None:
    """Return who takes notices to the mail server; None where the settings name none.

    Raises ``SettingsError`` or ``OSError`` where a file of theirs can't be read.
    """
    if settings.mail is None:
        return None

    async def served(
        subject_ref: bytes, listing_id: bytes, proof: v1.NoticeProof, at: datetime
    ) -> None:
        notice = ((subject_ref, listing_id), proof)
        await listings.store.arun(lambda c: serve_notices(c, listings.office, [notice], at))

    return Courier(
        listings.store,
        Mailer(settings.mail, listings.office.federation),
        clock,
        served,
        address_of=address_of,
        message_of=message_of,
    )
