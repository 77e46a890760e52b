"""Subjects who may be asked about again and again: bound keys, and consents granted at the exchange."""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clients.sandbox import EXCHANGE, LENDER, REGISTRAR, Sandbox
from clients.sdk import ConsentTerms, Permission, WalletKey, make_consent
from clients.sdk.screening import Screened
from concordat import v1
from concordat.clock import to_timestamp
from concordat.rpc.channels import open_aio_channel
from concordat.rpc.tls import public_channel
from concordat.statements import seal
from concordat.trust.keys import Ed25519Signer
from concordat.v1.consent_service_pb2_grpc import ConsentServiceStub

AT_ONCE = 64
SECONDS = 30.0
# An account review is at most quarterly: nobody could be asked about twice in a run. An application for
# credit has no such limit, and its consent may allow as many uses as the contract has.
PURPOSE = v1.Purpose.PURPOSE_CREDIT_APPLICATION
OFTEN = v1.Frequency(uses=100_000, period=v1.Period.PERIOD_DAY)
USES = 1_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody to be asked about, and the consent that allows it."""

    subject_ref: bytes
    permission: Permission

    @property
    def screened(self) -> Screened:
        """As a screening names it."""
        consent_id = v1.Consent.FromString(self.permission.consent.payload).consent_id
        return Screened(self.subject_ref, consent_id)


def subjects(sandbox: Sandbox, count: int) -> list[Subject]:
    """Return subjects who have signed a consent that is on record nowhere yet.

    The registrar's key binds theirs, as the registrar does.
    """
    now, registrar = datetime.now(UTC), sandbox.pki.signer(REGISTRAR)
    return [_subject(sandbox.anchors.federation, registrar, now) for _ in range(count)]


def _subject(federation: str, registrar: Ed25519Signer, now: datetime) -> Subject:
    ref, signer = secrets.token_bytes(32), Ed25519Signer.generate()
    binding = v1.SubjectBinding(
        federation=federation,
        subject_ref=ref,
        public_key=signer.public_key,
        version=1,
        not_before=to_timestamp(now - timedelta(hours=1)),
        not_after=to_timestamp(now + timedelta(days=30)),
    )
    key = WalletKey(signer, seal(binding, registrar))
    terms = ConsentTerms(
        recipient=LENDER,
        providers=[EXCHANGE],  # a consent names somebody; no provider is asked
        categories=[v1.DataCategory.DATA_CATEGORY_LISTINGS],
        purpose=PURPOSE,
        frequency=OFTEN,
        max_uses=USES,
    )
    return Subject(
        ref, Permission(seal(make_consent(terms, federation, ref, now), signer), key.binding)
    )


async def grant(sandbox: Sandbox, people: Iterable[Subject]) -> None:
    """Have everybody grant its consent at the exchange."""
    anchors = sandbox.anchors
    channel = open_aio_channel(
        anchors.bundle.exchange_public_endpoint,
        public_channel(anchors),
        anchors.server_name(EXCHANGE),
    )
    waiting = iter(people)
    async with channel:
        stub = ConsentServiceStub(channel)

        async def worker() -> None:
            for each in waiting:
                consent, binding = each.permission.consent, each.permission.binding
                request = v1.GrantConsentRequest(consent=consent, binding=binding)
                await stub.GrantConsent(request, timeout=SECONDS)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def screened(people: Sequence[Subject], size: int) -> list[list[Screened]]:
    """Return subjects as messages of a screening name them, ``size`` in each."""
    every = [person.screened for person in people]
    return [every[at : at + size] for at in range(0, len(every) - size + 1, size)]
