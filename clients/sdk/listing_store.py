"""The listings' side of a wallet's folder: what it remembers, and what waits to be sent.

wallet/listings.json            ``ListingMemory``
wallet/outbox/<id>.<kind>       requests that are not answered yet
wallet/evidence/listing-<n>.own an account of a listing that does not hold, as the exchange showed it
"""

from datetime import datetime

from clients.sdk.errors import WalletError
from clients.sdk.listing_memory import ListingMemory
from clients.sdk.subject_outbox import Pending, Posted, SubjectOutbox
from clients.sdk.subject_requests import SubjectRequest
from clients.sdk.wallet import WalletKey
from clients.sdk.wallet_atomically import write_atomically
from clients.sdk.wallet_file import EVIDENCE, WalletFolder
from concordat.verify.listing_history import CheckedListing

LISTINGS, OUTBOX = "listings.json", "outbox"


class ListingStore:
    """What a wallet keeps of listings. Whoever changes it holds the wallet's lock."""

    def __init__(self, held: WalletFolder, now: datetime) -> None:
        """Keep it in ``held``'s folder; where nothing is kept yet, remember from ``now`` on."""
        self.held = held
        self.outbox = SubjectOutbox(held.folder / OUTBOX)
        self._now = now

    @property
    def key(self) -> WalletKey:
        """What to sign with; raises ``WalletError`` where the key is not bound yet."""
        return self.held.key()

    def memory(self) -> ListingMemory:
        """Return what is remembered; raise ``WalletError`` where it cannot be read."""
        path = self.held.folder / LISTINGS
        try:
            return ListingMemory.from_json(path.read_bytes())
        except FileNotFoundError:
            return ListingMemory(self._now)
        except (OSError, ValueError) as error:
            raise WalletError(
                f"cannot read {path}: {error}; it remembers what the exchange showed, so put it back "
                "from a copy if there is one"
            ) from error

    def keep(self, memory: ListingMemory) -> None:
        """Remember, durably."""
        write_atomically(self.held.folder / LISTINGS, memory.to_json())

    def sign_for(self, request: SubjectRequest) -> Pending:
        """Write a signed request to the outbox, before it is sent for the first time."""
        pending = Pending.of(request)
        self.keep(self.memory().signed(pending.said))
        self.outbox.put(pending)
        return pending

    def settle(self, posted: Posted) -> Posted:
        """Keep what became of sending a request: one that was answered goes from the outbox."""
        if posted.error is None:
            self.keep(self.memory().taken(posted.pending.said, posted.pending.digest))
        if not posted.waits:
            self.outbox.drop(posted.pending)
        return posted

    def keep_evidence(self, checked: CheckedListing) -> str:
        """Write an account that does not hold to a file of its own, and return its path."""
        folder = self.held.folder / EVIDENCE
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise WalletError(f"cannot make {folder}: {error.strerror}") from error
        content = checked.listing.SerializeToString(deterministic=True)
        number = 1
        while (path := folder / f"listing-{number}.own").exists():
            if path.read_bytes() == content:
                return str(path)
            number += 1
        write_atomically(path, content)
        return str(path)
