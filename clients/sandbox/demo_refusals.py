"""Four things that a federation must refuse, each tried for real."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clients.sandbox import cast
from clients.sandbox.federation import Sandbox
from clients.sandbox.people import Person
from clients.sandbox.processes import SandboxError
from clients.sdk import LenderClient, OperatorClient, Permission, RemoteError
from clients.sdk.flow import Call, Port, ask, exchange_peer
from clients.sdk.transport import Transport
from clients.sdk.views import prepare_asks
from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import seal
from concordat.v1 import ProviderOutcomeKind, Reason


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried, by whom, and the refusal it got."""

    attempt: str
    refusal: RemoteError


def four_refusals(
    sandbox: Sandbox, person: Person, permission: Permission, lender: LenderClient
) -> list[Tried]:
    """Try all four; raise ``SandboxError`` where one is not refused as it should be."""
    revoked = person.consent(sandbox.provider_ids)
    report = person.revoke(revoked)
    if not report.complete:
        raise SandboxError(f"the revocation did not reach everyone: {report}")
    other = sandbox.lender(cast.OTHER_LENDER)
    return [
        _tried(
            "a view on a consent that the borrower has revoked",
            Reason.REASON_CONSENT_REVOKED,
            lambda: lender.request_view(revoked),
        ),
        _tried(
            f"{cast.OTHER_LENDER} uses a consent given to {cast.LENDER}",
            Reason.REASON_CONSENT_WRONG_RECIPIENT,
            lambda: other.request_view(permission),
        ),
        _tried(
            "a request sent again under the same id, with other bytes",
            Reason.REASON_REPLAYED_WITH_OTHER_BYTES,
            lambda: _replay_changed(sandbox, permission),
        ),
        _tried(
            f"{cast.UNLICENSED}, a provider with a certificate and no licence, looks up a borrower",
            Reason.REASON_MEMBER_UNLICENSED,
            lambda: _look_up_unlicensed(sandbox, person),
        ),
    ]


def unlicensed_outcome(
    sandbox: Sandbox, person: Person, lender: LenderClient
) -> tuple[str, v1.ProviderOutcome]:
    """Consent to a provider that has no licence; return its name and what the view says of it."""
    permission = person.consent([*sandbox.provider_ids, cast.UNLICENSED])
    (outcome,) = lender.request_view(permission).missing
    if outcome.kind != ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_NOT_LICENSED:
        raise SandboxError(f"an unlicensed provider was dealt with: {outcome}")
    return cast.UNLICENSED, outcome


def _tried(attempt: str, expected: Reason.ValueType, make: Callable[[], object]) -> Tried:
    try:
        make()
    except RemoteError as refusal:
        if refusal.reason == expected:
            return Tried(attempt, refusal)
        raise SandboxError(f"{attempt}: refused otherwise than expected: {refusal}") from refusal
    raise SandboxError(f"{attempt}: it was not refused")


def _replay_changed(sandbox: Sandbox, permission: Permission) -> None:
    identity = sandbox.identity(cast.LENDER)
    (first,) = prepare_asks(identity, [permission], datetime.now(UTC))
    changed = v1.ViewRequest.FromString(first.request.payload)
    changed.expires_at.CopyFrom(to_timestamp(datetime.now(UTC) + timedelta(seconds=30)))
    second = v1.RequestViewRequest()
    second.CopyFrom(first)
    second.request.CopyFrom(seal(changed, identity.signer))
    with Transport(sandbox.anchors, identity.tls) as transport:
        for request in (first, second):
            call = Call(
                exchange_peer(sandbox.anchors, Port.MEMBER),
                "/concordat.v1.ViewService/RequestView",
                request,
                v1.RequestViewResponse,
            )
            transport.run(ask(call, v1.RequestViewResponse))


def _look_up_unlicensed(sandbox: Sandbox, person: Person) -> None:
    with OperatorClient(sandbox.anchors, sandbox.identity(cast.UNLICENSED)) as operator:
        operator.evaluate([person.identity_number])
