"""Taking statements in: each verified one moves its listing in one transaction, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

from sqlalchemy import insert

from concordat import v1
from concordat.ids import new_id
from concordat.refusal import Refusal, refusing_untrusted
from concordat.v1 import ListingAction, ListingState, Reason
from exchange.listings import machine, reading
from exchange.listings.cause import Cause
from exchange.listings.ledger import Ledger, Office
from exchange.listings.machine import Actor, Listing, Party, PastDebt
from exchange.listings.machine.listing import LIVE
from exchange.listings.reading import FilingSeen
from exchange.listings.table import filing_seen, sealed_attachment
from exchange.vault.sealing import seal_many

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.trust.envelope import Verified
    from exchange.listings.reading import Debt, Key, StatementKey

_AGAIN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Filed:
    """A filing that verified."""

    filing: Verified[v1.ListingFiling]
    envelope: v1.Envelope
    profile: str  # name of its source's profile

    @property
    def seen_key(self) -> tuple[str, bytes]:
        """What it is known by when it comes again."""
        return self.filing.message.source, self.filing.message.filing_id

    @property
    def debt(self) -> Debt:
        """The debt."""
        return self.filing.message.subject_ref, self.filing.message.debt_commitment


def file_many(
    connection: Connection, office: Office, items: Sequence[Filed], at: datetime
) -> list[Listing | Refusal]:
    """Take filings in, in order; one that is refused refuses no other.

    The same filing again is answered with its listing as it stands; the same id with other bytes is refused.
    """
    if not items:
        return []
    ledger = Ledger(connection, office, at)
    ledger.lock_debts([item.debt for item in items])
    of_debts = reading.keys_of_debts(connection, [item.debt for item in items])
    # Last: whatever another process has just made of the same filing, this finds it.
    seen = reading.filings_seen(connection, [item.seen_key for item in items])
    ledger.lock([*(row.key for row in seen.values()), *chain.from_iterable(of_debts.values())])
    listings = {debt: ledger.get_all(keys) for debt, keys in of_debts.items()}
    known = dict(seen)
    results: list[Listing | Refusal] = []
    fresh: list[dict[str, object]] = []
    for item in items:
        try:
            before = known.get(item.seen_key)
            if before is not None:
                results.append(_again(ledger, item, before))
                continue
            with refusing_untrusted():
                listing = _file(ledger, office, item, listings.setdefault(item.debt, []))
        except Refusal as refusal:
            results.append(refusal)
            continue
        key = (listing.subject_ref, listing.listing_id)
        known[item.seen_key] = FilingSeen(item.filing.digest, key)
        fresh.append(_seen(item, key))
        results.append(listing)
    if fresh:
        connection.execute(insert(filing_seen), fresh)
    ledger.write()
    return results


def _again(ledger: Ledger, item: Filed, before: FilingSeen) -> Listing:
    if before.digest != item.filing.digest:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another filing has this id")
    listing = ledger.get(before.key)
    assert listing is not None  # noqa: S101 - read above
    return listing


def _file(ledger: Ledger, office: Office, item: Filed, of_debt: list[Listing]) -> Listing:
    """Open a listing, or join the live one of the same debt; ``of_debt`` is kept current."""
    filing = item.filing.message
    profile = office.profiles[item.profile]
    live = next((each for each in of_debt if each.state in LIVE), None)
    if live is not None:
        _require_unused(ledger, live, filing.filing_id)
        after = machine.join(live, filing, profile, ledger.at)
        of_debt.remove(live)
    else:
        past = PastDebt.of(of_debt)
        after = machine.open_listing(filing, new_id(), (item.profile, profile), ledger.at, past)
    cause = Cause.filing(filing, item.filing.digest, item.envelope, joined=live is not None)
    after = ledger.move(after, cause)
    of_debt.append(after)
    return after


def _require_unused(ledger: Ledger, listing: Listing, statement_id: bytes) -> None:
    """Raise ``Refusal`` where another's statement about the listing has the id already."""
    key = (listing.subject_ref, listing.listing_id)
    if ledger.digest_of(key, statement_id) is not None:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another statement has this id")


def _seen(item: Filed, key: Key) -> dict[str, object]:
    source, filing_id = item.seen_key
    return {
        "source": source,
        "filing_id": filing_id,
        "digest": item.filing.digest,
        "subject_ref": key[0],
        "listing_id": key[1],
    }


@dataclass(frozen=True, slots=True)
class Said:
    """An event that verified, and in what part its signer acts."""

    event: Verified[v1.ListingEvent]
    envelope: v1.Envelope
    party: Party

    @property
    def key(self) -> Key:
        """The listing."""
        return self.event.message.subject_ref, self.event.message.listing_id


def apply_many(
    connection: Connection, office: Office, items: Sequence[Said], at: datetime
) -> list[Listing | Refusal]:
    """Apply events, in order; the same event again changes nothing, one that is refused refuses no other."""
    if not items:
        return []
    ledger = Ledger(connection, office, at)
    ledger.lock([item.key for item in items])
    taken = reading.step_digests(
        connection, [(*item.key, item.event.message.event_id) for item in items]
    )
    results: list[Listing | Refusal] = []
    for item in items:
        try:
            with refusing_untrusted():
                results.append(_apply(ledger, item, taken))
        except Refusal as refusal:
            results.append(refusal)
    ledger.write()
    return results


