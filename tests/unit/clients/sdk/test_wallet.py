"""A wallet's client: what it signs, whom it tells, and what it believes of the answers."""

import asyncio
from collections.abc import Iterator

import pytest

from clients.sdk import (
    AioWalletClient,
    AnswerNotVerified,
    EventReport,
    MemberClient,
    OperatorClient,
    RemoteError,
    WalletClient,
    WalletKey,
    sign_event,
)
from clients.sdk.possession import possession_bytes
from concordat import v1
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.trust.keys import Ed25519Signer, verify_signature
from concordat.v1 import Reason
from tests.builders import AT, PROVIDERS, REGULATOR, Granted, signer
from tests.fake_federation import FakeFederation

REVOKE = v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE


@pytest.fixture
def fake() -> Iterator[FakeFederation]:
    with FakeFederation() as running:
        yield running


@pytest.fixture
def client(fake: FakeFederation) -> Iterator[WalletClient]:
    with WalletClient(fake.anchors, fake.clock) as client:
        yield client


def key_of(granted: Granted) -> WalletKey:
    return WalletKey(granted.person.signer, granted.person.binding)


def revoke(fake: FakeFederation, client: WalletClient, granted: Granted) -> EventReport:
    key = key_of(granted)
    event = sign_event(key, granted.envelope, REVOKE, 1, AT)
    known = {name: fake.federation.member(name) for name in PROVIDERS}
    return client.tell(key, event, granted.envelope, known)


def test_binding_proves_possession_of_the_key(fake: FakeFederation, client: WalletClient) -> None:
    key = Ed25519Signer.generate()
    binding = client.bind(key, "1234 5678", "code")
    (request,) = fake.seen["BindSubject"]
    signed = possession_bytes(fake.anchors.federation, "1234 5678", "code")
    verify_signature(key.public_key, request.possession_sig, signed)
    assert WalletKey(key, binding).subject_ref == fake.federation.subject("ada").ref


def test_a_binding_is_asked_for_once_only(fake: FakeFederation, client: WalletClient) -> None:
    fake.refuse["BindSubject"] = [Refusal(Reason.REASON_UNAVAILABLE)]
    with pytest.raises(RemoteError):
        client.bind(Ed25519Signer.generate(), "1234", "code")
    assert len(fake.seen["BindSubject"]) == 1


