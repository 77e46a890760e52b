"""A lender's client: what it returns is verified, what is partial cannot be overlooked."""

import asyncio
from collections.abc import Iterator

import grpc
import pytest

from clients.sdk import (
    AioLenderClient,
    AnswerNotVerified,
    LenderClient,
    LenderView,
    NoScoreStated,
    PartialView,
    Permission,
    RemoteError,
    StreamedView,
    ViewRefused,
)
from concordat import v1
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.v1 import Reason
from tests.builders import EXCHANGE, LENDER, PROVIDERS, Federation, signer
from tests.fake_federation import FakeFederation, unavailable
from tests.view_builders import Absent, Failed

ALDER = PROVIDERS[0]


@pytest.fixture
def fake() -> Iterator[FakeFederation]:
    with FakeFederation() as running:
        yield running


class Both:
    """The synchronous client, or the asyncio one with a loop around it: one suite for both."""

    def __init__(self, fake: FakeFederation, *, aio: bool) -> None:
        self.fake, self.aio = fake, aio
        self.identity = fake.identity(LENDER)

    def request_view(self, permission: Permission, **options: float) -> LenderView:
        fake = self.fake
        if not self.aio:
            with LenderClient(fake.anchors, self.identity, fake.clock) as client:
                return client.request_view(permission, **options)

        async def ask() -> LenderView:
            async with AioLenderClient(fake.anchors, self.identity, fake.clock) as client:
                return await client.request_view(permission, **options)

        return asyncio.run(ask())

    def request_views(self, permissions: list[Permission], **options: int) -> list[StreamedView]:
        fake = self.fake
        if not self.aio:
            with LenderClient(fake.anchors, self.identity, fake.clock) as client:
                return list(client.request_views(permissions, **options))

        async def ask() -> list[StreamedView]:
            async with AioLenderClient(fake.anchors, self.identity, fake.clock) as client:
                return [view async for view in client.request_views(permissions, **options)]

        return asyncio.run(ask())


@pytest.fixture(params=[False, True], ids=["sync", "aio"])
def lender(fake: FakeFederation, request: pytest.FixtureRequest) -> Both:
    return Both(fake, aio=request.param)


def test_a_view_comes_verified_with_its_score(fake: FakeFederation, lender: Both) -> None:
    view = lender.request_view(fake.permission())
    assert view.score().full.points == view.view.complete.full.points > 0
    assert [check.name for check in view.verified.checks][-1] == "deletion date"
    assert len(fake.seen["ListMembers"]) == 1


