"""A wallet's listings through the SDK, synchronous and asyncio: durable, remembered, sent as they were signed."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.sdk import (
    AioWalletClient,
    ListingStore,
    OwnListings,
    Posted,
    WalletClient,
    WalletError,
    WalletFolder,
)
from clients.sdk.listing_memory import ListingMemory
from clients.sdk.subject_outbox import Pending, SubjectOutbox
from clients.sdk.subject_requests import (
    Grievance,
    NoReviewer,
    choose_reviewer,
    make_contact_change,
    make_dispute,
    make_flag_change,
    make_settlement,
    make_words,
)
from concordat import v1
from concordat.federation.anchors import save_bundle
from concordat.federation.evidence import Evidence
from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.v1 import DisputeGround, DisputeStage, FlagKind, Reason
from concordat.verify.listing_account import KnownOfListing
from tests.builders import AT, DAY
from tests.fake_listings import ListingFederation
from tests.listing_builders import FURNISHER, REVIEWER, SECOND_REVIEWER, STATE, digest
from tests.own_listing_builders import Story

DOWN = [Refusal(Reason.REASON_UNAVAILABLE)] * 4
WORDS = v1.SubjectWords(text="I was in hospital.", language="en")


@pytest.fixture
def fake() -> Iterator[ListingFederation]:
    with ListingFederation() as running:
        yield running


@pytest.fixture
def store(fake: ListingFederation, tmp_path: Path) -> ListingStore:
    """A wallet of ada's, bound."""
    save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
    held = WalletFolder.create(tmp_path / "wallet", tmp_path / "bundle.json", None)
    person = fake.federation.subject("ada", public_key=held.signer.public_key)
    held.save_binding(person.binding)
    fake.person = replace(fake.person, signer=held.signer, binding=person.binding)
    return ListingStore(held, fake.at)


class Both:
    """The synchronous client, or the asyncio one with a loop around it: one suite for both."""

    def __init__(self, fake: ListingFederation, *, aio: bool) -> None:
        self.fake, self.aio = fake, aio

    def call(self, method: str, *arguments: Any) -> Any:
        fake = self.fake
        if not self.aio:
            with WalletClient(fake.anchors, fake.clock) as client:
                return getattr(client, method)(*arguments)

        async def ask() -> Any:
            async with AioWalletClient(fake.anchors, fake.clock) as client:
                return await getattr(client, method)(*arguments)

        return asyncio.run(ask())

    def listings(self, store: ListingStore) -> OwnListings:
        told = self.call("own_listings", store)
        assert isinstance(told, OwnListings)
        return told

    def post(self, store: ListingStore, request: Any) -> Posted:
        posted = self.call("post", store, request)
        assert isinstance(posted, Posted)
        return posted


@pytest.fixture(params=["sync", "aio"])
def wallet(fake: ListingFederation, request: pytest.FixtureRequest) -> Both:
    return Both(fake, aio=request.param == "aio")


def words(store: ListingStore, story: Story) -> v1.SubmitSubjectEventRequest:
    federation = store.held.anchors.federation
    return make_words(store.key, federation, story.listing_id, WORDS, AT)


def test_listings_come_checked_and_are_remembered(
    wallet: Both, store: ListingStore, fake: ListingFederation
) -> None:
    story = fake.in_force().event(STATE)
    told = wallet.listings(store)
    assert told.sound
    known = store.memory().of(story.listing_id)
    assert known.steps == tuple(step.digest for step in told.listings[0].steps)
    assert known.expires_at == story.now.expires_at


def test_a_request_is_durable_before_it_is_sent_and_goes_when_it_is_answered(
    wallet: Both, store: ListingStore, fake: ListingFederation
) -> None:
    story = fake.in_force()
    fake.refuse["SubmitSubjectEvent"] = list(DOWN)
    posted = wallet.post(store, words(store, story))
    assert posted.waits
    with pytest.raises(RemoteError):
        posted.require_taken()
    (pending,) = ListingStore(store.held, AT).outbox.waiting()  # another process finds it
    assert pending.request == posted.pending.request
    (sent,) = wallet.call("post_waiting", store)
    assert sent.require_taken()
    assert store.outbox.waiting() == []
    assert store.memory().of(story.listing_id).sent == {pending.digest}
    requests = fake.seen["SubmitSubjectEvent"]
    assert len({request.SerializeToString() for request in requests}) == 1
    assert wallet.listings(store).sound


