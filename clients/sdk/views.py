"""A lender's side of a view: the request signed, the answer verified, the score hard to misread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.sdk.errors import AnswerNotVerified, NoScoreStated, PartialView
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal_batch
from concordat.trust.envelope import parse_statement
from concordat.trust.errors import StatementMalformedError
from concordat.verify.bundle import (
    BundleMalformedError,
    CalibrationMissingError,
    LicenceMissingError,
    assemble_bundle,
)
from concordat.verify.view import VerifiedView, ViewNotVerified, verify_view_bundle

REQUEST_LIFE = timedelta(seconds=60)
_MISSING = (LicenceMissingError, CalibrationMissingError)


@dataclass(frozen=True, slots=True)
class Permission:
    """What a subject hands to a lender: its consent, and the binding of the key that signed it."""

    consent: v1.Envelope
    binding: v1.Envelope


@dataclass(frozen=True, slots=True)
class LenderView:
    """A verified view. Its score comes out only through ``score``, which tells a partial one apart."""

    verified: VerifiedView

    @property
    def view(self) -> v1.View:
        """The view itself."""
        return self.verified.view

    @property
    def bundle(self) -> v1.ViewBundle:
        """What to keep, so that anyone can verify the view offline: ``dump_bundle`` writes it."""
        return self.verified.bundle

    @property
    def missing(self) -> list[v1.ProviderOutcome]:
        """The providers that did not answer, and why; the view is partial where there are any."""
        return self.verified.missing

    @property
    def stale(self) -> list[str]:
        """The providers for whose scores the calibration has grown stale: read the score with care."""
        mark = v1.CalibrationStanding.CALIBRATION_STANDING_STALE
        return [each.provider for each in self.view.providers if each.calibration == mark]

    def score(self, *, accept_partial: bool = False) -> v1.ScoreAnswer:
        """Return the score as far as the consent discloses it.

        Raises ``PartialView`` where a provider is missing and that was not accepted, and
        ``NoScoreStated`` where there is no score at all.
        """
        match self.view.WhichOneof("outcome"):
            case "complete":
                return self.view.complete
            case "partial":
                if not accept_partial:
                    raise PartialView(self.missing)
                return self.view.partial
            case _:
                raise NoScoreStated(partial=self.view.no_score.partial)


def prepare_asks(
    identity: MemberIdentity, permissions: Sequence[Permission], at: datetime
) -> list[v1.RequestViewRequest]:
    """Return signed requests for one view each, on the consents' own terms, under one signature.

    They are to be sent within a minute. Raises ``AnswerNotVerified`` where a permission holds no
    consent.
    """
    requests = [_request(identity.member_id, permission, at) for permission in permissions]
    sealed = seal_batch(requests, identity.signer)
    return [
        v1.RequestViewRequest(
            request=request, consent=permission.consent, binding=permission.binding
        )
        for request, permission in zip(sealed, permissions, strict=True)
    ]


def _request(member_id: str, permission: Permission, at: datetime) -> v1.ViewRequest:
    try:
        consent = parse_statement(v1.Consent, permission.consent.payload)
    except StatementMalformedError as error:
        raise AnswerNotVerified(f"what the subject handed over is no consent: {error}") from error
    return v1.ViewRequest(
        request_id=new_id(),
        federation=consent.federation,
        lender=member_id,
        subject_ref=consent.subject_ref,
        consent_digest=digest_of(permission.consent),
        purpose=consent.purpose,
        disclosure=consent.disclosure,
        issued_at=to_timestamp(at),
        expires_at=to_timestamp(at + REQUEST_LIFE),
    )


def request_view(
    identity: MemberIdentity,
    book: MemberBook,
    permission: Permission,
    now: Callable[[], datetime],
    seconds: float,
) -> Flow[LenderView]:
    """Ask for one view and verify all of it. A retry underneath repeats the same bytes."""
    (request,) = prepare_asks(identity, [permission], now())
    return (yield from send_view(book, request, now, seconds))


def send_view(
    book: MemberBook,
    request: v1.RequestViewRequest,
    now: Callable[[], datetime],
    seconds: float,
) -> Flow[LenderView]:
    """Send a request that was signed before, and verify all of the answer."""
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.ViewService/RequestView",
        request,
        v1.RequestViewResponse,
        seconds,
    )
    answer = yield from ask(call, v1.RequestViewResponse)
    return (yield from finish_view(request, answer, book, now))


def finish_view(
    request: v1.RequestViewRequest,
    answer: v1.RequestViewResponse,
    book: MemberBook,
    now: Callable[[], datetime],
) -> Flow[LenderView]:
    """Verify an answer in full, fetching the members once more if it names something unknown here.

    Raises ``AnswerNotVerified`` where the answer does not hold, with the failed check as its cause.
    """
    try:
        try:
            bundle = assemble_bundle(request, answer, book.licences, book.calibrations)
        except _MISSING:
            yield from book.refresh(now)
            bundle = assemble_bundle(request, answer, book.licences, book.calibrations)
        verified = verify_view_bundle(bundle, book.anchors, at=now())
    except (BundleMalformedError, *_MISSING, ViewNotVerified) as error:
        raise AnswerNotVerified(f"the exchange's view does not verify: {error}") from error
    asked_at = from_timestamp(verified.sources.request.message.issued_at)
    book.require_newest(verified.view.calibration_version, asked_at)
    return LenderView(verified)
