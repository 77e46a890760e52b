"""A wallet's look at its own score through the SDK, synchronous and asyncio."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from clients.sdk import AioWalletClient, AnswerNotVerified, ClientError, WalletClient, WalletKey
from clients.sdk.own_views import licensed_providers
from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.statements import seal
from concordat.v1 import Reason
from concordat.verify.own_view import VerifiedOwnView
from tests.builders import LENDER, PROVIDERS, Federation, signer
from tests.fake_listings import ListingFederation
from tests.view_builders import Failed


@pytest.fixture(scope="module")
def running() -> Iterator[ListingFederation]:
    with ListingFederation() as fake:
        yield fake


@pytest.fixture
def fake(running: ListingFederation) -> ListingFederation:
    running.own_answers, running.bend_own_view = {}, lambda _answer: None
    running.seen.clear()
    return running


@pytest.fixture(params=["sync", "aio"])
def aio(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "aio")


def look(fake: ListingFederation, *, aio: bool, providers: tuple[str, ...] = ()) -> VerifiedOwnView:
    key = WalletKey(fake.person.signer, fake.person.binding)
    if not aio:
        with WalletClient(fake.anchors, fake.clock) as client:
            return client.own_view(key, providers)

    async def ask() -> VerifiedOwnView:
        async with AioWalletClient(fake.anchors, fake.clock) as client:
            return await client.own_view(key, providers)

    return asyncio.run(ask())


def requests(fake: ListingFederation) -> list[Any]:
    return [
        v1.OwnViewRequest.FromString(request.request.payload)
        for request in fake.seen["RequestOwnView"]
    ]


def test_the_whole_score_comes_verified(fake: ListingFederation, aio: bool) -> None:
    fake.own_answers = {PROVIDERS[0]: 640, PROVIDERS[1]: Failed()}
    verified = look(fake, aio=aio)
    assert verified.score is not None
    assert [each.provider for each in verified.missing] == [PROVIDERS[1]]
    assert verified.statements[PROVIDERS[0]].message.score == 640


def test_all_licensed_providers_are_asked_or_those_that_are_named(
    fake: ListingFederation, aio: bool
) -> None:
    look(fake, aio=aio)
    look(fake, aio=aio, providers=(PROVIDERS[2], PROVIDERS[0], PROVIDERS[2]))
    asked = [list(request.providers) for request in requests(fake)]
    assert asked == [list(PROVIDERS), [PROVIDERS[2], PROVIDERS[0]]]


def test_an_answer_that_does_not_hold_is_not_believed(fake: ListingFederation, aio: bool) -> None:
    def richer(answer: v1.RequestOwnViewResponse) -> None:
        view = v1.OwnView.FromString(answer.view.payload)
        view.complete.points += 10
        answer.view.CopyFrom(seal(view, signer("exchange")))

    fake.bend_own_view = richer
    with pytest.raises(AnswerNotVerified, match="does not verify"):
        look(fake, aio=aio)


def test_an_answer_signed_by_another_is_not_believed(fake: ListingFederation, aio: bool) -> None:
    def forged(answer: v1.RequestOwnViewResponse) -> None:
        view = v1.OwnView.FromString(answer.view.payload)
        answer.view.CopyFrom(seal(view, signer(LENDER)))

    fake.bend_own_view = forged
    with pytest.raises(AnswerNotVerified, match="view"):
        look(fake, aio=aio)


def test_an_answer_that_names_what_nobody_lists_is_not_believed(
    fake: ListingFederation, aio: bool
) -> None:
    def unlisted(answer: v1.RequestOwnViewResponse) -> None:
        view = v1.OwnView.FromString(answer.view.payload)
        view.calibration_digest = bytes(32)
        answer.view.CopyFrom(seal(view, signer("exchange")))

    fake.bend_own_view = unlisted
    with pytest.raises(AnswerNotVerified, match="does not list"):
        look(fake, aio=aio)


def test_an_older_calibration_than_the_exchange_lists_is_not_believed(
    aio: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ListingFederation() as fake:
        old = fake.federation.directory.calibration(fake.at)
        fake.federation.calibrate(version=old.version + 1)
        assert look(fake, aio=aio).calibration.version == old.version + 1
        monkeypatch.setattr(fake.federation.directory, "calibration", lambda _at: old)
        with pytest.raises(AnswerNotVerified, match="made by calibration 1, and it lists 2"):
            look(fake, aio=aio)


def test_more_looks_than_a_day_allows_are_refused_as_such(
    fake: ListingFederation, aio: bool
) -> None:
    fake.refuse["RequestOwnView"] = [Refusal(Reason.REASON_QUOTA_EXCEEDED)]
    with pytest.raises(RemoteError) as refused:
        look(fake, aio=aio)
    assert refused.value.reason == Reason.REASON_QUOTA_EXCEEDED


def test_who_is_suspended_is_not_asked_unless_named() -> None:
    federation = Federation()
    federation.suspend(PROVIDERS[1])
    asked = licensed_providers(federation.directory, federation.at)
    assert asked == [PROVIDERS[0], PROVIDERS[2]]


def test_more_providers_than_one_look_asks_must_be_named() -> None:
    federation = Federation(providers=tuple(f"bank-{n:02}" for n in range(33)), calibrated=False)
    with pytest.raises(ClientError, match="name yours"):
        licensed_providers(federation.directory, federation.at)
