"""What a wallet remembers of the listings about its subject, to be held against the exchange.

Sequences are never used twice; what the exchange took in, and what it showed, must still be there the next
time. Kept as JSON and read strictly.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from concordat import v1
from concordat.clock import from_timestamp
from concordat.ids import UUID_BYTES
from concordat.trust.merkle import HASH_BYTES
from concordat.v1 import FlagKind
from concordat.verify.listing_account import InboxRequests, KnownOfListing

Said: TypeAlias = v1.Dispute | v1.ListingEvent | v1.FlagChange | v1.ContactChange

VERSION = 1
LAST_SEQUENCE = 2**32 - 1


@dataclass(frozen=True, slots=True)
class ListingMemory:
    """All that a wallet remembers; ``since`` is when it began to."""

    since: datetime
    flag_sequence: int = 0  # of the last change that was signed
    contact_sequence: int = 0
    flags: Mapping[int, bool] = field(
        default_factory=dict
    )  # by FlagKind, as the exchange last took it in
    inbox_requests: frozenset[bytes] = (
        frozenset()
    )  # digests of those that may have fetched a notice
    inbox_seen: bytes = b""  # id of the last message read
    listings: Mapping[bytes, KnownOfListing] = field(default_factory=dict)  # by listing id
    contact: tuple[int, datetime] | None = (
        None  # the latest on record at the exchange: its sequence, and when it was signed
    )

    @property
    def inbox(self) -> InboxRequests:
        """What notices that were fetched from the inbox are held against."""
        return InboxRequests(self.since, self.inbox_requests)

    def of(self, listing_id: bytes) -> KnownOfListing:
        """Return what is remembered of one listing."""
        return self.listings.get(listing_id, KnownOfListing())

    def with_listing(self, listing_id: bytes, known: KnownOfListing) -> "ListingMemory":
        """Return the memory with something else of one listing."""
        return replace(self, listings={**self.listings, listing_id: known})

    def signed(self, said: Said) -> "ListingMemory":
        """Return the memory with what is about to be sent: its sequence is never used for another."""
        match said:
            case v1.FlagChange():
                return replace(self, flag_sequence=max(self.flag_sequence, said.sequence))
            case v1.ContactChange():
                return replace(self, contact_sequence=max(self.contact_sequence, said.sequence))
        return self

    def taken(self, said: Said, digest: bytes) -> "ListingMemory":
        """Return the memory with a statement that the exchange said it took in."""
        match said:
            case v1.FlagChange():
                return replace(self, flags={**self.flags, said.kind: said.placed})
            case v1.ContactChange():
                return self.with_contact(said)
        known = self.of(said.listing_id)
        return self.with_listing(said.listing_id, replace(known, sent=known.sent | {digest}))

    def with_contact(self, said: v1.ContactChange) -> "ListingMemory":
        """Return the memory with a contact that is on record."""
        return replace(self, contact=(said.sequence, from_timestamp(said.decided_at)))

    def knows_a_later(self, contact: v1.ContactChange) -> bool:
        """Tell whether a later contact was on record; after an erasure sequences begin anew, and times go on."""
        if self.contact is None:
            return False
        sequence, decided_at = self.contact
        return contact.sequence < sequence and from_timestamp(contact.decided_at) < decided_at

    def to_json(self) -> bytes:
        """Return the file's content: ids and digests in hex, times in ISO 8601."""
        content = {
            "version": VERSION,
            "since": self.since.isoformat(),
            "flag_sequence": self.flag_sequence,
            "contact_sequence": self.contact_sequence,
            "flags": {FlagKind.Name(_flag(kind)): placed for kind, placed in self.flags.items()},
            "inbox_requests": _hexes(self.inbox_requests),
            "inbox_seen": self.inbox_seen.hex(),
            "listings": {key.hex(): _known(known) for key, known in self.listings.items()},
            "contact": self.contact and [self.contact[0], self.contact[1].isoformat()],
        }
        return json.dumps(content, indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, raw: bytes) -> "ListingMemory":
        """Read what ``to_json`` wrote; raise ``ValueError`` for anything else."""
        try:
            content = json.loads(raw)
            if content["version"] != VERSION:
                raise ValueError("it is of another version of this program; upgrade to read it")
            return cls(
                _time(content["since"]),
                _sequence(content["flag_sequence"]),
                _sequence(content["contact_sequence"]),
                {FlagKind.Value(name): placed is True for name, placed in content["flags"].items()},
                frozenset(_bytes(text, HASH_BYTES) for text in content["inbox_requests"]),
                _bytes(content["inbox_seen"], 0, UUID_BYTES),
                {
                    _bytes(key, UUID_BYTES): _known_from(known)
                    for key, known in content["listings"].items()
                },
                _contact(content.get("contact")),
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"it is not what this wallet writes: {error!r}") from error


def _flag(kind: int) -> FlagKind.ValueType:
    return FlagKind.ValueType(kind)


def _known(known: KnownOfListing) -> dict[str, Any]:
    return {
        "steps": [digest.hex() for digest in known.steps],
        "sent": _hexes(known.sent),
        "notices": _hexes(known.notices),
        "expires_at": known.expires_at.isoformat() if known.expires_at else None,
    }


def _known_from(content: Mapping[str, Any]) -> KnownOfListing:
    expires = content["expires_at"]
    return KnownOfListing(
        tuple(_bytes(text, HASH_BYTES) for text in content["steps"]),
        frozenset(_bytes(text, HASH_BYTES) for text in content["sent"]),
        frozenset(_bytes(text, HASH_BYTES) for text in content["notices"]),
        None if expires is None else _time(expires),
    )


def _contact(content: Any) -> tuple[int, datetime] | None:
    if content is None:
        return None
    sequence, decided_at = content
    return _sequence(sequence), _time(decided_at)


def _hexes(digests: frozenset[bytes]) -> list[str]:
    return sorted(digest.hex() for digest in digests)


def _bytes(text: str, *sizes: int) -> bytes:
    value = bytes.fromhex(text)
    if len(value) not in sizes or value.hex() != text:
        raise ValueError(f"{text!r} is not {' or '.join(map(str, sizes))} bytes in hex")
    return value


def _sequence(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LAST_SEQUENCE:  # a bool is an int too
        raise ValueError(f"{value!r} is no sequence")
    return value


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} is in no time zone")
    return moment.astimezone(UTC)
