"""A subject's own listings and inbox: fetched page by page, every step checked, and remembered."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from clients.language import marked, tr
from clients.sdk.errors import AnswerNotVerified, WalletError
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.listing_memory import ListingMemory
from clients.sdk.members import MemberBook
from clients.sdk.wallet import WalletKey, own_request
from concordat import v1
from concordat.clock import from_timestamp
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.v1 import FlagKind, InboxKind, SubjectQuery
from concordat.verify.consent import open_binding
from concordat.verify.former_keys import open_former_keys
from concordat.verify.listing_account import KnownOfListing
from concordat.verify.listing_history import CheckedListing, check_listing
from concordat.verify.listing_statements import open_contact_change

_NOT_KEPT = {  # of a flag that was signed last, placed or lifted
    (FlagKind.FLAG_KIND_FREEZE, True): marked(
        "you placed the freeze, and the exchange has not placed it"
    ),
    (FlagKind.FLAG_KIND_FREEZE, False): marked(
        "you lifted the freeze, and the exchange has not lifted it"
    ),
    (FlagKind.FLAG_KIND_FRAUD_ALERT, True): marked(
        "you placed the fraud alert, and the exchange has not placed it"
    ),
    (FlagKind.FLAG_KIND_FRAUD_ALERT, False): marked(
        "you lifted the fraud alert, and the exchange has not lifted it"
    ),
}


@dataclass(frozen=True, slots=True)
class OwnListings:
    """Every listing about a subject, checked; its contact, by its own signature; flags in the exchange's word."""

    listings: tuple[CheckedListing, ...]
    flags: v1.SubjectFlags
    flag_sequence: int
    contact_sequence: int
    contact: v1.ContactChange | None = None  # as the subject signed it last; None for none
    faults: tuple[str, ...] = ()  # what does not hold beside the listings' own

    @property
    def sound(self) -> bool:
        """Whether everything holds."""
        return not self.faults and not any(listing.problems for listing in self.listings)

    def find(self, id_or_prefix: str) -> CheckedListing:
        """Return the one listing whose id, in hex, begins so; raise ``WalletError`` for none or many."""
        wanted = id_or_prefix.strip().lower()
        found = [
            checked
            for checked in self.listings
            if wanted and checked.listing.listing_id.hex().startswith(wanted)
        ]
        if len(found) != 1:
            count = "several listings" if found else "no listing"
            raise WalletError(
                f"{count} begin with {id_or_prefix!r}; see: concordat wallet listings"
            )
        return found[0]


def list_own_listings(
    key: WalletKey, book: MemberBook, memory: ListingMemory, now: Callable[[], datetime]
) -> Flow[OwnListings]:
    """Return every listing about this subject, each step held against its signer's key.

    What does not hold is in the result, not raised: a subject is shown all of it. Raises ``RemoteError``,
    and ``AnswerNotVerified`` where there is no telling what the exchange shows.
    """
    yield from book.refresh(now)  # nobody is accused by a key that has been replaced since
    shown: list[v1.OwnListing] = []
    while True:
        call = Call(
            exchange_peer(book.anchors, Port.PUBLIC),
            "/concordat.v1.SubjectService/ListOwnListings",
            v1.ListOwnListingsRequest(
                request=own_request(key, book.anchors, now(), SubjectQuery.SUBJECT_QUERY_LISTINGS),
                binding=key.binding,
                after=shown[-1].listing_id if shown else b"",
            ),
            v1.ListOwnListingsResponse,
        )
        answer = yield from ask(call, v1.ListOwnListingsResponse)
        for listing in answer.listings:
            if shown and listing.listing_id <= shown[-1].listing_id:
                raise AnswerNotVerified("the exchange's pages of listings do not go on")
            shown.append(listing)
        if not answer.more:
            return _checked(shown, answer, key, book, memory, now())
        if not answer.listings:
            raise AnswerNotVerified(
                "the exchange says that there are more listings, and shows none"
            )


def _checked(
    shown: Sequence[v1.OwnListing],
    last: v1.ListOwnListingsResponse,
    key: WalletKey,
    book: MemberBook,
    memory: ListingMemory,
    at: datetime,
) -> OwnListings:
    try:
        binding = open_binding(key.binding, book.anchors, at)
        former = open_former_keys(key.former, binding, book.anchors, at)
    except Refusal as refusal:
        raise WalletError(
            f"the wallet's key is bound no more ({refusal}); bind it anew"
        ) from refusal
    listings = tuple(
        check_listing(
            listing,
            book.directory,
            binding,
            at=at,
            known=memory.of(listing.listing_id),
            inbox=memory.inbox,
            former=former,
        )
        for listing in shown
    )
    told = OwnListings(listings, last.flags, last.flag_sequence, last.contact_sequence)
    told = replace(told, faults=(*_left_out(told, memory), *_flags_not_kept(told, memory)))
    if not last.HasField("contact"):
        return told
    try:
        contact = former.open_with(
            binding, lambda key: open_contact_change(last.contact, key, book.anchors, at)
        )
    except Refusal as refusal:
        fault = tr(
            "the exchange has a contact for your notices that you did not sign: {why}", why=refusal
        )
        return replace(told, faults=(*told.faults, fault))
    said = contact.message
    if said.sequence != last.contact_sequence or memory.knows_a_later(said):
        fault = tr("the exchange shows a contact for your notices that you have changed since")
        return replace(told, faults=(*told.faults, fault))
    return replace(told, contact=said)