def test_an_exchange_that_goes_back_to_an_older_calibration_is_not_believed(
    fake: FakeFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake.federation.directory.calibration(fake.at)
    with LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
        assert client.request_view(fake.permission()).view.calibration_version == 1
        fake.federation.calibrate(version=2)
        assert client.request_view(fake.permission()).view.calibration_version == 2
        monkeypatch.setattr(fake.federation.directory, "calibration", lambda _at: old)
        with pytest.raises(AnswerNotVerified, match="made by calibration 1, and it lists 2"):
            client.request_view(fake.permission())


def test_a_view_that_was_on_its_way_when_a_new_calibration_came_is_believed(
    fake: FakeFederation,
) -> None:
    with LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
        client.request_view(fake.permission())

        def meanwhile(_answer: v1.RequestViewResponse) -> None:
            fake.federation.calibrate(version=2)

        fake.bend = meanwhile
        assert client.request_view(fake.permission()).view.calibration_version == 1


def test_a_partial_view_gives_no_score_unless_accepted(fake: FakeFederation, lender: Both) -> None:
    fake.answers[ALDER] = Failed()
    view = lender.request_view(fake.permission())
    with pytest.raises(PartialView) as partial:
        view.score()
    assert [outcome.provider for outcome in partial.value.missing] == [ALDER]
    assert view.score(accept_partial=True).full.points > 0


def test_a_view_without_a_score_never_gives_one(fake: FakeFederation, lender: Both) -> None:
    fake.answers = dict.fromkeys(PROVIDERS, Absent())
    with pytest.raises(NoScoreStated) as nothing:
        lender.request_view(fake.permission()).score(accept_partial=True)
    assert not nothing.value.partial


def test_a_view_that_does_not_verify_is_not_returned(fake: FakeFederation, lender: Both) -> None:
    fake.bend = lambda answer: answer.view.signatures[0].__setattr__("sig", bytes(64))
    with pytest.raises(AnswerNotVerified, match="view"):
        lender.request_view(fake.permission())


def test_a_refusal_keeps_its_reason_and_says_what_to_do(fake: FakeFederation, lender: Both) -> None:
    fake.refuse["RequestView"] = [Refusal(Reason.REASON_CONSENT_REVOKED)]
    with pytest.raises(RemoteError) as refused:
        lender.request_view(fake.permission())
    assert refused.value.reason == Reason.REASON_CONSENT_REVOKED
    assert "revoked" in str(refused.value)


def test_a_retry_repeats_the_same_bytes(fake: FakeFederation, lender: Both) -> None:
    fake.refuse["RequestView"] = [unavailable(), unavailable()]
    lender.request_view(fake.permission())
    first, *others = fake.seen["RequestView"]
    assert len(others) == 2
    assert all(other == first for other in others)


def test_an_exchange_that_is_gone_is_a_remote_error(fake: FakeFederation, lender: Both) -> None:
    fake.stop(0)
    with pytest.raises(RemoteError) as gone:
        lender.request_view(fake.permission(), seconds=3.0)
    assert gone.value.reason == Reason.REASON_UNSPECIFIED
    assert gone.value.code in {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }


def test_a_licence_renewed_meanwhile_is_fetched(fake: FakeFederation) -> None:
    with LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
        client.request_view(fake.permission())
        renewed = fake.federation.licence(ALDER, v1.Role.ROLE_PROVIDER, version=3)
        fake.federation.directory.add_licence(renewed, fake.federation.at)
        client.request_view(fake.permission())
        client.request_view(fake.permission())
    assert len(fake.seen["ListMembers"]) == 2


def test_a_calibration_that_came_into_use_meanwhile_is_fetched(fake: FakeFederation) -> None:
    with LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
        client.request_view(fake.permission())
        fake.federation.calibrate(version=2)
        view = client.request_view(fake.permission())
        client.request_view(fake.permission())
    assert (view.view.calibration_version, len(fake.seen["ListMembers"])) == (2, 2)
    assert view.verified.calibration is not None


def test_a_calibration_that_the_exchange_never_lists_is_refused(
    fake: FakeFederation, lender: Both
) -> None:
    weak = fake.federation.calibration(version=2)
    fake.bend = lambda answer: renamed(answer, fake.federation, digest_of(weak))
    with pytest.raises(AnswerNotVerified, match="calibration that is not known here, version 2"):
        lender.request_view(fake.permission())


def renamed(answer: v1.RequestViewResponse, federation: Federation, digest: bytes) -> None:
    """Have the view name another calibration, signed by the exchange itself."""
    view = v1.View.FromString(answer.view.payload)
    view.calibration_version, view.calibration_digest = 2, digest
    answer.view.CopyFrom(seal(view, signer(EXCHANGE)))


def test_a_member_list_with_a_forged_licence_is_refused(fake: FakeFederation, lender: Both) -> None:
    fake.federation.member(ALDER).licence_envelope.signatures[0].sig = bytes(64)
    with pytest.raises(AnswerNotVerified, match="members"):
        lender.request_view(fake.permission())


def test_a_stream_answers_in_order_under_one_signature_a_message(
    fake: FakeFederation, lender: Both
) -> None:
    permissions = [fake.permission() for _ in range(10)]
    views = lender.request_views(permissions, batch=4, in_flight=2)
    assert [view.permission for view in views] == permissions
    assert all(view.view().score().full.points for view in views)
    messages = fake.seen["RequestViews"]
    assert [len(message.asks) for message in messages] == [4, 4, 2]
    roots = [{ask.request.signatures[0].sig for ask in message.asks} for message in messages]
    assert [len(signatures) for signatures in roots] == [1, 1, 1]


def test_a_refused_ask_refuses_no_other(fake: FakeFederation, lender: Both) -> None:
    fake.refuse["ask"] = [Refusal(Reason.REASON_CONSENT_UNKNOWN)]
    first, second = lender.request_views([fake.permission(), fake.permission()])
    with pytest.raises(ViewRefused, match="CONSENT_UNKNOWN"):
        first.view()
    assert second.view().score().full.points > 0


def test_an_empty_stream_ends_at_once(lender: Both) -> None:
    assert lender.request_views([]) == []


def test_a_stream_that_is_refused_raises_the_reason(fake: FakeFederation, lender: Both) -> None:
    fake.refuse["RequestViews"] = [Refusal(Reason.REASON_MEMBER_SUSPENDED)]
    with pytest.raises(RemoteError) as refused:
        lender.request_views([fake.permission()])
    assert refused.value.reason == Reason.REASON_MEMBER_SUSPENDED


def test_permissions_are_read_no_further_ahead_than_the_window(fake: FakeFederation) -> None:
    read = 0

    def permissions() -> Iterator[Permission]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield fake.permission()

    with LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client:
        stream = client.request_views(permissions(), batch=2, in_flight=2)
        next(stream)
        assert read <= 8
        stream.close()  # type: ignore[attr-defined]  # a generator


def test_a_failure_while_reading_permissions_reaches_the_caller(fake: FakeFederation) -> None:
    def permissions() -> Iterator[Permission]:
        yield fake.permission()
        raise LookupError("the file ended")

    with (
        LenderClient(fake.anchors, fake.identity(LENDER), fake.clock) as client,
        pytest.raises(LookupError),
    ):
        list(client.request_views(permissions(), batch=1))


def test_what_is_no_consent_is_not_sent(fake: FakeFederation, lender: Both) -> None:
    request = fake.federation.view_request(fake.granted())
    with pytest.raises(AnswerNotVerified, match="no consent"):
        lender.request_view(Permission(request, fake.permission().binding))
