"""A lender's checks and screenings, and a reviewer's calls, through the SDK: synchronous and asyncio alike."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from clients.sdk import (
    AioLenderClient,
    AioReviewerClient,
    AnswerNotVerified,
    LenderClient,
    ListingCheck,
    RemoteError,
    ReviewerClient,
    Screened,
    ScreenedBatch,
    ViewRefused,
)
from clients.sdk.review_statements import make_ruling
from clients.sdk.screening import batches
from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.v1 import DataCategory, Reason, Role
from tests.builders import AT, EXCHANGE, LENDER, signer
from tests.fake_listings import ListingFederation
from tests.listing_builders import REVIEWER, UPHELD

LISTINGS = [DataCategory.DATA_CATEGORY_LISTINGS]


@pytest.fixture
def fake() -> Iterator[ListingFederation]:
    with ListingFederation() as running:
        yield running


class Both:
    """The synchronous clients, or the asyncio ones with a loop around them: one suite for both."""

    def __init__(self, fake: ListingFederation, *, aio: bool) -> None:
        self.fake, self.aio = fake, aio
        self.identity = fake.identity(LENDER)

    def call(self, method: str, *arguments: Any, as_reviewer: bool = False) -> Any:
        fake = self.fake
        identity = fake.identity(REVIEWER) if as_reviewer else self.identity
        if not self.aio:
            if as_reviewer:
                with ReviewerClient(fake.anchors, identity, fake.clock) as reviewer:
                    return getattr(reviewer, method)(*arguments)
            with LenderClient(fake.anchors, identity, fake.clock) as client:
                return getattr(client, method)(*arguments)

        async def ask() -> Any:
            if as_reviewer:
                async with AioReviewerClient(fake.anchors, identity, fake.clock) as reviewer:
                    return await getattr(reviewer, method)(*arguments)
            async with AioLenderClient(fake.anchors, identity, fake.clock) as client:
                return await getattr(client, method)(*arguments)

        return asyncio.run(ask())

    def screen(self, subjects: list[Screened], batch: int = 1000) -> list[ScreenedBatch]:
        fake = self.fake
        if not self.aio:
            with LenderClient(fake.anchors, self.identity, fake.clock) as client:
                return list(client.screen_listings(subjects, batch=batch))

        async def ask() -> list[ScreenedBatch]:
            async with (
                AioLenderClient(fake.anchors, self.identity, fake.clock) as client,
                aclosing(client.screen_listings(subjects, batch=batch)) as screened,
            ):
                return [done async for done in screened]

        return asyncio.run(ask())


@pytest.fixture(params=["sync", "aio"])
def lender(fake: ListingFederation, request: pytest.FixtureRequest) -> Both:
    return Both(fake, aio=request.param == "aio")


def people(count: int) -> list[Screened]:
    return [Screened(n.to_bytes(32, "big"), n.to_bytes(16, "big")) for n in range(1, count + 1)]


def test_a_check_comes_verified(lender: Both, fake: ListingFederation) -> None:
    checked = lender.call("check_listings", fake.permission(data_categories=LISTINGS))
    assert isinstance(checked, ListingCheck)
    assert checked.answer.HasField("listings")
    assert not checked.answer.HasField("flags")
    assert checked.ask.request == fake.seen["CheckListings"][0].ask.request


def test_an_answer_under_a_key_that_is_newer_than_what_is_known_here_is_looked_up_once(
    lender: Both, fake: ListingFederation
) -> None:
    """The exchange's key is replaced between the list of members and the answer."""
    renewed = signer("the exchange's next key")
    key = v1.SigningKey(
        public_key=renewed.public_key,
        not_before=to_timestamp(AT),
        not_after=to_timestamp(AT.replace(year=AT.year + 1)),
    )

    def sign_anew(response: v1.CheckListingsResponse) -> None:
        fake.federation.enrol(EXCHANGE, Role.ROLE_EXCHANGE, version=99, keys=[key])
        response.CopyFrom(v1.CheckListingsResponse(answer=response.answer))

    fake.bend_check = sign_anew
    with pytest.raises(AnswerNotVerified):  # signed by the old key: looked up, and still refused
        lender.call("check_listings", fake.permission(data_categories=LISTINGS))
    assert len(fake.seen["ListMembers"]) == 2


