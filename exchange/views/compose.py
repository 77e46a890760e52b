"""Making the view from what was gathered: pure, with the time passed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.calibrations import OpenedCalibration
from concordat.federation.directory import Member
from concordat.federation.purposes import covers
from concordat.ids import new_id
from concordat.pooling import reaches
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.v1 import DataCategory, DisclosureKind, ProviderOutcomeKind, Reason
from concordat.verify.disclosure import is_withheld
from concordat.verify.scoring import standing_of, unified_score
from exchange.listings.showing import in_force
from exchange.listings.told import NOTHING, Shown
from exchange.subjects.flag_table import Flags
from exchange.views.dispatch import Answered, Gathering, Outcome, ProviderRefused

_FAILURES = {
    Reason.REASON_PROVIDER_TIMED_OUT: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_TIMED_OUT,
    Reason.REASON_PROVIDER_UNREACHABLE: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_UNREACHABLE,
    Reason.REASON_PROVIDER_ANSWER_INVALID: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_INVALID,
    Reason.REASON_MEMBER_UNLICENSED: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_NOT_LICENSED,
    Reason.REASON_MEMBER_SUSPENDED: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_NOT_LICENSED,
    Reason.REASON_LICENCE_NOT_IN_FORCE: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_NOT_LICENSED,
    Reason.REASON_ROLE_NOT_ALLOWED: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_NOT_LICENSED,
}
_ABSENCES = {
    v1.Absence.ABSENCE_NO_RECORD: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_NO_RECORD,
    v1.Absence.ABSENCE_FROZEN: ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_FROZEN,
}


@dataclass(frozen=True, slots=True)
class Pooling:
    """How views are pooled at one moment: the calibration in use, and whom it has grown stale for."""

    calibration: OpenedCalibration
    stale: frozenset[str] = frozenset()  # providers whose scores have drifted since the fit

    def standing(self, provider: v1.Licence, at: datetime) -> v1.CalibrationStanding.ValueType:
        """Return how far the calibration can be relied on for a provider that answered."""
        name = provider.member_id
        drifted = name in self.stale
        return standing_of(self.calibration, name, provider.score_scale, at, drifted=drifted)

    def score(self, answers: Sequence[Answered]) -> v1.UnifiedScore | None:
        """Pool the answers that count; None where none of them is a score that the calibration reads."""
        stated = [(each.provider.licence.score_scale, each.statement.message) for each in answers]
        return unified_score(self.calibration.compiled, stated)


def compose_view(
    gathering: Gathering,
    exchange: Member,
    pooling: Pooling,
    at: datetime,
    shown: Shown = NOTHING,
) -> v1.View:
    """Return the (unsigned) view of one subject: score as disclosed, outcomes, digests of all it rests on.

    ``shown`` are its listings in force; they go in where the consent covers them.
    """
    admitted = gathering.admitted
    checked = admitted.checked
    request, terms = checked.request.message, checked.consent.message
    assert gathering.status is not None  # noqa: S101 - set when the request was sent
    answers = _answers(gathering)
    partial = len(answers) < len(terms.providers)
    view = v1.View(
        view_id=new_id(),
        federation=request.federation,
        lender=request.lender,
        subject_ref=request.subject_ref,
        request_digest=checked.request.digest,
        consent_digest=checked.consent.digest,
        binding_digest=checked.binding.digest,
        consent_status_digest=digest_of(gathering.status),
        purpose=request.purpose,
        disclosure=request.disclosure,
        providers=[
            provider_outcome(p, gathering.outcomes[p], pooling, at) for p in terms.providers
        ],
        calibration_version=pooling.calibration.version,
        calibration_digest=pooling.calibration.digest,
        licence_digests=[
            exchange.licence_digest,
            checked.lender_licence_digest,
            *(answer.provider.licence_digest for answer in answers),
        ],
        receipt=v1.Receipt(
            access_id=admitted.access_id, recorded_at=to_timestamp(admitted.recorded_at)
        ),
        issued_at=to_timestamp(at),
        delete_by=to_timestamp(at + timedelta(days=terms.data_life_days)),
    )
    score = pooling.score(answers)
    if score is None or is_withheld(request.disclosure, view.providers):
        view.no_score.partial = partial
    elif partial:
        view.partial.CopyFrom(disclose(score, request.disclosure))
    else:
        view.complete.CopyFrom(disclose(score, request.disclosure))
    add_listings(view, terms, admitted.flags, shown)
    return view


def add_listings(
    answer: v1.View | v1.ListingAnswer, terms: v1.Consent, flags: Flags, shown: Shown
) -> None:
    """Put listings in force and flags into an answer, each where the consent covers it."""
    if covers(terms, DataCategory.DATA_CATEGORY_LISTINGS):
        answer.listings.CopyFrom(in_force(shown.entries, shown.words))
    if covers(terms, DataCategory.DATA_CATEGORY_FLAGS):
        answer.flags.CopyFrom(v1.SubjectFlags(frozen=flags.frozen, fraud_alert=flags.fraud_alert))


def _answers(gathering: Gathering) -> list[Answered]:
    """Return the statements that count, in the consent's order."""
    providers = gathering.admitted.checked.consent.message.providers
    outcomes = (gathering.outcomes[provider] for provider in providers)
    return [outcome for outcome in outcomes if isinstance(outcome, Answered)]


def provider_outcome(
    provider: str, outcome: Outcome, pooling: Pooling, at: datetime
) -> v1.ProviderOutcome:
    """Return what became of asking one provider, as the view says it."""
    if isinstance(outcome, Refusal):
        failure = ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_REFUSED
        if not isinstance(outcome, ProviderRefused):
            failure = _FAILURES.get(outcome.reason, failure)
        return v1.ProviderOutcome(provider=provider, kind=failure, reason=outcome.reason)
    statement = outcome.statement.message
    kind = ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_SCORED
    if statement.WhichOneof("answer") == "absence":
        kind = _ABSENCES[statement.absence]
    return v1.ProviderOutcome(
        provider=provider,
        kind=kind,
        statement_digest=outcome.statement.digest,
        calibration=pooling.standing(outcome.provider.licence, at),
    )


def disclose(score: v1.UnifiedScore, disclosure: v1.Disclosure) -> v1.ScoreAnswer:
    """Return what the lender may learn of a score."""
    match disclosure.kind:
        case DisclosureKind.DISCLOSURE_KIND_FULL:
            return v1.ScoreAnswer(full=score)
        case DisclosureKind.DISCLOSURE_KIND_BAND:
            return v1.ScoreAnswer(band=score.band)
        case _:
            return v1.ScoreAnswer(
                threshold=v1.ThresholdAnswer(
                    threshold=disclosure.threshold,
                    reached=reaches(score.points, disclosure.threshold),
                )
            )


def statements_to_release(gathering: Gathering) -> list[v1.Envelope]:
    """Return the providers' statements that go out with the view: all in full disclosure, else none."""
    disclosure = gathering.admitted.checked.request.message.disclosure
    if disclosure.kind != DisclosureKind.DISCLOSURE_KIND_FULL:
        return []
    return [answer.envelope for answer in _answers(gathering)]
