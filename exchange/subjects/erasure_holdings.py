"""What the exchange holds about a subject, each with whether it goes: read in one transaction, by the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from concordat import v1
from concordat.clock import from_micros, from_timestamp
from concordat.trust.envelope import payload_type_of
from concordat.v1 import ErasureCategory as Category
from exchange.consents import table as consents
from exchange.lenders.change_table import lender_change
from exchange.lenders.monitoring import KEEP
from exchange.listings import reading
from exchange.listings.machine.listing import LIVE, Listing
from exchange.listings.table import listing_told, sealed_attachment
from exchange.log import sequencing
from exchange.log import table as log
from exchange.log.table import log_queue
from exchange.subjects import erasure_rules as rules
from exchange.subjects.contact_table import subject_contact
from exchange.subjects.erasure_rules import EntryHeld, Kept, Periods, Verdict
from exchange.subjects.flag_table import NO_FLAGS, flags_of
from exchange.subjects.inbox_table import inbox_message
from exchange.subjects.own_look_table import own_look
from exchange.subjects.report_table import report_given
from exchange.views.table import access_entry

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from exchange.listings.profile import Profiles

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Source:
    """Whom an erasure is about, and what it is decided with."""

    connection: Connection
    profiles: Profiles
    subject_ref: bytes
    periods: Periods
    at: datetime


@dataclass(slots=True)
class Holdings:
    """What there is: a verdict on each, and the keys of what goes, by table."""

    verdicts: list[Verdict] = field(default_factory=list)
    consents: list[bytes] = field(default_factory=list)  # consent_id
    accesses: list[bytes] = field(default_factory=list)  # access_id
    entries: list[tuple[int, bytes]] = field(default_factory=list)  # sequence, record_id
    listings: list[Listing] = field(default_factory=list)
    told: list[tuple[bytes, bytes]] = field(default_factory=list)  # listing_id, answer_digest
    disputes: list[bytes] = field(default_factory=list)  # dispute_id of evidence that goes
    messages: list[int] = field(default_factory=list)  # sequence
    cases: list[bytes] = field(default_factory=list)  # record_id of look-ups that were told of
    contact: bool = False
    flags: bool = False
    ask_too: set[str] = field(default_factory=set)
    kept_accesses: dict[bytes, Kept] = field(default_factory=dict)

    def judge(self, category: Category.ValueType, kept: Kept | None) -> bool:
        """Note a verdict; return whether the thing goes."""
        self.verdicts.append((category, kept))
        return kept is None


def holdings_of(source: Source) -> Holdings:
    """Return everything about the subject, judged."""
    held = Holdings()
    entries = list(_entries(source))
    proofs = _judge_accesses(held, source, entries)
    kept_consents = _judge_consents(held, source, proofs)
    kept_listings = _judge_listings(held, source)
    _judge_told(held, source)
    _judge_messages(held, source)
    _judge_small(held, source)
    for entry in entries:
        kept = rules.entry_kept(entry, kept_consents, kept_listings, held.kept_accesses, source.at)
        if held.judge(rules.category_of(entry.record), kept):
            held.entries.append((entry.sequence, entry.record.record_id))
            if entry.record.WhichOneof("act") == "case_notice":
                held.cases.append(entry.record.case_notice.record_id)
    return held


def _entries(source: Source) -> Iterator[EntryHeld]:
    """Yield the entries about the subject that still open, in order."""
    signed = sequencing.signed(source.connection).size
    for opening, record in log.walk(source.connection, source.subject_ref, _END):
        at = from_timestamp(record.recorded_at)
        yield EntryHeld(opening.sequence, record, at, settled=opening.leaf_index < signed)


_END = (1 << 62) - 1  # beyond any index


def _judge_accesses(
    held: Holdings, source: Source, entries: Iterable[EntryHeld]
) -> dict[bytes, datetime]:
    """Judge the access entries; return until when each consent is proof of one that is kept."""
    proofs: dict[bytes, datetime] = {}

    def note(record_id: bytes, consent_id: bytes, kept: Kept | None) -> None:
        if kept is not None:
            held.kept_accesses[record_id] = kept
            until = kept.until or source.at
            proofs[consent_id] = max(proofs.get(consent_id, until), until)

    query = select(
        access_entry.c.access_id,
        access_entry.c.consent_id,
        access_entry.c.lender,
        access_entry.c.recorded_at,
        access_entry.c.asked_of.is_not(None).label("narrow"),
    ).where(access_entry.c.subject_ref == source.subject_ref)
    known: set[bytes] = set()
    for row in source.connection.execute(query):
        made = from_micros(row.recorded_at)
        kept = rules.access_kept(made, source.periods, source.at, narrow=bool(row.narrow))
        note(row.access_id, row.consent_id, kept)
        known.add(row.access_id)
        if held.judge(Category.ERASURE_CATEGORY_ACCESSES, kept):
            held.accesses.append(row.access_id)
        held.ask_too.add(row.lender)
    for entry in entries:
        record = entry.record
        act = record.WhichOneof("act")
        if act in rules.ACCESSES_THEMSELVES and record.record_id not in known:
            kept = rules.access_kept(entry.at, source.periods, source.at, narrow=False)
            consent_id = record.screening.consent_id or record.monitoring.consent_id
            note(record.record_id, consent_id, kept)
    return proofs


def _judge_consents(
    held: Holdings, source: Source, proofs: dict[bytes, datetime]
) -> dict[bytes, Kept]:
    kept_consents: dict[bytes, Kept] = {}
    after = b""
    while found := consents.page(source.connection, source.subject_ref, after, _CHUNK):
        for record in found:
            terms = v1.Consent.FromString(record.consent.payload)
            after = terms.consent_id
            consent = rules.ConsentHeld(record.state, from_timestamp(terms.valid_until))
            kept = rules.consent_kept(consent, proofs.get(terms.consent_id), source.at)
            if held.judge(Category.ERASURE_CATEGORY_CONSENTS, kept):
                held.consents.append(terms.consent_id)
            elif kept is not None:
                kept_consents[terms.consent_id] = kept
            held.ask_too.update(terms.providers, [terms.recipient])
    return kept_consents


def _judge_listings(held: Holdings, source: Source) -> dict[bytes, Kept]:
    kept_listings: dict[bytes, Kept] = {}
    of_kept: set[bytes] = set()  # disputes whose evidence stays
    after = b""
    while found := reading.of_subject(source.connection, source.subject_ref, after, _CHUNK):
        for stored in found:
            listing = stored.listing
            after = listing.listing_id
            kept = rules.listing_kept(_listing_held(source, listing), source.at)
            if held.judge(Category.ERASURE_CATEGORY_LISTINGS, kept):
                held.listings.append(listing)
            elif kept is not None:
                kept_listings[listing.listing_id] = kept
                of_kept |= _disputes_of(source, listing)
            held.ask_too.update(each.member_id for each in listing.sources)
    query = select(sealed_attachment.c.dispute_id).where(
        sealed_attachment.c.subject_ref == source.subject_ref
    )
    evidence = set(source.connection.execute(query.distinct()).scalars())
    held.disputes = sorted(evidence - of_kept)
    return kept_listings


def _listing_held(source: Source, listing: Listing) -> rules.ListingHeld:
    until = listing.dispute.due_at if listing.dispute else None
    ruling, live = listing.ruling, listing.state in LIVE
    if until is None and live and ruling is not None and not ruling.appealed:
        until = source.profiles[listing.profile].appeal_within.after(ruling.decided_at)
    return rules.ListingHeld(
        live=live,
        expires_at=listing.expires_at,
        filed_at=listing.filed_at,
        disputed_until=until,
    )


def _disputes_of(source: Source, listing: Listing) -> set[bytes]:
    """Return the ids of all disputes about a listing."""
    found: set[bytes] = set()
    key = (listing.subject_ref, listing.listing_id)
    for row in reading.steps_of(source.connection, key, _CHUNK):
        envelope = row.envelope
        if envelope.payload_type == payload_type_of(v1.Dispute):
            found.add(v1.Dispute.FromString(envelope.payload).dispute_id)
    return found


def _judge_told(held: Holdings, source: Source) -> None:
    query = select(
        listing_told.c.listing_id,
        listing_told.c.answer_digest,
        listing_told.c.lender,
        listing_told.c.told_at,
    ).where(listing_told.c.subject_ref == source.subject_ref)
    for row in source.connection.execute(query):
        kept = rules.recall_kept(from_micros(row.told_at), source.at)
        if held.judge(Category.ERASURE_CATEGORY_RECALLS, kept):
            held.told.append((row.listing_id, row.answer_digest))
        held.ask_too.add(row.lender)


def _judge_messages(held: Holdings, source: Source) -> None:
    query = (
        select(inbox_message.c.sequence, inbox_message.c.fetched_at, inbox_message.c.kind)
        .where(inbox_message.c.subject_ref == source.subject_ref)
        .order_by(inbox_message.c.sequence)
    )
    for row in source.connection.execute(query):
        if not row.kind:
            continue  # what holds the place of one that was erased
        kept = rules.NOT_READ if row.fetched_at is None else None
        if held.judge(Category.ERASURE_CATEGORY_MESSAGES, kept):
            held.messages.append(row.sequence)


def _judge_small(held: Holdings, source: Source) -> None:
    """Judge contact, flags, looks, reports and the binding; and count what waits for the log."""
    connection, ref, at = source.connection, source.subject_ref, source.at
    if _count(source, select(func.count()).where(subject_contact.c.subject_ref == ref)):
        held.contact = held.judge(Category.ERASURE_CATEGORY_CONTACT, None)
    now = flags_of(connection, [ref]).get(ref, NO_FLAGS)
    if now is not NO_FLAGS:
        kept = rules.FLAG_PLACED if now.frozen or now.fraud_alert else None
        held.flags = held.judge(Category.ERASURE_CATEGORY_FLAGS, kept)
    for table, column in ((own_look, "recorded_at"), (report_given, "given_at")):
        query = select(table.c[column]).where(table.c.subject_ref == ref)
        for made in connection.execute(query).scalars():
            look = rules.look_kept(from_micros(made), at)
            held.judge(Category.ERASURE_CATEGORY_OWN_LOOKS, look)
    binding = consents.binding_of(connection, ref)
    if binding is not None:
        until = from_timestamp(v1.SubjectBinding.FromString(binding.payload).not_after)
        held.judge(Category.ERASURE_CATEGORY_BINDING, rules.binding_kept(until))
    news = select(lender_change.c.at).where(lender_change.c.subject_ref == ref)
    for told in connection.execute(news).scalars():
        heard = rules.news_kept(from_micros(told) + KEEP)
        held.judge(Category.ERASURE_CATEGORY_LENDER_NEWS, heard)
    for _ in range(_count(source, select(func.count()).where(log_queue.c.subject_ref == ref))):
        held.judge(Category.ERASURE_CATEGORY_LOG_RECORDS, rules.being_logged(at))


def _count(source: Source, query: Select[int]) -> int:
    return source.connection.execute(query).scalar_one()
