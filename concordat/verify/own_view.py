"""A person's own view checked offline, from the trust bundle alone: as ``verify.view`` for what lenders get.

What it cannot show is the same too: that a member was not suspended then, and that an outcome without a
statement is what happened.
"""

from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.calibrations import OpenedCalibration
from concordat.refusal import refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope, refuse_unknown_fields, validate
from concordat.verify import view_calibration, view_licences, view_outcomes, view_rules
from concordat.verify.consent import open_binding, open_own_view_request
from concordat.verify.disclosure import ANSWERED
from concordat.verify.mismatch import MismatchError
from concordat.verify.receipt import open_receipt, require_own_look_of, require_own_view_of
from concordat.verify.view import Check, Run, in_log

OWN_SHOWS = {
    "form": "within the bounds of the protos, and nothing in it is unknown to this version",
    "licences": "each signed by enough root keys, in its role, in force when the view was made",
    "view": "signed by the exchange of this federation, under these licences",
    "calibration": "the one that the view names: signed by the exchange and enough root keys, and in use then",
    "receipt": "the look was on record before the view was made",
    "binding": "your key, bound by the registrar",
    "request": "signed by your key, fresh when the look was recorded",
    "log: look": "the look is in the log, from before the view was made",
    "log: release": "this very view is in the log as released",
    "digests": "the view was made for this very request, about you",
    "outcomes": "one for each provider that you named; complete or partial accordingly",
    "statements": "each is its own provider's answer to this request, within its licence",
    "score": "computed anew from statements and calibration: the same, byte for byte",
}
"""The checks in their order, and what each shows."""


@dataclass(frozen=True, slots=True)
class VerifiedOwnView:
    """An own view and all it was built from, every part checked. Made by ``verify_own_view``."""

    signed: Verified[v1.OwnView]
    request: Verified[v1.OwnViewRequest]
    parties: view_licences.Parties
    calibration: OpenedCalibration
    statements: dict[str, Verified[v1.ScoreStatement]]  # by provider, of all that answered
    checks: tuple[Check, ...]
    bundle: v1.OwnViewBundle

    @property
    def view(self) -> v1.OwnView:
        """The view itself."""
        return self.signed.message

    @property
    def score(self) -> v1.UnifiedScore | None:
        """The unified score, complete or partial; None where there is none."""
        match self.view.WhichOneof("outcome"):
            case "complete":
                return self.view.complete
            case "partial":
                return self.view.partial
            case _:
                return None

    @property
    def missing(self) -> list[v1.ProviderOutcome]:
        """The providers that did not answer, and why; the view is partial where there are any."""
        return [outcome for outcome in self.view.providers if outcome.kind not in ANSWERED]


def verify_own_view(
    bundle: v1.OwnViewBundle, anchors: Anchors, *, at: datetime | None = None
) -> VerifiedOwnView:
    """Check everything that ``bundle`` claims; raise ``ViewNotVerified`` at the first that fails.

    Licences and keys must be in force at the time the view was made, the request fresh at the time of its
    receipt. With ``at``, a view from after that time is refused too.
    """
    run = Run(OWN_SHOWS)
    with run.check("form"):
        _require_well_formed(bundle)
    with run.check("licences"):
        parties = view_licences.open_parties(bundle, anchors)
    with run.check("view"):
        signed = open_envelope(bundle.view, v1.OwnView, parties.exchange.keys, parties.made_at)
        anchors.require_federation(signed.message.federation)
        _require_named(parties, signed.message)
    view = signed.message
    with run.check("calibration") as shows:
        calibration = view_calibration.open_of(bundle.calibration, view, parties, anchors)
        shows.append(view_calibration.words_of(calibration, view))
    with run.check("receipt"):
        recorded_at = view_rules.require_recorded_first(view)
        view_rules.require_not_from_after(view, at)
    with run.check("binding"):
        binding = open_binding(bundle.binding, anchors, recorded_at)
    with run.check("request"):
        request = open_own_view_request(bundle.request, binding, anchors, recorded_at)
    _check_log(run, bundle, anchors, signed, request)
    with run.check("digests"):
        view_rules.require_digest("request", view.request_digest, request.digest)
        view_rules.require_digest("binding", view.binding_digest, binding.digest)
        if view.subject_ref != request.message.subject_ref:
            raise MismatchError("the view is about another subject")
    with run.check("outcomes"):
        view_outcomes.require_own_outcomes(view, request.message, parties.providers)
        view_calibration.require_standings(view, calibration, parties)
    with run.check("statements"):
        statements = view_outcomes.open_all(
            bundle.statements, view.providers, request, parties, anchors
        )
    with run.check("score") as shows:
        shows.append(_require_score(view, calibration, parties, statements))
    passed = tuple(run.passed)
    return VerifiedOwnView(signed, request, parties, calibration, statements, passed, bundle)


def _check_log(
    run: Run,
    bundle: v1.OwnViewBundle,
    anchors: Anchors,
    signed: Verified[v1.OwnView],
    request: Verified[v1.OwnViewRequest],
) -> None:
    """Verify that the log holds this look, with the same id, and this release of this view."""
    with run.check("log: look") as shows:
        look = open_receipt(bundle.intent, anchors)
        require_own_look_of(look, request)
        view_rules.require_logged_first(look.entry, look.record, signed.message)
        shows.append(in_log(look, "the look is in the log"))
    with run.check("log: release") as shows:
        release = open_receipt(bundle.release, anchors)
        require_own_view_of(release, signed)
        shows.append(in_log(release, "this very view is in the log as released"))


def _require_well_formed(bundle: v1.OwnViewBundle) -> None:
    copy = v1.OwnViewBundle()
    copy.CopyFrom(bundle)  # the check for unknown fields throws them away
    with refusing_untrusted():
        refuse_unknown_fields(copy)
        validate(bundle)


def _require_named(parties: view_licences.Parties, view: v1.OwnView) -> None:
    held = [parties.exchange, *parties.providers.values()]
    if list(view.licence_digests) != [member.licence_digest for member in held]:
        raise MismatchError("the view names other licences, or in another order")


def _require_score(
    view: v1.OwnView,
    calibration: OpenedCalibration,
    parties: view_licences.Parties,
    statements: dict[str, Verified[v1.ScoreStatement]],
) -> str:
    """Check the score and return what was shown about it."""
    outcome = view.WhichOneof("outcome")
    if outcome == "no_score":
        return "no score is claimed: no provider that the calibration reads stated one"
    told = view.complete if outcome == "complete" else view.partial
    view_rules.require_recomputed(told, calibration, parties.providers, statements)
    return OWN_SHOWS["score"]
