"""Telling the subject: every change of a listing puts a message into its inbox, and a notice in the mail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from concordat.v1 import InboxKind, ListingAction, ListingActKind
from exchange.listings.cause import Cause
from exchange.listings.machine import Listing
from exchange.listings.reading import Key
from exchange.subjects.inbox_table import message_id
from exchange.subjects.messages import Message, send

# Puts a notice in the mail: connection, subject_ref, message_id, listing_id, time.
Post = Callable[[Connection, bytes, bytes, bytes, datetime], None]
# The text of a change in a language.
Wording = Callable[["Change", str], str]


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
        told = [
            Message(ref, change.inbox_kind, partial(self._wording, change), listing_id)
            for change in changes
            for ref, listing_id in [change.key]
        ]
        for change, sent in zip(changes, send(connection, told, at), strict=True):
            if sent.email and change.before is None:
                ref, listing_id = change.key
                self._post(connection, ref, message_id(sent.sequence), listing_id, at)


def not_posted(
    connection: Connection, subject_ref: bytes, message_id: bytes, listing_id: bytes, at: datetime
) -> None:
    """Post nothing: this exchange sends no mail, and its subjects have their inbox."""
    del connection, subject_ref, message_id, listing_id, at
