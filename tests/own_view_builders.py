"""A person's own look at its score, for tests that bend a part of it.

request = own_request(federation, person)            # signed by the person, for all providers
ask = own_ask(federation, person, request)           # what the exchange passes on to a provider
made = OwnViewBuilder()                              # ada's own view, of three scores
made.bundle()                                        # lawful; keywords replace whole fields of it
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import LogEntryKind, ReleaseResult
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.verify.scoring import standing_of, unified_score
from tests.builders import DAY, EXCHANGE, Federation, Subject, signer
from tests.view_builders import Absent, Answer, Failed

LOOK = LogEntryKind.LOG_ENTRY_KIND_OWN_LOOK
VIEW = LogEntryKind.LOG_ENTRY_KIND_OWN_VIEW
SECOND = timedelta(seconds=1)
_ABSENT = {
    v1.Absence.ABSENCE_NO_RECORD: Kind.PROVIDER_OUTCOME_KIND_NO_RECORD,
    v1.Absence.ABSENCE_FROZEN: Kind.PROVIDER_OUTCOME_KIND_FROZEN,
}


def own_request(
    federation: Federation,
    person: Subject,
    /,
    *,
    signed_by: str | None = None,
    made: datetime | None = None,
    **fields: Any,
) -> v1.Envelope:
    """Return a person's request for its own score, of all providers, made at ``made``, for a minute."""
    made = made or federation.at
    given: dict[str, Any] = {
        "request_id": new_id(),
        "federation": federation.name,
        "subject_ref": person.ref,
        "providers": federation.providers,
        "issued_at": to_timestamp(made),
        "expires_at": to_timestamp(made + timedelta(minutes=1)),
    }
    request = v1.OwnViewRequest(**(given | fields))
    return seal(request, signer(signed_by) if signed_by else person.signer)


def look_record(request: v1.Envelope, look_id: bytes, at: datetime) -> v1.LogRecord:
    """Return what an exchange logs before it asks providers for a person."""
    asked = v1.OwnViewRequest.FromString(request.payload)
    return v1.LogRecord(
        record_id=look_id,
        recorded_at=to_timestamp(at),
        subject_ref=asked.subject_ref,
        own_look=v1.OwnLook(request_digest=digest_of(request), providers=asked.providers),
    )


def own_look(
    federation: Federation,
    request: v1.Envelope,
    *,
    look_id: bytes | None = None,
    log: Ed25519Signer | None = None,
) -> v1.LogReceipt:
    """Return the log's receipt of a look."""
    record = look_record(request, look_id or new_id(), federation.at)
    return federation.receipt(record, LOOK, log=log)


def own_ask(
    federation: Federation, person: Subject, request: v1.Envelope | None = None, **parts: Any
) -> v1.RequestOwnScoresRequest:
    """Return what the exchange passes on to a provider; ``parts`` replace whole fields of it."""
    request = request or own_request(federation, person)
    given: dict[str, Any] = {
        "request": request,
        "binding": person.binding,
        "intent": own_look(federation, request),
    }
    return v1.RequestOwnScoresRequest(**(given | parts))


def own_statement(
    federation: Federation,
    provider: str,
    request: v1.Envelope,
    *,
    signed_by: str | None = None,
    **fields: Any,
) -> v1.Envelope:
    """Return a provider's answer to an own request; ``absence=...`` in ``fields`` makes it one."""
    given: dict[str, Any] = {
        "federation": federation.name,
        "provider": provider,
        "request_digest": digest_of(request),
        "subject_ref": v1.OwnViewRequest.FromString(request.payload).subject_ref,
        "issued_at": to_timestamp(federation.at),
        "salt": b"\x07" * 16,
    }
    if "absence" not in fields:
        given |= {
            "score": 700,
            "reasons": ["BK01", "BK02"],
            "model_version": "model-1",
            "as_of": to_timestamp(federation.at - DAY),
        }
    return seal(v1.ScoreStatement(**(given | fields)), signer(signed_by or provider))


