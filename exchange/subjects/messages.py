"""Putting messages into inboxes: each in its subject's language, behind those that are there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from concordat.clock import to_micros
from exchange.listings.notices.texts import DEFAULT_LANGUAGE
from exchange.subjects import inbox_table
from exchange.subjects.contact_table import contacts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.v1 import InboxKind


@dataclass(frozen=True, slots=True)
class Message:
    """What a subject is to be told; ``wording`` returns the text in a language, by its BCP 47 tag."""

    subject_ref: bytes
    kind: InboxKind.ValueType
    wording: Callable[[str], str]
    listing_id: bytes = b""


@dataclass(frozen=True, slots=True)
class Sent:
    """Where in its subject's inbox a message is, and the subject's address; empty where it gave none."""

    sequence: int
    email: str


def send(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Sent]:
    """Put messages into inboxes, in their order; return for each where it is.

    Two transactions that take one place don't both commit: who could be in another's way holds a lock, or is
    run again.
    """
    refs = {message.subject_ref for message in messages}
    contacts = contacts_of(connection, refs)
    places = Counter(inbox_table.last_sequences(connection, refs))
    rows: list[dict[str, object]] = []
    sent: list[Sent] = []
    for message in messages:
        ref, contact = message.subject_ref, contacts.get(message.subject_ref)
        places[ref] += 1
        rows.append(
            {
                "subject_ref": ref,
                "sequence": places[ref],
                "kind": message.kind,
                "listing_id": message.listing_id,
                "sent_at": to_micros(at),
                "text": message.wording(contact.language if contact else DEFAULT_LANGUAGE),
            }
        )
        sent.append(Sent(places[ref], contact.email if contact else ""))
    inbox_table.add(connection, rows)
    return sent
