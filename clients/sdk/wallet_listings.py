"""A subject's listings, inbox, disputes and flags, over the public port: the synchronous calls."""

from clients.sdk.client_base import Client
from clients.sdk.listing_store import ListingStore
from clients.sdk.own_listings import (
    OwnListings,
    asked,
    inbox_request,
    list_own_listings,
    read,
    read_inbox,
    remembered,
)
from clients.sdk.subject_outbox import Posted, submit
from clients.sdk.subject_requests import SubjectRequest
from concordat import v1


class WalletListings(Client):
    """Looks at a subject's listings and acts on them. Whoever calls holds the wallet's lock."""

    def own_listings(self, store: ListingStore) -> OwnListings:
        """Return every listing about the subject, each step checked; remember what holds."""
        memory = store.memory()
        told = self._transport.run(list_own_listings(store.key, self.book, memory, self._now))
        store.keep(remembered(memory, told))
        return told

    def read_inbox(self, store: ListingStore) -> list[v1.InboxMessage]:
        """Return the subject's inbox, oldest first: a notice that is fetched has reached the subject."""
        request = inbox_request(store.key, self.book, self._now())
        store.keep(
            asked(store.memory(), request)
        )  # before it is sent: it may prove a notice served
        messages = self._transport.run(read_inbox(store.key, self.book, request))
        store.keep(read(store.memory(), request, messages))
        return messages

    def post(self, store: ListingStore, request: SubjectRequest) -> Posted:
        """Put a signed request into the outbox, then send it; what is not answered waits there."""
        pending = store.sign_for(request)
        return store.settle(self._transport.run(submit(pending, self.anchors)))

    def post_waiting(self, store: ListingStore) -> list[Posted]:
        """Send what waits in the outbox again, byte for byte, the oldest first; stop where nobody answers."""
        sent: list[Posted] = []
        for pending in store.outbox.waiting():
            posted = store.settle(self._transport.run(submit(pending, self.anchors)))
            sent.append(posted)
            if posted.unanswered:
                break
        return sent
