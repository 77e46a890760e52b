"""What became of each provider of the consent, and the statements of those that answered."""

from collections.abc import Iterable, Mapping, Sequence

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.trust.envelope import Verified
from concordat.v1 import Absence, CalibrationStanding, DisclosureKind, Reason
from concordat.v1 import ProviderOutcomeKind as Kind
from concordat.verify.disclosure import ANSWERED, is_withheld
from concordat.verify.mismatch import MismatchError
from concordat.verify.request import Asked, open_score_statement
from concordat.verify.view_licences import Members, Parties

_ABSENCES = {
    Absence.ABSENCE_NO_RECORD: Kind.PROVIDER_OUTCOME_KIND_NO_RECORD,
    Absence.ABSENCE_FROZEN: Kind.PROVIDER_OUTCOME_KIND_FROZEN,
}
_DIGEST_BYTES = 32


def require_outcomes(view: v1.View, consent: v1.Consent, providers: Mapping[str, Member]) -> None:
    """Raise ``MismatchError`` unless the outcomes fit consent, licences and kind of view.

    One for each provider of the consent, in its order; a licence for each that answered, in the
    same order; partial exactly where one is missing; no score exactly where none that the calibration
    reads stated one, or where it ``is_withheld``.
    """
    if [outcome.provider for outcome in view.providers] != list(consent.providers):
        raise MismatchError("the outcomes are not those of the consent's providers, in its order")
    withheld = is_withheld(view.disclosure, view.providers)
    _require_fitting(view, providers, withheld=withheld)


def require_own_outcomes(
    view: v1.OwnView, request: v1.OwnViewRequest, providers: Mapping[str, Member]
) -> None:
    """Raise ``MismatchError`` unless the outcomes fit request, licences and kind of view, as in a ``View``."""
    if [outcome.provider for outcome in view.providers] != list(request.providers):
        raise MismatchError("the outcomes are not those of the request's providers, in its order")
    _require_fitting(view, providers, withheld=False)


def _require_fitting(
    view: v1.View | v1.OwnView, providers: Mapping[str, Member], *, withheld: bool
) -> None:
    for outcome in view.providers:
        _require_consistent(outcome)
    answered = [outcome.provider for outcome in view.providers if outcome.kind in ANSWERED]
    if answered != list(providers):
        raise MismatchError("the licences are not those of the providers that answered, in order")
    told = not withheld and any(_is_pooled(outcome) for outcome in view.providers)
    _require_kind_of_view(view, scored=told, partial=len(answered) < len(view.providers))


def _is_pooled(outcome: v1.ProviderOutcome) -> bool:
    unread = outcome.calibration == CalibrationStanding.CALIBRATION_STANDING_NONE
    return outcome.kind == Kind.PROVIDER_OUTCOME_KIND_SCORED and not unread


def _require_consistent(outcome: v1.ProviderOutcome) -> None:
    """Raise unless an answer has a digest and no reason, and a failure the other way round."""
    answered = outcome.kind in ANSWERED
    if len(outcome.statement_digest) != (_DIGEST_BYTES if answered else 0):
        raise MismatchError(f"{outcome.provider}: an answer has a digest, and nothing else has")
    if (outcome.reason == Reason.REASON_UNSPECIFIED) != answered:
        raise MismatchError(f"{outcome.provider}: a failure has a reason, and an answer has none")


def _require_kind_of_view(view: v1.View | v1.OwnView, *, scored: bool, partial: bool) -> None:
    told = view.WhichOneof("outcome")
    of_score = "partial" if partial else "complete"
    due = of_score if scored else "no_score"
    if told != due:
        raise MismatchError(f"the view says {told}, its outcomes say {due}")
    if told == "no_score" and view.no_score.partial != partial:
        raise MismatchError("the view hides that a provider is missing, or claims one that is not")


def open_statements(
    bundle: v1.ViewBundle,
    view: v1.View,
    request: Verified[v1.ViewRequest],
    members: Members,
    anchors: Anchors,
) -> dict[str, Verified[v1.ScoreStatement]]:
    """Verify the providers' statements and return them by provider, in the consent's order.

    In full disclosure there is one for each provider that answered; else there is none at all.
    Raises ``MismatchError``, and ``Refusal`` for a statement that does not count.
    """
    full = view.disclosure.kind == DisclosureKind.DISCLOSURE_KIND_FULL
    due = view.providers if full else []
    return open_all(bundle.statements, due, request, members, anchors)


def open_all(
    envelopes: Sequence[v1.Envelope],
    outcomes: Iterable[v1.ProviderOutcome],
    request: Asked,
    parties: Parties,
    anchors: Anchors,
) -> dict[str, Verified[v1.ScoreStatement]]:
    """Verify the statement of each provider that answered, among ``outcomes``; return them by provider.

    Raises ``MismatchError``, and ``Refusal`` for a statement that does not count.
    """
    due = [outcome for outcome in outcomes if outcome.kind in ANSWERED]
    if len(envelopes) != len(due):
        raise MismatchError(f"{len(envelopes)} statements where {len(due)} belong")
    statements: dict[str, Verified[v1.ScoreStatement]] = {}
    for outcome, envelope in zip(due, envelopes, strict=True):
        provider = parties.providers[outcome.provider]
        statement = open_score_statement(envelope, provider, request, anchors, parties.made_at)
        _require_outcome_of(statement, outcome)
        statements[outcome.provider] = statement
    return statements


def _require_outcome_of(
    statement: Verified[v1.ScoreStatement], outcome: v1.ProviderOutcome
) -> None:
    """Raise unless the outcome is what the statement says, and names it by digest."""
    if outcome.statement_digest != statement.digest:
        raise MismatchError(f"the view was made from another statement of {outcome.provider}")
    kind = Kind.PROVIDER_OUTCOME_KIND_SCORED
    if statement.message.WhichOneof("answer") == "absence":
        kind = _ABSENCES[statement.message.absence]
    if outcome.kind != kind:
        raise MismatchError(f"{outcome.provider}: the outcome is not what its statement says")
