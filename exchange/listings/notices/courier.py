"""Taking notices to the mail server, and telling the listing once one was taken."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import Clock, from_timestamp, to_timestamp
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.v1 import InboxKind, NoticeChannel, Reason
from exchange.listings.notices import mail_table as table
from exchange.listings.notices.letter import Letter
from exchange.listings.notices.mail import Mailer, MailError
from exchange.listings.notices.mail_table import Due
from exchange.listings.notices.texts import alert_text
from exchange.repeating import repeat

_log = structlog.get_logger("concordat.mail")

EVERY_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=12)
GIVE_UP_AFTER = timedelta(days=5)
_DOUBLINGS = 10  # of the first pause, beyond which it is the longest
_PASSING = (Reason.REASON_UNAVAILABLE, Reason.REASON_INTERNAL)

OnServed = Callable[[bytes, bytes, v1.NoticeProof, datetime], Awaitable[None]]
AddressOf = Callable[[Connection, bytes], tuple[str, str] | None]
MessageOf = Callable[[Connection, bytes, bytes], v1.InboxMessage | None]


@dataclass(frozen=True, slots=True)
class _Errand:
    """A row that was taken, with what is sent for it; None where that is gone."""

    due: Due
    message: v1.InboxMessage | None
    address: tuple[str, str] | None


class Courier:
    """Sends what is due, a few messages at once, and records what became of each.

    A message that the mail server took is never sent again, also not after a restart: a stopping courier
    waits for what is under way. Only a process that dies between the server's answer and our record of it,
    or a server that does so before it answers, leaves a message to be sent once more; it goes out under the
    same Message-ID.
    """

    def __init__(
        self,
        store: GroupCommit,
        mailer: Mailer,
        clock: Clock,
        on_served: OnServed,
        *,
        address_of: AddressOf,
        message_of: MessageOf,
        grace_seconds: float = 5.0,
    ) -> None:
        """Send through ``mailer``.

        ``on_served`` (subject_ref, listing_id, proof, now) is awaited once for each notice that was served,
        and again until it returns, or refuses for good. ``address_of`` gives a subject's address and language,
        ``message_of`` an inbox message. A stopped courier waits ``grace_seconds`` for what is under way.
        """
        self._store = store
        self._mailer = mailer
        self._clock = clock
        self._on_served = on_served
        self._address_of = address_of
        self._message_of = message_of
        self._grace = grace_seconds

    async def run(self) -> None:
        """Send until cancelled."""
        await repeat("mail", EVERY_SECONDS, self._whole_round)

    async def _whole_round(self) -> bool:
        """Do a round, and what is under way to its end where it is cancelled; return whether there is more."""
        round_ = asyncio.ensure_future(self.round())
        try:
            return await asyncio.shield(round_) >= self._mailer.settings.at_once
        except asyncio.CancelledError:
            await asyncio.wait([round_], timeout=self._grace)
            await asyncio.to_thread(self._mailer.close)
            await asyncio.wait([round_], timeout=self._grace)  # to record what was broken off
            raise

    async def round(self) -> int:
        """Take what is due, as many as may be sent at once; return how many there were."""
        errands = await self._store.arun(self._take)
        await asyncio.gather(*(self._run_errand(errand) for errand in errands))
        return len(errands)

    def _take(self, connection: Connection) -> list[_Errand]:
        rows = table.due(connection, self._clock.now(), self._mailer.settings.at_once)
        return [
            _Errand(
                row,
                self._message_of(connection, *row.key),
                self._address_of(connection, row.subject_ref),
            )
            for row in rows
        ]

    async def _run_errand(self, errand: _Errand) -> None:
        """Send a message, or tell of one that was taken; nothing that fails here is another's failure."""
        try:
            if errand.due.accepted_at is None:
                await self._send(errand)
            else:
                await self._tell(errand, errand.due.accepted_at, errand.due.evidence)
        except Exception as error:  # noqa: BLE001 - the row is due again when its lease ends
            _log.error("mail_errand_failed", error=type(error).__name__)

    async def _send(self, errand: _Errand) -> None:
        key = errand.due.key
        if errand.message is None or errand.address is None:
            gone = "no such message" if errand.message is None else "no address"
            await self._store.arun(lambda c: table.failed(c, key, gone, None))
            return
        try:
            evidence = await self._mailer.send(
                self._letter(errand.due, errand.message, errand.address)
            )
        except MailError as error:
            await self._put_off(errand.due, error)
            return
        at = self._clock.now()
        counts = self._mailer.settings.full_text and _is_notice(errand.message)
        await self._store.arun(lambda c: table.accepted(c, key, at, evidence, tell=counts))
        if counts:
            await self._tell(errand, at, evidence)

    def _letter(self, due: Due, message: v1.InboxMessage, address: tuple[str, str]) -> Letter:
        email, language = address
        text = message.text
        if not self._mailer.settings.full_text:
            digest = hashlib.sha256(text.encode()).digest()
            text = alert_text(self._mailer.federation, digest, language)
        return Letter(_mail_id(due), email, language, text, from_timestamp(message.sent_at))

    async def _put_off(self, due: Due, error: MailError) -> None:
        at = self._clock.now()
        again = None if error.permanent else retry_at(due.attempts, due.enqueued_at, at)
        _log.warning("mail_failed", attempt=due.attempts, failure=error.brief, final=again is None)
        await self._store.arun(lambda c: table.failed(c, due.key, str(error), again))

    async def _tell(self, errand: _Errand, accepted_at: datetime, evidence: bytes) -> None:
        """Tell the listing that its notice was served; later again where that fails for now."""
        due, message = errand.due, errand.message
        if message is not None:
            proof = v1.NoticeProof(
                channel=NoticeChannel.NOTICE_CHANNEL_EMAIL,
                served_at=to_timestamp(accepted_at),
                notice_hash=hashlib.sha256(message.text.encode()).digest(),
                evidence_digest=hashlib.sha256(evidence).digest(),
            )
            try:
                await self._on_served(due.subject_ref, due.listing_id, proof, self._clock.now())
            except Refusal as refusal:
                if refusal.reason in _PASSING:
                    await self._tell_later(due)
                    return
                # It was served before, or has ended meanwhile.
                _log.info("notice_not_needed", reason=Reason.Name(refusal.reason))
            except Exception as error:  # noqa: BLE001 - whatever it was, the proof must not be lost
                _log.warning("notice_not_told", error=type(error).__name__)
                await self._tell_later(due)
                return
        await self._store.arun(lambda c: table.done(c, due.key))

    async def _tell_later(self, due: Due) -> None:
        again = self._clock.now() + _pause(due.attempts)
        await self._store.arun(lambda c: table.failed(c, due.key, "not told yet", again))


def retry_at(attempts: int, enqueued_at: datetime, at: datetime) -> datetime | None:
    """Return when to try again after the attempt that failed at ``at``; None where it is time to give up.

    After a minute first, then after twice as long each time, up to twelve hours, for five days.
    """
    again = at + _pause(attempts)
    return again if again <= enqueued_at + GIVE_UP_AFTER else None


def _pause(attempts: int) -> timedelta:
    return min(FIRST_PAUSE * (1 << min(max(attempts - 1, 0), _DOUBLINGS)), LONGEST_PAUSE)


def _is_notice(message: v1.InboxMessage) -> bool:
    return message.kind == InboxKind.INBOX_KIND_LISTING_NOTICE


def _mail_id(due: Due) -> bytes:
    """Return what names a message in the mail: the same each time, and to nobody else a name of anyone."""
    return hashlib.sha256(b"concordat/mail/v1\n" + due.subject_ref + due.message_id).digest()[:16]
