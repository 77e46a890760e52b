"""Whether this provider may state a score: every rule, checked here alone, the exchange untrusted.

Pure: no clock, no database, no network. A request passes in three steps, and only the last makes a
``Permitted``, without which nothing is stated:

1. ``open_request``: a licensed lender signed this request just now.
2. ``check``: the subject's consent, and the exchange's word on it, cover this request.
3. ``permit``: nothing that this provider knows by itself forbids it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import from_micros, to_micros
from concordat.federation.directory import Member, MemberDirectory
from concordat.refusal import Refusal
from concordat.trust.envelope import Verified
from concordat.v1 import Reason
from concordat.verify.consent import (
    PERIODS,
    open_binding,
    open_consent,
    open_consent_status,
    require_consent_covers,
    require_consent_in_force,
)
from concordat.verify.receipt import open_receipt, require_intent_of
from concordat.verify.request import lender_named_in, open_view_request

_PASSED = object()


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that every signature and date allows; what this provider knows is yet to come."""

    request: Verified[v1.ViewRequest]
    consent: v1.Consent
    binding_version: int
    receipt: bytes  # the proof that the access is in the log, serialised

    @property
    def subject_ref(self) -> bytes:
        """The subject, 32 bytes."""
        return self.consent.subject_ref

    @property
    def consent_key(self) -> tuple[bytes, bytes]:
        """What the consent is looked up by."""
        return self.consent.subject_ref, self.consent.consent_id

    @property
    def period(self) -> timedelta | None:
        """Length of the window that the consent counts uses in, if it does."""
        return (
            PERIODS[self.consent.frequency.period] if self.consent.HasField("frequency") else None
        )


@dataclass(slots=True)
class Known:
    """What this provider knows by itself about one consent and its subject."""

    event_kind: int = v1.ConsentEventKind.CONSENT_EVENT_KIND_UNSPECIFIED  # of the latest event held
    binding_version: int = 1  # the newest seen for the subject
    uses: int = 0  # distinct requests answered
    uses_in_period: int = 0  # of these, within the consent's period up to now
    oldest_in_period: int = 0  # time of the earliest of them, microseconds
    answered: dict[bytes, bytes] = field(default_factory=dict)  # request id: digest, if answered

    def count(self, request: Verified[v1.ViewRequest], at: datetime) -> None:
        """Count a permitted request for the next of the same batch; a repeat is no use."""
        request_id = request.message.request_id
        if request_id not in self.answered:
            self.answered[request_id] = request.digest
            self.uses += 1
            self.uses_in_period += 1
            self.oldest_in_period = self.oldest_in_period or to_micros(at)


class Permitted:
    """A request that may be answered. Only ``permit`` makes one."""

    __slots__ = ("checked",)

    def __init__(self, checked: Checked, token: object) -> None:
        """Refuse anyone but ``permit``."""
        if token is not _PASSED:
            raise TypeError("only permit makes a Permitted")
        self.checked = checked


def open_request(
    ask: v1.ScoreRequest, directory: MemberDirectory, at: datetime
) -> Verified[v1.ViewRequest]:
    """Verify that a licensed lender asks, freshly, for a purpose it is licensed for.

    Raises ``Refusal``.
    """
    named = lender_named_in(ask.view_request)
    lender = directory.require(named, at, v1.Role.ROLE_LENDER)
    return open_view_request(ask.view_request, lender, directory.anchors, at)


def check(
    ask: v1.ScoreRequest,
    request: Verified[v1.ViewRequest],
    *,
    provider: str,
    exchange: Member,
    directory: MemberDirectory,
    at: datetime,
    status_max_age: timedelta,
) -> Checked:
    """Verify the subject's key, its consent, the exchange's status of it, and that the access is logged.

    Raises ``Refusal``.
    """
    anchors = directory.anchors
    binding = open_binding(ask.binding, anchors, at)
    consent = open_consent(ask.consent, binding, anchors, at)
    require_consent_covers(consent, request.message, provider=provider)
    require_consent_in_force(consent.message, at)
    status = open_consent_status(ask.consent_status, consent, exchange, at, status_max_age)
    anchors.require_federation(status.message.federation)
    if status.message.consent_id != consent.message.consent_id:
        raise Refusal(Reason.REASON_CONSENT_STATUS_STALE, "the status is of another consent")
    require_newest_binding(binding.message, status.message.binding_version)
    require_intent_of(open_receipt(ask.intent, anchors), request)
    receipt = ask.intent.SerializeToString(deterministic=True)
    return Checked(request, consent.message, binding.message.version, receipt)


def require_newest_binding(binding: v1.SubjectBinding, newest: int) -> None:
    """Raise ``Refusal`` (REASON_BINDING_INVALID) where a newer binding of the subject is known."""
    if binding.version < newest:
        raise Refusal(Reason.REASON_BINDING_INVALID, f"binding {newest} is known")


def permit(checked: Checked, known: Known, at: datetime) -> Permitted:
    """Hold ``checked`` against what this provider knows by itself. Raises ``Refusal``.

    An event that the subject sent here counts whatever the exchange says. A repeat of a request
    that was answered is no new use; the same request id with other bytes is refused. A consent that a former
    key signed holds where it was used here before: one that turns up only now may be a thief's.
    """
    if checked.binding_version < known.binding_version and not known.uses:
        raise Refusal(
            Reason.REASON_BINDING_INVALID, f"binding {known.binding_version} was seen here"
        )
    match known.event_kind:
        case v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE:
            raise Refusal(Reason.REASON_CONSENT_REVOKED, "the subject told this provider")
        case v1.ConsentEventKind.CONSENT_EVENT_KIND_PAUSE:
            raise Refusal(Reason.REASON_CONSENT_PAUSED, "the subject told this provider")
    answered = known.answered.get(checked.request.message.request_id)
    if answered is None:
        _require_use_left(checked, known, at)
    elif answered != checked.request.digest:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
    return Permitted(checked, _PASSED)


def _require_use_left(checked: Checked, known: Known, at: datetime) -> None:
    """Raise ``Refusal`` unless the consent leaves one more use, by this provider's own count."""
    consent, period = checked.consent, checked.period
    if known.uses >= consent.max_uses:
        raise Refusal(Reason.REASON_CONSENT_EXHAUSTED, f"{known.uses} uses counted here")
    if period is not None and known.uses_in_period >= consent.frequency.uses:
        again = from_micros(known.oldest_in_period) + period
        raise Refusal(
            Reason.REASON_CONSENT_TOO_FREQUENT,
            f"{known.uses_in_period} uses in {period.days} d counted here",
            retry_after=max(again - at, timedelta()),
        )
