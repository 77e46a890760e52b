"""Inboxes that are read at the same moment are read together, and each as if it had been alone."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import ListingState, Reason, SubjectQuery
from concordat.verify.consent import open_binding, open_subject_request
from exchange.subjects.inbox import Ask, fetching
from exchange.subjects.messages import Message, send
from tests.builders import Subject
from tests.exchange_services import subject_request
from tests.listing_desk import ListingDesk

_INBOX = SubjectQuery.SUBJECT_QUERY_INBOX
_NOTICED = ListingState.LISTING_STATE_NOTICED


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def ask(desk: ListingDesk, person: Subject, later: timedelta = timedelta()) -> Ask:
    federation = desk.federation
    at = federation.at + later
    asked = subject_request(federation, person, query=_INBOX)
    binding = open_binding(person.binding, federation.anchors, at)
    verified = open_subject_request(asked, _INBOX, binding, federation.anchors, at)
    return Ask(verified, binding, person.binding, b"", at)


def read(desk: ListingDesk, *asks: Ask) -> list[tuple[list[v1.InboxMessage], bool] | Refusal]:
    """Read inboxes in one transaction."""
    bulk = fetching(desk.desk.listings.office)
    return desk.desk.store.run(lambda connection: bulk(connection, asks))


def state(desk: ListingDesk, person: Subject) -> ListingState.ValueType:
    desk.subject = person
    (own,) = desk.own().listings
    return own.state


def filed(desk: ListingDesk, *people: Subject) -> None:
    for person in people:
        desk.subject = person
        desk.file()


def test_the_notices_of_all_are_served(desk: ListingDesk) -> None:
    people = [desk.federation.subject(name) for name in ("bea", "cleo", "dan")]
    filed(desk, *people)
    pages = read(desk, *(ask(desk, person) for person in people))
    assert all(not isinstance(page, Refusal) and len(page[0]) == 1 for page in pages)
    assert [state(desk, person) for person in people] == [_NOTICED] * 3


def test_one_whose_key_was_replaced_is_refused_and_nobody_else_is(desk: ListingDesk) -> None:
    bea, cleo = desk.federation.subject("bea"), desk.federation.subject("cleo")
    filed(desk, bea, cleo)
    newer = desk.federation.subject("bea", version=2)
    read(desk, ask(desk, newer))
    first, second = read(desk, ask(desk, bea), ask(desk, cleo))
    assert isinstance(first, Refusal)
    assert first.reason == Reason.REASON_BINDING_INVALID
    assert not isinstance(second, Refusal)
    assert state(desk, cleo) == _NOTICED


def test_an_inbox_that_is_read_twice_at_once_serves_its_notice_once(desk: ListingDesk) -> None:
    bea = desk.federation.subject("bea")
    filed(desk, bea)
    first, second = read(desk, ask(desk, bea), ask(desk, bea))
    assert first == second
    served = [m for m in desk.history(bea) if m.listing.state == _NOTICED]
    assert len(served) == 1


def test_a_notice_counts_from_when_the_last_of_them_asked(desk: ListingDesk) -> None:
    bea, cleo = desk.federation.subject("bea"), desk.federation.subject("cleo")
    filed(desk, bea, cleo)
    later = timedelta(seconds=2)
    read(desk, ask(desk, bea), ask(desk, cleo, later))
    desk.subject = bea
    (own,) = desk.own().listings
    assert own.noticed_at.ToDatetime() == (desk.federation.at + later).replace(tzinfo=None)


def test_calls_at_the_same_moment_are_all_answered(desk: ListingDesk) -> None:
    people = [desk.federation.subject(f"person {n}") for n in range(20)]
    filed(desk, *people)

    async def one(person: Subject) -> v1.ReadInboxResponse:
        desk.let_in()
        asked = subject_request(desk.federation, person, query=_INBOX)
        request = v1.ReadInboxRequest(request=asked, binding=person.binding)
        return await desk.subjects.ReadInbox(request, None)  # type: ignore[arg-type]

    async def all_of_them() -> list[v1.ReadInboxResponse]:
        return list(await asyncio.gather(*map(one, people)))

    assert [len(answer.messages) for answer in asyncio.run(all_of_them())] == [1] * 20
    assert {state(desk, person) for person in people} == {_NOTICED}


def test_messages_of_one_moment_stand_in_their_order_behind_those_that_were_there(
    desk: ListingDesk,
) -> None:
    bea, cleo = desk.federation.subject("bea"), desk.federation.subject("cleo")
    filed(desk, bea)
    kind = v1.InboxKind.INBOX_KIND_CASE_NOTICE
    messages = [
        Message(person.ref, kind, lambda language, word=word: f"{word} in {language}")  # type: ignore[misc]
        for person, word in ((bea, "first"), (cleo, "other"), (bea, "second"))
    ]
    at = desk.federation.at
    sent = desk.desk.store.run(lambda connection: send(connection, messages, at))
    assert [(each.sequence, each.email) for each in sent] == [(2, ""), (1, ""), (3, "")]
    pages = read(desk, ask(desk, bea), ask(desk, cleo))
    told = [[m.text for m in page[0]] for page in pages if not isinstance(page, Refusal)]
    assert [told[0][1:], told[1]] == [["first in en", "second in en"], ["other in en"]]
