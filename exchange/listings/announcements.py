"""Telling the subject: every change of a listing puts a message into its inbox, and a notice in the mail."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from concordat.clock import to_micros
from concordat.v1 import InboxKind, ListingAction, ListingActKind
from exchange.listings.cause import Cause
from exchange.listings.machine import Listing
from exchange.listings.reading import Key
from exchange.subjects import inbox_table as inbox
from exchange.subjects.contact_table import contacts_of

# Puts a notice in the mail: connection, subject_ref, message_id, listing_id, time.
Post = Callable[[Connection, bytes, bytes, bytes, datetime], None]
# The text of a change in a language.
Wording = Callable[["Change", str], str]

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Change:
    """One move of a listing: from nothing or a state, by a cause."""

    before: Listing | None
    after: Listing
    cause: Cause

    @property
    def key(self) -> Key:
        """The listing."""
        return self.after.subject_ref, self.after.listing_id

    def signed(self, digest: bytes, envelope: bytes) -> "Change":
        """Return the change with its cause signed."""
        return replace(self, cause=replace(self.cause, digest=digest, envelope=envelope))

    @property
    def inbox_kind(self) -> InboxKind.ValueType:
        """What the message about it is."""
        match self.cause.kind:
            case ListingActKind.LISTING_ACT_KIND_FILED:
                return InboxKind.INBOX_KIND_LISTING_NOTICE
            case ListingActKind.LISTING_ACT_KIND_RULED:
                return InboxKind.INBOX_KIND_RULING
            case _ if self.cause.action == ListingAction.LISTING_ACTION_EXTEND:
                return InboxKind.INBOX_KIND_RULING
        return InboxKind.INBOX_KIND_LISTING_CHANGE


class Announcer:
    """Writes to inboxes, in each subject's language."""

    def __init__(self, wording: Wording, post: Post) -> None:
        """Word changes by ``wording``; hand notices to subjects with an address to ``post``."""
        self._wording = wording
        self._post = post

    def announce(self, connection: Connection, changes: Sequence[Change], at: datetime) -> None:
        """Put a message about each change into its subject's inbox."""
        if not changes:
            return
        refs = {change.after.subject_ref for change in changes}
        contacts = contacts_of(connection, refs)
        places = Counter(inbox.last_sequences(connection, refs))
        rows: list[dict[str, object]] = []
        for change in changes:
            ref, contact = change.after.subject_ref, contacts.get(change.after.subject_ref)
            places[ref] += 1
            language = contact.language if contact else DEFAULT_LANGUAGE
            rows.append(
                {
                    "subject_ref": ref,
                    "sequence": places[ref],
                    "kind": change.inbox_kind,
                    "listing_id": change.after.listing_id,
                    "sent_at": to_micros(at),
                    "text": self._wording(change, language),
                }
            )
            if contact and contact.email and change.before is None:
                message = inbox.message_id(places[ref])
                self._post(connection, ref, message, change.after.listing_id, at)
        inbox.add(connection, rows)


def not_posted(
    connection: Connection, subject_ref: bytes, message_id: bytes, listing_id: bytes, at: datetime
) -> None:
    """Post nothing: this exchange sends no mail, and its subjects have their inbox."""
    del connection, subject_ref, message_id, listing_id, at
