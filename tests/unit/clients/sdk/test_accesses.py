"""A list of accesses is believed only whole, by the synchronous client and by the asyncio one."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clients.sdk import (
    AccessList,
    AioWalletClient,
    ClientError,
    RemoteError,
    WalletClient,
    WalletKey,
)
from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.trust.checkpoint import Cosignature
from concordat.v1 import Reason
from concordat.verify.history import HistoryBrokenError, Kept
from tests.builders import DAY, EXCHANGE, LENDER, Subject, signer
from tests.fake_federation import FakeFederation
from tests.history_builders import Told, drafts, fit, refusal, retell, with_entries

ListAccesses = Callable[..., AccessList]


@pytest.fixture
def fake() -> Iterator[FakeFederation]:
    with FakeFederation() as running:
        running.log.fill(2)
        running.log.add(*drafts(running.federation, running.federation.subject("ada"), 5))
        yield running


@pytest.fixture
def ada(fake: FakeFederation) -> Subject:
    return fake.federation.subject("ada")


@pytest.fixture(params=["synchronous", "asyncio"])
def listing(request: pytest.FixtureRequest, fake: FakeFederation, ada: Subject) -> ListAccesses:
    """List with a client of either kind, each time a new one."""
    key = WalletKey(ada.signer, ada.binding)

    def synchronous(kept: Kept | None = None, receipts: Any = ()) -> AccessList:
        with WalletClient(fake.anchors, fake.clock) as client:
            return client.list_accesses(key, kept, receipts)

    def asynchronous(kept: Kept | None = None, receipts: Any = ()) -> AccessList:
        async def ask() -> AccessList:
            async with AioWalletClient(fake.anchors, fake.clock) as client:
                return await client.list_accesses(key, kept, receipts)

        return asyncio.run(ask())

    return synchronous if request.param == "synchronous" else asynchronous


def test_every_entry_is_listed_with_the_checkpoint_that_proves_it(
    fake: FakeFederation, listing: ListAccesses
) -> None:
    listed = listing()
    assert [entry.sequence for entry in listed.entries] == [1, 2, 3, 4, 5]
    assert [entry.index for entry in listed.entries] == [2, 3, 4, 5, 6]
    assert listed.checkpoint.note == fake.log.checkpoint
    assert (listed.kept.length, listed.kept.log_size) == (5, 7)
    assert listed.kept.history == listed.history
    assert listed.kept.checkpoint == listed.checkpoint.note
    assert listed.receipts_found == 0
    assert listed.checkpoint.cosignatures == tuple[Cosignature, ...]()


def test_pages_are_asked_for_until_the_end_each_with_a_request_of_its_own(
    fake: FakeFederation, listing: ListAccesses
) -> None:
    fake.page = 2
    assert len(listing().entries) == 5
    asked = fake.seen["ListAccesses"]
    assert [request.after for request in asked] == [0, 2, 4]
    queries = [v1.SubjectRequest.FromString(request.request.payload) for request in asked]
    assert {query.query for query in queries} == {v1.SubjectQuery.SUBJECT_QUERY_ACCESSES}
    assert len({query.request_id for query in queries}) == 3


def test_the_log_may_grow_while_pages_are_read(
    fake: FakeFederation, listing: ListAccesses, ada: Subject
) -> None:
    fake.page = 2

    def grow(told: Told) -> Told:
        if len(fake.seen["ListAccesses"]) == 1:
            fake.log.add(refusal(fake.federation, fake.granted()))
            fake.log.fill()
        return told

    fake.retell = grow
    assert len(listing().entries) == 6


def test_a_page_that_says_there_is_more_and_shows_nothing_ends_the_list(
    fake: FakeFederation, listing: ListAccesses
) -> None:
    def stall(told: Told) -> Told:
        told = with_entries(
            told, list(told.answer.entries)[: 0 if len(fake.seen["ListAccesses"]) > 1 else 3]
        )
        told.answer.more = True
        return told

    fake.retell = stall
    with pytest.raises(HistoryBrokenError, match="5 entries about you, and shows 3"):
        listing()
    assert len(fake.seen["ListAccesses"]) == 2


def test_an_exchange_that_shows_one_page_again_and_again_is_stopped_at_once(
    fake: FakeFederation, listing: ListAccesses
) -> None:
    fake.page = 2
    first: list[v1.SubjectLogEntry] = []

    def repeat(told: Told) -> Told:
        first.extend(list(told.answer.entries) if not first else [])
        again = with_entries(told, first)
        again.answer.more = True
        return again

    fake.retell = repeat
    with pytest.raises(HistoryBrokenError, match="entry 3 about you is missing"):
        listing()
    assert len(fake.seen["ListAccesses"]) == 2


def test_what_is_left_out_is_found_against_what_was_kept(
    fake: FakeFederation, listing: ListAccesses
) -> None:
    kept = listing().kept
    assert listing(kept).kept.head == kept.head
    fake.retell = lambda told: fit(with_entries(told, list(told.answer.entries)[:4]))
    with pytest.raises(HistoryBrokenError, match="there before") as failure:
        listing(kept)
    assert failure.value.kept == kept


def test_receipts_must_be_among_the_entries(
    fake: FakeFederation, listing: ListAccesses, ada: Subject
) -> None:
    receipts = [fake.log.receipt(ada, sequence) for sequence in (2, 5)]
    assert listing(receipts=iter(receipts)).receipts_found == 2
    fake.retell = lambda told: fit(with_entries(told, list(told.answer.entries)[:4]))
    with pytest.raises(HistoryBrokenError, match="left out") as failure:
        listing(receipts=receipts)
    assert failure.value.receipt == receipts[1]


def test_a_receipt_that_proves_nothing_accuses_nobody(
    fake: FakeFederation, listing: ListAccesses, ada: Subject
) -> None:
    receipt = fake.log.receipt(ada, 2)
    receipt.index += 1
    with pytest.raises(Refusal) as refused:
        listing(receipts=[receipt])
    assert refused.value.reason == Reason.REASON_ACCESS_NOT_LOGGED
    assert "ListAccesses" not in fake.seen


def test_a_receipt_about_somebody_else_accuses_nobody(
    fake: FakeFederation, listing: ListAccesses
) -> None:
    bob = fake.federation.subject("bob")
    fake.log.add(*drafts(fake.federation, bob, 1))
    with pytest.raises(ClientError, match="somebody else"):
        listing(receipts=[fake.log.receipt(bob, 1)])
    assert "ListAccesses" not in fake.seen


def test_a_history_that_another_member_signed_is_not_believed(
    fake: FakeFederation, listing: ListAccesses
) -> None:
    fake.retell = lambda told: retell(told, signed_by=LENDER)
    with pytest.raises(HistoryBrokenError, match="SIGNATURE_INVALID"):
        listing()


def test_an_exchange_that_changed_its_key_is_accused_of_nothing(
    fake: FakeFederation, ada: Subject
) -> None:
    key = WalletKey(ada.signer, ada.binding)
    with WalletClient(fake.anchors, fake.clock) as client:
        client.list_accesses(key)
        new = v1.SigningKey(
            public_key=signer("new-key").public_key,
            not_before=to_timestamp(fake.at - DAY),
            not_after=to_timestamp(fake.at + DAY),
        )
        fake.federation.enrol(EXCHANGE, v1.Role.ROLE_EXCHANGE, keys=[new], version=2)
        fake.retell = lambda told: retell(told, signed_by="new-key")
        assert len(client.list_accesses(key).entries) == 5


def test_a_refusal_is_no_broken_history(fake: FakeFederation, listing: ListAccesses) -> None:
    fake.refuse["ListAccesses"] = [Refusal(Reason.REASON_BINDING_INVALID)]
    with pytest.raises(RemoteError) as failure:
        listing()
    assert failure.value.reason == Reason.REASON_BINDING_INVALID


def test_a_list_is_asked_for_again_where_the_exchange_was_away(
    fake: FakeFederation, listing: ListAccesses
) -> None:
    fake.refuse["ListAccesses"] = [Refusal(Reason.REASON_LOG_UNAVAILABLE)]
    assert len(listing().entries) == 5
    assert len(fake.seen["ListAccesses"]) == 2