@dataclass
class OwnViewBuilder:
    """The parts of one own view of the subject "ada"; each may be replaced before ``bundle``."""

    federation: Federation = field(default_factory=Federation)
    answers: dict[str, Answer] = field(default_factory=dict)
    ask: v1.RequestOwnViewRequest | None = None  # else a fresh one is made, of all providers

    def __post_init__(self) -> None:
        fed = self.federation
        self.person = fed.subject("ada")
        self.request = self.ask.request if self.ask else own_request(fed, self.person)
        self.binding = self.ask.binding if self.ask else self.person.binding
        self.providers = list(v1.OwnViewRequest.FromString(self.request.payload).providers)
        self.answers = dict.fromkeys(self.providers, 700) | self.answers
        self.look_id = new_id()
        self.calibration = fed.directory.calibration(fed.at)
        self.statements = {
            provider: self.statement(provider)
            for provider in self.providers
            if not isinstance(self.answers[provider], Failed)
        }

    def statement(self, provider: str, /, **fields: Any) -> v1.Envelope:
        """Return a provider's answer to the request; ``fields`` bend it."""
        answer = self.answers[provider]
        given = {"absence": answer.absence} if isinstance(answer, Absent) else {"score": answer}
        name, signed_by = fields.pop("provider", provider), fields.pop("signed_by", provider)
        given |= fields
        return own_statement(self.federation, name, self.request, signed_by=signed_by, **given)

    def score(self) -> v1.UnifiedScore | None:
        """Return the unified score of the answers."""
        stated = [
            (self._scale(provider), v1.ScoreStatement.FromString(envelope.payload))
            for provider, envelope in self.statements.items()
        ]
        return unified_score(self.calibration.compiled, stated)

    def view(self) -> v1.OwnView:
        """Return the unsigned own view."""
        fed = self.federation
        partial = len(self.statements) < len(self.providers)
        view = v1.OwnView(
            view_id=new_id(),
            federation=fed.name,
            subject_ref=self.person.ref,
            request_digest=digest_of(self.request),
            binding_digest=digest_of(self.binding),
            providers=[self._outcome(provider) for provider in self.providers],
            calibration_version=self.calibration.version,
            calibration_digest=self.calibration.digest,
            licence_digests=[digest_of(licence) for licence in self.licences()],
            receipt=v1.Receipt(access_id=self.look_id, recorded_at=to_timestamp(fed.at)),
            issued_at=to_timestamp(fed.at + SECOND),
        )
        score = self.score()
        if score is None:
            view.no_score.partial = partial
        elif partial:
            view.partial.CopyFrom(score)
        else:
            view.complete.CopyFrom(score)
        return view

    def licences(self) -> list[v1.Envelope]:
        """Return the licences that the view rests on."""
        names = [EXCHANGE, *self.statements]
        return [self.federation.member(name).licence_envelope for name in names]

    def bundle(
        self, view: v1.OwnView | None = None, signed_by: str = EXCHANGE, **parts: Any
    ) -> v1.OwnViewBundle:
        """Return the bundle; ``parts`` replace whole fields of it."""
        fed, view = self.federation, view or self.view()
        envelope = seal(view, signer(signed_by))
        given: dict[str, Any] = {
            "view": envelope,
            "request": self.request,
            "binding": self.binding,
            "statements": list(self.statements.values()),
            "licences": self.licences(),
            "calibration": self.calibration.envelope,
            "intent": own_look(fed, self.request, look_id=self.look_id),
            "release": fed.receipt(
                released_record(view, digest_of(envelope)), VIEW, at=fed.at + SECOND
            ),
        }
        return v1.OwnViewBundle(**(given | parts))

    def answer(self) -> v1.RequestOwnViewResponse:
        """Return what the exchange answers the person with."""
        made = self.bundle()
        return v1.RequestOwnViewResponse(
            view=made.view, statements=made.statements, intent=made.intent, release=made.release
        )

    def _scale(self, provider: str) -> v1.ScoreScale:
        return self.federation.member(provider).licence.score_scale

    def _outcome(self, provider: str) -> v1.ProviderOutcome:
        answer = self.answers[provider]
        if isinstance(answer, Failed):
            return v1.ProviderOutcome(provider=provider, kind=answer.kind, reason=answer.reason)
        kind = Kind.PROVIDER_OUTCOME_KIND_SCORED
        if isinstance(answer, Absent):
            kind = _ABSENT[answer.absence]
        made = self.federation.at + SECOND
        return v1.ProviderOutcome(
            provider=provider,
            kind=kind,
            statement_digest=digest_of(self.statements[provider]),
            calibration=standing_of(self.calibration, provider, self._scale(provider), made),
        )


def released_record(view: v1.OwnView, digest: bytes) -> v1.LogRecord:
    """Return what an exchange logs when it lets an own view out."""
    return v1.LogRecord(
        record_id=new_id(),
        recorded_at=view.issued_at,
        subject_ref=view.subject_ref,
        own_view=v1.OwnViewRelease(
            look_id=view.receipt.access_id,
            view_digest=digest,
            result=_RESULTS[view.WhichOneof("outcome") or ""],
            calibration_version=view.calibration_version,
            parts=[v1.ReleasedPart(provider=p.provider, kind=p.kind) for p in view.providers],
        ),
    )


_RESULTS = {
    "complete": ReleaseResult.RELEASE_RESULT_COMPLETE,
    "partial": ReleaseResult.RELEASE_RESULT_PARTIAL,
    "no_score": ReleaseResult.RELEASE_RESULT_NO_SCORE,
}