def test_nobody_else_is_tried_once_nobody_answers(
    wallet: Both, store: ListingStore, fake: ListingFederation
) -> None:
    story = fake.in_force()
    for _ in range(3):
        store.sign_for(words(store, story))
    fake.stop(1)
    sent = wallet.call("post_waiting", store)
    assert [posted.unanswered for posted in sent] == [True]
    assert len(store.outbox.waiting()) == 3


def test_the_inbox_is_read_under_a_request_that_is_remembered_first(
    wallet: Both, store: ListingStore, fake: ListingFederation
) -> None:
    fake.refuse["ReadInbox"] = list(DOWN)
    with pytest.raises(RemoteError):
        wallet.call("read_inbox", store)
    assert len(store.memory().inbox_requests) == 1  # it may have been served all the same
    assert wallet.call("read_inbox", store) == []
    assert len(store.memory().inbox_requests) == 1  # the second fetched no notice: forgotten


def test_sequences_are_kept_before_anything_is_sent(store: ListingStore) -> None:
    federation = store.held.anchors.federation
    freeze = make_flag_change(store.key, federation, FlagKind.FLAG_KIND_FREEZE, 5, AT, placed=True)
    store.sign_for(freeze)
    store.sign_for(make_contact_change(store.key, federation, "ada@example.org", "en", 3, AT))
    memory = store.memory()
    assert (memory.flag_sequence, memory.contact_sequence) == (5, 3)
    assert memory.flags == {}  # not in force before the exchange says so


# Whom to ask ------------------------------------------------------------------------------------


def test_everyone_who_may_decide_is_drawn_alike(fake: ListingFederation) -> None:
    members = [
        (member, fake.federation.directory.standing(member.member_id))
        for member in fake.federation.directory.members()
    ]
    drawn = {choose_reviewer(members, appeal=False, at=AT).member_id for _ in range(60)}
    assert drawn == {REVIEWER, SECOND_REVIEWER}
    barred = choose_reviewer(members, appeal=False, at=AT, not_by=[REVIEWER])
    assert barred.member_id == SECOND_REVIEWER
    with pytest.raises(NoReviewer, match="ask the regulator"):
        choose_reviewer(members, appeal=False, at=AT, not_by=drawn)
    with pytest.raises(NoReviewer, match="ask the regulator"):
        choose_reviewer(members, appeal=False, at=AT + 40 * 365 * DAY)


def test_evidence_goes_to_nobody_without_a_key(
    store: ListingStore, fake: ListingFederation
) -> None:
    grievance = Grievance(
        listing_id=bytes(16),
        stage=DisputeStage.DISPUTE_STAGE_REVIEW,
        ground=DisputeGround.DISPUTE_GROUND_PAID,
        evidence=[Evidence.of(b"a receipt")],
    )
    furnisher = fake.federation.member(FURNISHER)
    with pytest.raises(NoReviewer, match="no key to seal evidence to"):
        make_dispute(store.key, fake.federation.name, grievance, furnisher, AT)


def test_the_same_piece_twice_is_named_once_and_sealed_twice(
    store: ListingStore, fake: ListingFederation
) -> None:
    piece = Evidence.of(b"a receipt")
    grievance = Grievance(
        listing_id=bytes(16),
        stage=DisputeStage.DISPUTE_STAGE_REVIEW,
        ground=DisputeGround.DISPUTE_GROUND_PAID,
        evidence=[piece, piece],
    )
    reviewer = fake.federation.member(REVIEWER)
    request = make_dispute(store.key, fake.federation.name, grievance, reviewer, AT)
    dispute = v1.Dispute.FromString(request.dispute.payload)
    assert list(dispute.evidence_hashes) == [piece.digest]
    assert request.attachments[0].sealed != request.attachments[1].sealed


# Files ------------------------------------------------------------------------------------------

MEMORY = ListingMemory(
    AT,
    flag_sequence=4,
    contact_sequence=2,
    flags={FlagKind.FLAG_KIND_FREEZE: True, FlagKind.FLAG_KIND_FRAUD_ALERT: False},
    inbox_requests=frozenset({digest("a request")}),
    inbox_seen=b"\x07" * 16,
    listings={
        b"\x01" * 16: KnownOfListing(
            (digest("one"), digest("two")),
            frozenset({digest("two")}),
            frozenset({digest("a notice")}),
            AT + timedelta(days=900),
        ),
        b"\x02" * 16: KnownOfListing(),
    },
    contact=(2, AT),
)