def _left_out(told: OwnListings, memory: ListingMemory) -> Iterable[str]:
    """Yield which listings were shown before and are not any more."""
    shown = {checked.listing.listing_id for checked in told.listings}
    for listing_id, known in memory.listings.items():
        if known.steps and listing_id not in shown:
            yield tr(
                "listing {listing} was shown to you before and is left out now",
                listing=listing_id.hex(),
            )


def _flags_not_kept(told: OwnListings, memory: ListingMemory) -> Iterable[str]:
    """Yield which flags stand otherwise than the subject signed last, with nobody having changed them."""
    if told.flag_sequence > memory.flag_sequence:
        return  # changed with another wallet
    now = {
        FlagKind.FLAG_KIND_FREEZE: told.flags.frozen,
        FlagKind.FLAG_KIND_FRAUD_ALERT: told.flags.fraud_alert,
    }
    for kind, stands in now.items():
        placed = memory.flags.get(kind)
        if placed is not None and placed != stands:
            yield tr(_NOT_KEPT[kind, placed])


def remembered(memory: ListingMemory, told: OwnListings) -> ListingMemory:
    """Return the memory after a list; what did not hold is not learned from."""
    for checked in told.listings:
        if checked.problems:
            continue
        listing = checked.listing
        known = memory.of(listing.listing_id)
        seen = KnownOfListing(
            tuple(step.digest for step in checked.steps),
            known.sent,
            known.notices,
            from_timestamp(listing.expires_at),
        )
        memory = memory.with_listing(listing.listing_id, seen)
    return memory if told.contact is None else memory.with_contact(told.contact)


# The inbox --------------------------------------------------------------------------------------


def inbox_request(key: WalletKey, book: MemberBook, at: datetime) -> v1.Envelope:
    """Sign a request for the inbox; remember its digest before it is sent: it may prove a notice served."""
    return own_request(key, book.anchors, at, SubjectQuery.SUBJECT_QUERY_INBOX)


def read_inbox(
    key: WalletKey, book: MemberBook, request: v1.Envelope
) -> Flow[list[v1.InboxMessage]]:
    """Return every message in the subject's inbox, oldest first. What is fetched has reached the subject."""
    messages: list[v1.InboxMessage] = []
    while True:
        call = Call(
            exchange_peer(book.anchors, Port.PUBLIC),
            "/concordat.v1.SubjectService/ReadInbox",
            v1.ReadInboxRequest(
                request=request,
                binding=key.binding,
                after=messages[-1].message_id if messages else b"",
            ),
            v1.ReadInboxResponse,
        )
        answer = yield from ask(call, v1.ReadInboxResponse)
        for message in answer.messages:
            if messages and message.message_id <= messages[-1].message_id:
                raise AnswerNotVerified("the exchange's pages of the inbox do not go on")
            messages.append(message)
        if not answer.more:
            return messages
        if not answer.messages:
            raise AnswerNotVerified(
                "the exchange says that there are more messages, and shows none"
            )


def asked(memory: ListingMemory, request: v1.Envelope) -> ListingMemory:
    """Return the memory with a request for the inbox that is about to be sent."""
    return replace(memory, inbox_requests=memory.inbox_requests | {digest_of(request)})


def read(
    memory: ListingMemory, request: v1.Envelope, messages: Sequence[v1.InboxMessage]
) -> ListingMemory:
    """Return the memory after the inbox was read: its notices, and the last message."""
    fresh = [message for message in messages if message.message_id > memory.inbox_seen]
    notices = [m for m in messages if m.kind == InboxKind.INBOX_KIND_LISTING_NOTICE]
    for message in notices:
        known = memory.of(message.listing_id)
        notice = hashlib.sha256(message.text.encode()).digest()
        known = replace(known, notices=known.notices | {notice})
        memory = memory.with_listing(message.listing_id, known)
    if not any(message in notices for message in fresh):
        # It fetched no notice for the first time, so it proves none served.
        memory = replace(memory, inbox_requests=memory.inbox_requests - {digest_of(request)})
    return replace(memory, inbox_seen=messages[-1].message_id if messages else memory.inbox_seen)
