"""A view and its bundle in memory, made by the exchange's rules, for tests that bend a part.

    made = ViewBuilder()                       # three scores, fully disclosed
    made.bundle()                              # lawful
    made.bundle(view)                          # with another view, signed by the exchange
    made.bundle(signed_by="lendwell")          # or by somebody else

``answers`` maps a provider to what it answers: a score, ``Absent`` or ``Failed``. Keywords of
``bundle`` replace whole fields of it.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.pooling import reaches
from concordat.statements import digest_of, seal
from concordat.v1 import DisclosureKind, Reason
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.verify.disclosure import is_withheld
from concordat.verify.scoring import Stated, standing_of, unified_score
from concordat.verify.view import ViewNotVerified, verify_view_bundle
from tests.builders import EXCHANGE, REASONS, Federation, Granted, signer
from tests.receipt_builders import release_record

SECOND = timedelta(seconds=1)
_ABSENT = {
    v1.Absence.ABSENCE_NO_RECORD: Kind.PROVIDER_OUTCOME_KIND_NO_RECORD,
    v1.Absence.ABSENCE_FROZEN: Kind.PROVIDER_OUTCOME_KIND_FROZEN,
}


@dataclass(frozen=True)
class Absent:
    """A provider's answer that there is no score."""

    absence: v1.Absence.ValueType = v1.Absence.ABSENCE_NO_RECORD


@dataclass(frozen=True)
class Failed:
    """A provider that did not answer."""

    reason: Reason.ValueType = Reason.REASON_PROVIDER_TIMED_OUT
    kind: v1.ProviderOutcomeKind.ValueType = Kind.PROVIDER_OUTCOME_KIND_TIMED_OUT


Answer = int | Absent | Failed