def _apply(ledger: Ledger, item: Said, taken: dict[StatementKey, bytes]) -> Listing:
    event, place = item.event.message, (*item.key, item.event.message.event_id)
    listing = _known(ledger, item.key, item.party)
    before = taken.get(place)
    if before is not None:
        return _same(listing, before, item.event.digest)
    party = _part_in(listing, item.party)
    after = machine.apply_event(listing, event, party, ledger.profile_of(listing), ledger.at)
    taken[place] = item.event.digest
    if event.action == ListingAction.LISTING_ACTION_RECONFIRM and not _is_news(
        listing, after, party
    ):
        return listing
    return ledger.move(after, Cause.event(event, item.event.digest, item.envelope))


def _is_news(before: Listing, after: Listing, party: Party) -> bool:
    """Tell whether a reconfirmation says something: before the effect, and a day later than the last did.

    Any other would lengthen the listing's history, which its subject is shown all of, and nothing else.
    """
    if before.state != ListingState.LISTING_STATE_NOTICED:
        return False
    return _said_last(after, party) - _said_last(before, party) >= _AGAIN_AFTER


def _said_last(listing: Listing, party: Party) -> datetime:
    return max(s.reconfirmed_at for s in listing.live_sources if s.member_id == party.member_id)


def _known(ledger: Ledger, key: Key, party: Party) -> Listing:
    """Return a listing that the party may know of; to anyone else it does not exist."""
    listing = ledger.get(key)
    if listing is None:
        raise Refusal(Reason.REASON_LISTING_UNKNOWN)
    if party.actor in (Actor.FURNISHER, Actor.COURT) and not any(
        source.member_id == party.member_id for source in listing.sources
    ):
        raise Refusal(Reason.REASON_LISTING_UNKNOWN, f"{party.member_id} never was a source")
    return listing


def _part_in(listing: Listing, party: Party) -> Party:
    """Return in what part a source acts: as the court where it filed the judgment."""
    if party.actor is Actor.FURNISHER and any(
        source.court for source in listing.live_sources if source.member_id == party.member_id
    ):
        return Party(Actor.COURT, party.member_id)
    return party


def _same(listing: Listing, before: bytes, digest: bytes) -> Listing:
    if before != digest:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another statement has this id")
    return listing


def dispute_one(
    connection: Connection,
    office: Office,
    dispute: tuple[Verified[v1.Dispute], v1.Envelope],
    attachments: Sequence[v1.SealedAttachment],
    at: datetime,
) -> Listing:
    """Take a dispute in with its sealed evidence; the same again changes nothing. Raises ``Refusal``."""
    verified, envelope = dispute
    said = verified.message
    key = (said.subject_ref, said.listing_id)
    ledger = Ledger(connection, office, at)
    ledger.lock([key])
    listing = _known(ledger, key, Party(Actor.SUBJECT))
    before = ledger.digest_of(key, said.dispute_id)
    if before is not None:
        return _same(listing, before, verified.digest)
    if reading.dispute_id_used(connection, said.subject_ref, said.reviewer, said.dispute_id):
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another dispute has this id")
    with refusing_untrusted():
        after = machine.raise_dispute(listing, said, ledger.profile_of(listing), at)
    after = ledger.move(after, Cause.dispute(said, verified.digest, envelope))
    ledger.write()
    if attachments:
        sealed = seal_many(connection, [(said.subject_ref, each.sealed) for each in attachments])
        connection.execute(
            insert(sealed_attachment),
            [
                {
                    "subject_ref": said.subject_ref,
                    "dispute_id": said.dispute_id,
                    "place": place,
                    "sealed": raw,
                }
                for place, raw in enumerate(sealed)
            ],
        )
    return after


def rule_one(
    connection: Connection,
    office: Office,
    ruling: tuple[Verified[v1.Ruling], v1.Envelope],
    party: Party,
    at: datetime,
) -> Listing:
    """Take a ruling in; the same again changes nothing. Raises ``Refusal``."""
    verified, envelope = ruling
    said = verified.message
    key = (said.subject_ref, said.listing_id)
    ledger = Ledger(connection, office, at)
    ledger.lock([key])
    listing = _known(ledger, key, party)
    before = ledger.digest_of(key, said.ruling_id)
    if before is not None:
        return _same(listing, before, verified.digest)
    with refusing_untrusted():
        after = machine.rule(listing, said, party, ledger.profile_of(listing), at)
    after = ledger.move(after, Cause.ruling(said, verified.digest, envelope))
    ledger.write()
    return after


def serve_notices(
    connection: Connection,
    office: Office,
    served: Sequence[tuple[Key, v1.NoticeProof]],
    at: datetime,
) -> None:
    """Put down that notices reached their subjects; those of listings that are no drafts change nothing."""
    ledger = Ledger(connection, office, at)
    ledger.lock([key for key, _ in served])
    for key, proof in served:
        listing = ledger.get(key)
        if listing is not None and listing.state == v1.ListingState.LISTING_STATE_DRAFT:
            ledger.act(listing, ListingAction.LISTING_ACTION_NOTICE_SERVED, proof)
            ledger.follow(key)
    ledger.write()
