"""Taking orders in: decide, sign, and make durable, all in one transaction. Read top to bottom.

An order that is taken in again, because whoever took it in died before saying so, changes nothing more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import to_micros
from concordat.statements import envelope_of, seal_batch
from concordat.trust.envelope import payload_type_of
from concordat.trust.keys import Signer
from provider.listings.judging import judge_event, judge_filing, listed_as
from provider.listings.orders import AskOrder, EventOrder, FilingOrder, Order, SyncedOrder
from provider.listings.verdict import Outcome, Verdict
from provider.store import listings, mirror, outbox
from provider.store.listings import Key, Listed
from provider.store.outbox import FILING, Delivery, Posted

BATCH = 128  # orders in a transaction, and statements under one signature


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in orders of one member."""

    member_id: str
    federation: str
    signer: Signer

    def take(self, connection: Connection, orders: Sequence[Order], at: datetime) -> list[Outcome]:
        """Take in up to 128 orders; return the outcome of each, in order."""
        now = to_micros(at)
        filed = iter(self._file(connection, [o for o in orders if isinstance(o, FilingOrder)], now))
        said = iter(self._say(connection, [o for o in orders if isinstance(o, EventOrder)], now))
        outcomes = []
        for order in orders:
            match order:
                case FilingOrder():
                    outcomes.append(next(filed))
                case EventOrder():
                    outcomes.append(next(said))
                case AskOrder(subject_ref, filing_id):
                    outbox.ask_again(connection, (subject_ref, filing_id), now)
                    outcomes.append(Outcome(Verdict.QUEUED, filing_id))
                case SyncedOrder(synced):
                    mirror.put(connection, synced)
                    outcomes.append(Outcome(Verdict.QUEUED, b""))
        return outcomes

    def _file(
        self, connection: Connection, orders: Sequence[FilingOrder], now: int
    ) -> list[Outcome]:
        """Give each debt that has none its filing; one that was refused is signed anew under its id."""
        debts = [order.filing.debt_commitment for order in orders]
        current = listings.open_by_debt(connection, debts)
        ended = listings.ended_debts(connection, debts)
        history = outbox.of_filings(connection, [row.key for row in current.values()])
        refused = {key for key, said in history.items() if said[0].state == Delivery.REFUSED}
        outcomes: list[Outcome] = []
        fresh: list[tuple[Listed, v1.ListingFiling]] = []
        for order in orders:
            filing, row = order.filing, current.get(order.filing.debt_commitment)
            anew = row is not None and row.key in refused
            verdict = judge_filing(
                order, None if anew else row, ended=filing.debt_commitment in ended
            )
            if not self._is_own(filing.source, filing.federation):
                verdict = Verdict.NOT_THIS_MEMBERS
            filing_id = row.filing_id if row else filing.filing_id
            outcomes.append(Outcome(verdict, filing_id))
            if verdict is Verdict.QUEUED and (row is None or anew):
                written = listed_as(order, filing_id)
                current[written.debt] = written
                refused.discard(written.key)
                fresh.append((written, _with_id(filing, filing_id)))
        listings.put(connection, [row for row, _ in fresh])
        envelopes = self._sealed([filing for _, filing in fresh])
        outbox.put_filings(
            connection,
            [
                _posted(row.key, FILING, row.filing_id, FILING, envelope, now)
                for (row, _), envelope in zip(fresh, envelopes, strict=True)
            ],
        )
        return outcomes

    def _say(self, connection: Connection, orders: Sequence[EventOrder], now: int) -> list[Outcome]:
        """Put events behind what was said before; those whose listing has no id yet wait, unsigned."""
        rows = listings.by_keys(connection, [order.key for order in orders])
        history = outbox.of_filings(connection, [order.key for order in orders])
        outcomes: list[Outcome] = []
        ready: list[tuple[Posted, v1.ListingEvent]] = []
        waiting: list[Posted] = []
        for order in orders:
            event, row, said = order.event, rows.get(order.key), history[order.key]
            verdict = judge_event(event, row, said)
            if not self._is_own(event.actor, event.federation):
                verdict = Verdict.NOT_THIS_MEMBERS
            outcomes.append(Outcome(verdict, order.filing_id))
            if verdict is not Verdict.QUEUED or _is_said(event, said) or row is None:
                continue
            event = _about(event, row.listing_id or b"")
            post = _posted(
                order.key, len(said), event.event_id, event.action, _unsigned(event), now
            )
            said.append(post)
            if row.listing_id:
                ready.append((post, event))
            else:
                waiting.append(post._replace(state=Delivery.WAITING.value))
        envelopes = self._sealed([event for _, event in ready])
        signed = [
            post._replace(envelope=envelope.SerializeToString())
            for (post, _), envelope in zip(ready, envelopes, strict=True)
        ]
        outbox.put_events(connection, [*signed, *waiting])
        return outcomes

    def sign_waiting(
        self, connection: Connection, listing_ids: dict[Key, bytes], at: datetime
    ) -> None:
        """Sign and queue the events that waited for these listings' ids."""
        history = outbox.of_filings(connection, list(listing_ids))
        posts = [
            post for said in history.values() for post in said if post.state == Delivery.WAITING
        ]
        for start in range(0, len(posts), BATCH):
            group = posts[start : start + BATCH]
            events = [
                _about(
                    v1.ListingEvent.FromString(v1.Envelope.FromString(post.envelope).payload),
                    listing_ids[post.key],
                )
                for post in group
            ]
            outbox.sign(
                connection,
                [
                    post._replace(envelope=envelope.SerializeToString(), due_at=to_micros(at))
                    for post, envelope in zip(group, self._sealed(events), strict=True)
                ],
            )

    def _is_own(self, member_id: str, federation: str) -> bool:
        return (member_id, federation) == (self.member_id, self.federation)

    def _sealed(self, statements: Sequence[Message]) -> list[v1.Envelope]:
        return seal_batch(statements, self.signer) if statements else []


def _is_said(event: v1.ListingEvent, said: Sequence[Posted]) -> bool:
    return any(post.statement_id == event.event_id for post in said)


def _posted(
    key: Key, sequence: int, statement_id: bytes, action: int, envelope: v1.Envelope, now: int
) -> Posted:
    return Posted(
        *key,
        sequence,
        statement_id,
        action,
        envelope.SerializeToString(),
        Delivery.QUEUED.value,
        made_at=now,
        due_at=now,
    )


def _with_id(filing: v1.ListingFiling, filing_id: bytes) -> v1.ListingFiling:
    copy = v1.ListingFiling()
    copy.CopyFrom(filing)
    copy.filing_id = filing_id
    return copy


def _about(event: v1.ListingEvent, listing_id: bytes) -> v1.ListingEvent:
    copy = v1.ListingEvent()
    copy.CopyFrom(event)
    copy.listing_id = listing_id
    return copy


def _unsigned(event: v1.ListingEvent) -> v1.Envelope:
    payload = event.SerializeToString(deterministic=True)
    return envelope_of(payload_type_of(v1.ListingEvent), payload, [])