@dataclass
class ViewBuilder:
    """The parts of one view; each may be replaced before ``bundle`` puts them together."""

    federation: Federation = field(default_factory=Federation)
    answers: dict[str, Answer] = field(default_factory=dict)
    consent_fields: dict[str, Any] = field(default_factory=dict)
    ask: v1.RequestViewRequest | None = None  # of the subject "ada"; else a fresh one is made
    listings: v1.ListingsInForce = field(
        default_factory=v1.ListingsInForce
    )  # where they are covered
    flags: v1.SubjectFlags = field(default_factory=v1.SubjectFlags)
    stale: frozenset[str] = frozenset()  # providers whose scores are said to have drifted

    def __post_init__(self) -> None:
        fed = self.federation
        self.calibration = fed.directory.calibration(fed.at)
        self.answers = dict.fromkeys(fed.providers, 700) | self.answers
        self.person = fed.subject("ada")
        self.granted = fed.consent(self.person, **self.consent_fields)
        if self.ask is not None:
            terms = v1.Consent.FromString(self.ask.consent.payload)
            self.person = replace(self.person, binding=self.ask.binding)
            self.granted = Granted(self.person, terms, self.ask.consent)
        self.request = self.ask.request if self.ask else fed.view_request(self.granted)
        self.status = fed.consent_status(self.granted)
        self.statements = {
            provider: self.statement(provider)
            for provider, answer in self.answers.items()
            if not isinstance(answer, Failed)
        }
        answered = list(self.statements)
        self.licences = [
            fed.member(name).licence_envelope
            for name in (EXCHANGE, self.granted.consent.recipient, *answered)
        ]

    def statement(self, provider: str, /, **fields: Any) -> v1.Envelope:
        """Return a provider's answer to the request; ``fields`` bend it."""
        answer = self.answers[provider]
        given = {"absence": answer.absence} if isinstance(answer, Absent) else {"score": answer}
        name, signed_by = fields.pop("provider", provider), fields.pop("signed_by", provider)
        return self.federation.score_statement(
            name, self.request, signed_by=signed_by, **(given | fields)
        )

    def score(self) -> v1.UnifiedScore | None:
        """Return the unified score of the answers."""
        return unified_score(self.calibration.compiled, self.stated())

    def stated(self) -> list[Stated]:
        """Return what the providers answer, whatever a test put in place of their statements."""
        return [
            (
                self._scale(provider),
                v1.ScoreStatement(provider=provider, absence=answer.absence)
                if isinstance(answer, Absent)
                else v1.ScoreStatement(provider=provider, score=answer, reasons=REASONS),
            )
            for provider, answer in self.answers.items()
            if not isinstance(answer, Failed)
        ]

    def _scale(self, provider: str) -> v1.ScoreScale:
        return self.federation.member(provider).licence.score_scale

    def view(self) -> v1.View:
        """Return the unsigned view."""
        fed, consent = self.federation, self.granted.consent
        made = fed.at + SECOND
        partial = len(self.statements) < len(consent.providers)
        view = v1.View(
            view_id=new_id(),
            federation=fed.name,
            lender=consent.recipient,
            subject_ref=consent.subject_ref,
            request_digest=digest_of(self.request),
            consent_digest=digest_of(self.granted.envelope),
            binding_digest=digest_of(self.person.binding),
            consent_status_digest=digest_of(self.status),
            purpose=consent.purpose,
            disclosure=consent.disclosure,
            providers=[self._outcome(provider) for provider in consent.providers],
            calibration_version=self.calibration.version,
            calibration_digest=self.calibration.digest,
            licence_digests=[digest_of(licence) for licence in self.licences],
            receipt=v1.Receipt(access_id=new_id(), recorded_at=to_timestamp(fed.at)),
            issued_at=to_timestamp(made),
            delete_by=to_timestamp(made + timedelta(days=consent.data_life_days)),
        )
        score = self.score()
        if score is None or is_withheld(consent.disclosure, view.providers):
            view.no_score.partial = partial
        elif partial:
            view.partial.CopyFrom(_disclosed(score, consent.disclosure))
        else:
            view.complete.CopyFrom(_disclosed(score, consent.disclosure))
        if v1.DataCategory.DATA_CATEGORY_LISTINGS in consent.data_categories:
            view.listings.CopyFrom(self.listings)
        if v1.DataCategory.DATA_CATEGORY_FLAGS in consent.data_categories:
            view.flags.CopyFrom(self.flags)
        return view

    def bundle(
        self,
        view: v1.View | None = None,
        signed_by: str = EXCHANGE,
        **parts: Any,
    ) -> v1.ViewBundle:
        """Return the bundle; ``parts`` replace whole fields of it."""
        full = self.granted.consent.disclosure.kind == DisclosureKind.DISCLOSURE_KIND_FULL
        view = view or self.view()
        envelope = seal(view, signer(signed_by))
        given: dict[str, Any] = {
            "view": envelope,
            "request": self.request,
            "consent": self.granted.envelope,
            "binding": self.person.binding,
            "consent_status": self.status,
            "statements": list(self.statements.values()) if full else [],
            "licences": self.licences,
            "calibration": self.calibration.envelope,
            "intent": self.federation.intent(
                self.granted, self.request, access_id=view.receipt.access_id
            ),
            "release": self.federation.receipt(
                release_record(view, digest_of(envelope), new_id()),
                v1.LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE,
                at=self.federation.at + SECOND,
            ),
        }
        return v1.ViewBundle(**(given | parts))

    def answer(self) -> v1.RequestViewResponse:
        """Return what the exchange answers the lender's ask with."""
        made = self.bundle()
        return v1.RequestViewResponse(
            view=made.view,
            consent_status=made.consent_status,
            statements=made.statements,
            intent=made.intent,
            release=made.release,
        )

    def _outcome(self, provider: str) -> v1.ProviderOutcome:
        answer = self.answers[provider]
        if isinstance(answer, Failed):
            return v1.ProviderOutcome(provider=provider, kind=answer.kind, reason=answer.reason)
        kind = Kind.PROVIDER_OUTCOME_KIND_SCORED
        if isinstance(answer, Absent):
            kind = _ABSENT[answer.absence]
        digest = digest_of(self.statements[provider])
        scale, drifted = self._scale(provider), provider in self.stale
        made = self.federation.at + SECOND
        standing = standing_of(self.calibration, provider, scale, made, drifted=drifted)
        return v1.ProviderOutcome(
            provider=provider, kind=kind, statement_digest=digest, calibration=standing
        )


def _disclosed(score: v1.UnifiedScore, disclosure: v1.Disclosure) -> v1.ScoreAnswer:
    match disclosure.kind:
        case DisclosureKind.DISCLOSURE_KIND_FULL:
            return v1.ScoreAnswer(full=score)
        case DisclosureKind.DISCLOSURE_KIND_BAND:
            return v1.ScoreAnswer(band=score.band)
        case _:
            reached = reaches(score.points, disclosure.threshold)
            return v1.ScoreAnswer(
                threshold=v1.ThresholdAnswer(threshold=disclosure.threshold, reached=reached)
            )


def failed_check(made: ViewBuilder, bundle: v1.ViewBundle) -> ViewNotVerified:
    """Return why ``bundle`` is refused."""
    with pytest.raises(ViewNotVerified) as failure:
        verify_view_bundle(bundle, made.federation.anchors)
    return failure.value