def test_the_memory_survives_its_file() -> None:
    assert ListingMemory.from_json(MEMORY.to_json()) == MEMORY
    assert ListingMemory.from_json(ListingMemory(AT).to_json()) == ListingMemory(AT)


def test_a_memory_from_before_contacts_were_remembered_is_read() -> None:
    content = json.loads(ListingMemory(AT).to_json())
    del content["contact"]
    assert ListingMemory.from_json(json.dumps(content).encode()) == ListingMemory(AT)


DAMAGED: dict[str, Any] = {
    "another version": {"version": 2},
    "no time": {"since": "yesterday"},
    "a time in no zone": {"since": "2026-06-01T12:00:00"},
    "a sequence that is none": {"flag_sequence": -1},
    "a flag for a sequence": {"flag_sequence": True},
    "a sequence beyond all": {"contact_sequence": 2**32},
    "half a contact": {"contact": [2]},
    "a contact at no time": {"contact": [2, "yesterday"]},
    "a flag that nobody knows": {"flags": {"FLAG_KIND_OTHER": True}},
    "flags in a list": {"flags": []},
    "half a digest": {"inbox_requests": ["00"]},
    "no hex": {"inbox_seen": "zz"},
    "capitals": {"inbox_seen": "AB" * 16},
    "a listing without an id": {"listings": {"": {}}},
    "a listing with nothing": {"listings": {"01" * 16: {}}},
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_memory_is_no_memory(change: dict[str, Any]) -> None:
    content = json.loads(MEMORY.to_json()) | change
    with pytest.raises(ValueError):
        ListingMemory.from_json(json.dumps(content).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"[" * 100_000])
def test_other_json_is_no_memory(raw: bytes) -> None:
    with pytest.raises(ValueError):
        ListingMemory.from_json(raw)


def test_the_outbox_keeps_its_order_and_names_what_it_cannot_read(
    store: ListingStore, tmp_path: Path
) -> None:
    federation = store.held.anchors.federation
    outbox = SubjectOutbox(tmp_path / "outbox")
    assert outbox.waiting() == []
    made: list[Pending] = []
    for sequence in range(1, 9):
        request = make_flag_change(
            store.key, federation, FlagKind.FLAG_KIND_FREEZE, sequence, AT, placed=True
        )
        pending = replace(Pending.of(request), pending_id=sequence.to_bytes(16, "big"))
        outbox.put(pending)
        made.append(pending)
    assert outbox.waiting() == made
    (tmp_path / "outbox" / ".half-written.flag.new").write_bytes(b"\xff")
    assert outbox.waiting() == made
    (tmp_path / "outbox" / f"{'00' * 16}.flag").write_bytes(b"\xff")
    with pytest.raises(WalletError, match="move it away"):
        outbox.waiting()
    (tmp_path / "outbox" / f"{'00' * 16}.flag").rename(tmp_path / "outbox" / "00.wish")
    with pytest.raises(WalletError, match="another version"):
        outbox.waiting()


def test_what_is_pending_knows_what_it_is_about(store: ListingStore) -> None:
    federation = store.held.anchors.federation
    settled = make_settlement(store.key, federation, b"\x05" * 16, b"receipt", AT, AT)
    pending = Pending.of(settled)
    assert pending.listing_id == b"\x05" * 16
    assert isinstance(pending.said, v1.ListingEvent)
    contact = Pending.of(make_contact_change(store.key, federation, "", "en", 1, AT))
    assert contact.listing_id == b""


def test_a_wallet_that_is_not_bound_cannot_look(fake: ListingFederation, tmp_path: Path) -> None:
    save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
    held = WalletFolder.create(tmp_path / "fresh", tmp_path / "bundle.json", None)
    with (
        WalletClient(fake.anchors, fake.clock) as client,
        pytest.raises(WalletError, match="wallet bind"),
    ):
        client.own_listings(ListingStore(held, AT))


def test_a_key_whose_binding_has_ended_says_so(
    store: ListingStore, fake: ListingFederation
) -> None:
    fake.in_force()
    fake.at = AT + 400 * DAY
    with (
        WalletClient(fake.anchors, fake.clock) as client,
        pytest.raises(WalletError, match="bind it anew"),
    ):
        client.own_listings(store)