def test_what_is_refused_raises_the_reason(lender: Both, fake: ListingFederation) -> None:
    fake.refuse["CheckListings"] = [Refusal(Reason.REASON_SUBJECT_FROZEN)]
    with pytest.raises(RemoteError) as refused:
        lender.call("check_listings", fake.permission(data_categories=LISTINGS))
    assert refused.value.reason == Reason.REASON_SUBJECT_FROZEN


def test_a_portfolio_is_screened_in_order(lender: Both, fake: ListingFederation) -> None:
    fake.refusals[people(7)[4].subject_ref] = Reason.REASON_CONSENT_EXPIRED
    screened = lender.screen(people(7), batch=3)
    subjects = [s for batch in screened for s in batch.screening().subjects]
    assert [(s.subject_ref, s.consent_id) for s in subjects] == [
        (person.subject_ref, person.consent_id) for person in people(7)
    ]
    assert [bool(s.refusal) for s in subjects] == [False] * 4 + [True] + [False] * 2


def test_one_message_that_fails_leaves_the_others(lender: Both, fake: ListingFederation) -> None:
    fake.refuse["ScreenListings"] = [Refusal(Reason.REASON_LISTINGS_STALE)]
    first, second = lender.screen(people(4), batch=2)
    assert isinstance(first.result, ViewRefused)
    with pytest.raises(ViewRefused, match="LISTINGS_STALE"):
        first.screening()
    assert len(second.screening().subjects) == 2


def test_an_answer_that_does_not_fit_is_told_with_its_batch(
    lender: Both, fake: ListingFederation
) -> None:
    fake.bend_screen = lambda answer: setattr(answer, "lender", "otherlender")
    (batch,) = lender.screen(people(2))
    assert isinstance(batch.result, AnswerNotVerified)


def test_nobody_to_screen_is_no_message(lender: Both, fake: ListingFederation) -> None:
    assert lender.screen([]) == []


def test_no_message_names_anybody_twice() -> None:
    one, two = people(2)
    again = Screened(one.subject_ref, two.consent_id)
    assert list(batches([one, two, again, one, two], 10)) == [[one, two], [again], [one, two]]
    assert [len(batch) for batch in batches(people(2500), 1000)] == [1000, 1000, 500]


def test_recalls_are_listed_and_acknowledged(lender: Both, fake: ListingFederation) -> None:
    fake.retract()
    (retraction,) = lender.call("list_retractions")
    lender.call("acknowledge_retraction", retraction)
    (request,) = fake.seen["AcknowledgeRetraction"]
    said = v1.RetractionAcknowledgement.FromString(request.acknowledgement.payload)
    assert said.retraction_digest == retraction.digest
    assert lender.call("list_retractions") == []


def test_one_forged_recall_spoils_the_list(lender: Both, fake: ListingFederation) -> None:
    fake.retract()
    fake.retract(signed_by="mallory")
    with pytest.raises(AnswerNotVerified, match="may sign this"):
        lender.call("list_retractions")


def test_a_reviewer_sees_its_queue_and_rules(lender: Both, fake: ListingFederation) -> None:
    story = fake.in_force().disputed()
    (summary,) = lender.call("list_reviews", as_reviewer=True)
    review = lender.call("get_review", summary.dispute_id, as_reviewer=True)
    assert review.dispute is not None
    assert [filing.fault for filing in review.filings] == [""]
    identity = fake.identity(REVIEWER)
    ruling = make_ruling(identity, fake.federation.name, summary, UPHELD, "She paid.", fake.at)
    standing = lender.call("submit_ruling", ruling, as_reviewer=True)
    assert standing.state == v1.ListingState.LISTING_STATE_WITHDRAWN
    assert story.check().problems == ()
