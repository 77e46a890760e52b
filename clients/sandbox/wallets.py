"""A person's wallet in a sandbox: a folder as ``concordat wallet`` keeps it, and what it does about listings."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clients.sandbox.processes import SandboxError
from clients.sdk import WalletClient, WalletFolder, WalletKey
from clients.sdk.listing_store import ListingStore
from clients.sdk.own_listings import OwnListings
from clients.sdk.subject_requests import (
    Grievance,
    SubjectRequest,
    choose_reviewer,
    make_dispute,
    make_flag_change,
    make_words,
)
from clients.sdk.wallet_file import BINDING, CONSENTS, KEY, TRUST_BUNDLE
from concordat import v1
from concordat.federation.evidence import Evidence
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import DisputeGround, DisputeStage, FlagKind
from concordat.verify.listing_history import CheckedListing


def save_wallet(key: WalletKey, trust_bundle: Path, folder: Path) -> Path:
    """Put a person's key and binding into a folder, as ``concordat wallet`` keeps them; return it.

    Where there is one already it stays as it is.
    """
    if (folder / KEY).exists():
        return folder
    if not isinstance(key.signer, Ed25519Signer):
        raise SandboxError("only a key that is in memory can be put into a wallet")
    (folder / CONSENTS).mkdir(mode=0o700, parents=True)
    shutil.copyfile(trust_bundle, folder / TRUST_BUNDLE)
    (folder / BINDING).write_bytes(key.binding.SerializeToString())
    key.signer.save(folder / KEY, None)
    return folder


@dataclass(frozen=True, slots=True)
class Wallet:
    """What a person does about its listings; everything is answered before a method returns.

    Methods raise ``RemoteError`` where the exchange refuses.
    """

    folder: Path
    client: WalletClient

    def listings(self) -> OwnListings:
        """Return every listing about the person; raise ``SandboxError`` where one does not hold."""
        with self._store() as store:
            told = self.client.own_listings(store)
        problems = [*told.faults, *(p for one in told.listings for p in one.problems)]
        if problems:
            raise SandboxError(f"what the exchange shows does not hold: {'; '.join(problems)}")
        return told

    def checked(self, listing_id: bytes) -> CheckedListing:
        """Return one listing, with each of its steps."""
        return self.listings().find(listing_id.hex())

    def listing(self, listing_id: bytes) -> v1.OwnListing:
        """Return one listing as the exchange shows it."""
        return self.checked(listing_id).listing

    def inbox(self) -> list[v1.InboxMessage]:
        """Fetch the inbox, which proves that what is in it has arrived."""
        with self._store() as store:
            return self.client.read_inbox(store)

    def dispute(
        self,
        listing_id: bytes,
        stage: DisputeStage.ValueType,
        ground: DisputeGround.ValueType,
        evidence: Sequence[bytes] = (),
    ) -> v1.Dispute:
        """Contest, dispute or appeal, with evidence that only who decides can read; return what was signed."""
        appeal = stage == DisputeStage.DISPUTE_STAGE_APPEAL
        own = self.listing(listing_id)
        now = datetime.now(UTC)
        decides = choose_reviewer(self.client.members(), appeal=appeal, at=now)
        grievance = Grievance(
            listing_id=listing_id,
            stage=stage,
            ground=ground,
            evidence=[Evidence.of(content) for content in evidence],
            ruling_id=own.ruling_id if appeal else b"",
        )
        with self._store() as store:
            request = make_dispute(store.key, self._federation, grievance, decides, now)
            self._post(store, request)
        return v1.Dispute.FromString(request.dispute.payload)

    def say(self, listing_id: bytes, text: str, language: str = "en") -> None:
        """Attach the person's own words to a listing."""
        words = v1.SubjectWords(text=text, language=language)
        with self._store() as store:
            now = datetime.now(UTC)
            self._post(store, make_words(store.key, self._federation, listing_id, words, now))

    def flag(self, kind: FlagKind.ValueType, *, placed: bool) -> None:
        """Place or lift a freeze or a fraud alert; in force once this returns."""
        sequence = self.listings().flag_sequence + 1
        with self._store() as store:
            now = datetime.now(UTC)
            change = make_flag_change(
                store.key, self._federation, kind, sequence, now, placed=placed
            )
            self._post(store, change)

    @property
    def _federation(self) -> str:
        return self.client.anchors.federation

    def _post(self, store: ListingStore, request: SubjectRequest) -> None:
        self.client.post(store, request).require_taken()

    @contextmanager
    def _store(self) -> Iterator[ListingStore]:
        held = WalletFolder.open(self.folder, None)
        with held.locked():
            yield ListingStore(held, datetime.now(UTC))