def test_a_grant_is_believed_only_if_the_exchange_signed_it(
    fake: FakeFederation, client: WalletClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = fake.granted()
    status = client.grant(key_of(granted), granted.envelope)
    assert status.state == v1.ConsentState.CONSENT_STATE_ACTIVE
    forged = seal(
        v1.ConsentStatus.FromString(fake.status_of(digest_of(granted.envelope)).payload),
        signer("stranger"),
    )
    monkeypatch.setattr(fake, "status_of", lambda *_: forged)
    with pytest.raises(AnswerNotVerified):
        client.grant(key_of(granted), granted.envelope)


def test_a_status_of_another_consent_is_not_believed(
    fake: FakeFederation, client: WalletClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted, other = fake.granted(), fake.status_of(b"\x07" * 32)
    monkeypatch.setattr(fake, "status_of", lambda *_: other)
    with pytest.raises(AnswerNotVerified, match="another consent"):
        client.grant(key_of(granted), granted.envelope)


def test_a_revocation_reaches_exchange_and_every_provider(
    fake: FakeFederation, client: WalletClient
) -> None:
    report = revoke(fake, client, fake.granted())
    assert report.complete
    assert [told.party for told in report.providers] == list(PROVIDERS)
    assert report.status is not None
    assert report.status.state == v1.ConsentState.CONSENT_STATE_REVOKED
    assert len(fake.seen["NotifyConsentEvent"]) == len(PROVIDERS)


def test_a_revocation_reaches_the_providers_without_the_exchange(
    fake: FakeFederation, client: WalletClient
) -> None:
    fake.stop(1)
    report = revoke(fake, client, fake.granted())
    assert not report.exchange.acknowledged
    assert all(told.acknowledged for told in report.providers)
    assert report.status is None


def test_a_provider_that_is_gone_keeps_no_other_from_being_told(
    fake: FakeFederation, client: WalletClient
) -> None:
    fake.stop(4)
    report = revoke(fake, client, fake.granted())
    assert not report.complete
    assert [told.acknowledged for told in report.providers] == [False, True, True]
    assert report.providers[0].error is not None


def test_a_provider_that_holds_an_older_event_has_not_acknowledged(
    fake: FakeFederation, client: WalletClient
) -> None:
    fake.acknowledge = lambda sequence: sequence - 1
    report = revoke(fake, client, fake.granted())
    assert "holds event 0" in report.providers[0].problem


def test_a_provider_without_a_public_endpoint_is_reported(
    fake: FakeFederation, client: WalletClient
) -> None:
    fake.federation.enrol("dogwood-bank", v1.Role.ROLE_PROVIDER)
    granted = fake.granted(providers=["dogwood-bank", *PROVIDERS])
    report = revoke(fake, client, granted)
    assert "no public endpoint" in report.providers[0].problem


def test_consents_are_listed_page_by_page(fake: FakeFederation, client: WalletClient) -> None:
    granted = [fake.granted() for _ in range(5)]
    fake.page = 2
    fake.consents = [
        v1.ConsentRecord(consent=g.envelope, state=v1.ConsentState.CONSENT_STATE_ACTIVE)
        for g in sorted(granted, key=lambda g: g.consent.consent_id)
    ]
    held = client.list_consents(key_of(granted[0]))
    assert [h.envelope for h in held] == [record.consent for record in fake.consents]
    assert len(fake.seen["ListConsents"]) == 3


def test_a_listed_consent_that_the_subject_did_not_sign_is_refused(
    fake: FakeFederation, client: WalletClient
) -> None:
    eve = fake.federation.consent(fake.federation.subject("eve"))
    fake.consents = [v1.ConsentRecord(consent=eve.envelope)]
    with pytest.raises(AnswerNotVerified, match="did not sign"):
        client.list_consents(key_of(fake.granted()))


def test_the_asyncio_client_does_the_same(fake: FakeFederation) -> None:
    async def act() -> EventReport:
        granted = fake.granted()
        key = key_of(granted)
        async with AioWalletClient(fake.anchors, fake.clock) as client:
            await client.grant(key, granted.envelope)
            event = sign_event(key, granted.envelope, REVOKE, 1, AT)
            return await client.tell(key, event, granted.envelope)

    assert asyncio.run(act()).complete


def test_members_are_listed_with_their_standing(fake: FakeFederation) -> None:
    fake.federation.suspend(PROVIDERS[0])
    with MemberClient(fake.anchors, clock=fake.clock) as client:
        standings = {member.member_id: standing for member, standing in client.members()}
    assert standings[PROVIDERS[0]] == v1.Standing.STANDING_SUSPENDED
    assert standings[PROVIDERS[1]] == v1.Standing.STANDING_ACTIVE


def test_a_regulator_submits_what_the_roots_signed(fake: FakeFederation) -> None:
    status = fake.federation.status(PROVIDERS[0], v1.Standing.STANDING_SUSPENDED)
    licence = fake.federation.licence("new-bank", v1.Role.ROLE_PROVIDER)
    with MemberClient(fake.anchors, fake.identity(REGULATOR), fake.clock) as client:
        client.submit_licence(licence)
        client.submit_status(status)
    assert fake.seen["SubmitLicence"][0].licence == licence
    assert fake.seen["SubmitLicenceStatus"][0].status == status


def test_identities_are_evaluated_in_messages_of_a_thousand(fake: FakeFederation) -> None:
    numbers = [f"id-{n}" for n in range(2500)]
    numbers[7] = "bad"
    with OperatorClient(fake.anchors, fake.identity(PROVIDERS[0]), fake.clock) as client:
        refs = client.evaluate(numbers)
    assert refs[7] is None
    assert refs[2499] == b"id-2499".ljust(32, b"\0")
    assert [len(m.inputs) for m in fake.seen["EvaluateIdentities"]] == [1000, 1000, 500]
