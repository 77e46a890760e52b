"""A view checked offline, from the trust bundle alone: signatures, licences, digests, score.

    verified = verify_view_bundle(parse_bundle(path.read_bytes()), anchors)
    for check in verified.checks:
        print(check.name, check.shows)

What a bundle cannot show, and no check here claims: that a member was not suspended when the view
was made (ask the directory), and that an outcome without a statement is what happened (that is the
exchange's word).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.calibrations import OpenedCalibration
from concordat.federation.purposes import require_releases_score
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope
from concordat.v1 import Reason
from concordat.verify import view_calibration, view_licences, view_outcomes, view_rules
from concordat.verify.bundle import require_well_formed
from concordat.verify.consent import (
    open_binding,
    open_consent,
    open_consent_status,
    require_consent_covers,
    require_consent_in_force,
)
from concordat.verify.disclosure import ANSWERED
from concordat.verify.mismatch import MismatchError
from concordat.verify.receipt import (
    Logged,
    open_receipt,
    require_intent_of,
    require_release_of,
)
from concordat.verify.request import open_view_request

SHOWS = {
    "form": "within the bounds of the protos, and nothing in it is unknown to this version",
    "licences": "each signed by enough root keys, in its role, in force when the view was made",
    "view": "signed by the exchange of this federation, under these licences",
    "calibration": "the one that the view names: signed by the exchange and enough root keys, and in use then",
    "receipt": "the access was on record before the view was made",
    "request": "signed by the lender, fresh when the access was recorded",
    "binding": "the subject's key, bound by the registrar",
    "consent": "signed by the subject's bound key, in force when the access was recorded",
    "consent status": "the exchange's own word that the consent was active",
    "log: access": "the access is in the log, from before the view was made",
    "log: release": "this very view is in the log as released",
    "terms": "recipient, purpose, disclosure and subject are the consent's own",
    "digests": "the view was made from these very statements",
    "outcomes": "one for each provider of the consent; complete or partial accordingly",
    "statements": "each is its own provider's answer to this request, within its licence",
    "score": "computed anew from statements and calibration, or no more than the consent allows",
    "listings": "told exactly where the consent covers them, and none that may not be told",
    "deletion date": "the consent's data life after the view was made",
}
"""The checks in their order, and what each shows."""


class ViewNotVerified(Exception):  # noqa: N818 - read as a finding
    """A view does not hold.

    ``check`` is the check that failed (a key of ``SHOWS``), ``passed`` those before it, ``detail``
    says what is wrong, and ``reason`` is that of the statement refused (REASON_UNSPECIFIED where
    each statement verifies alone and they do not fit together).
    """

    def __init__(
        self, check: str, detail: str, reason: Reason.ValueType, passed: tuple["Check", ...] = ()
    ) -> None:
        """Fail ``check``."""
        super().__init__(f"{check}: {detail}")
        self.check = check
        self.detail = detail
        self.reason = reason
        self.passed = passed


@dataclass(frozen=True, slots=True)
class Check:
    """A check that passed, and what it shows."""

    name: str
    shows: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The statements that a view rests on, each verified."""

    request: Verified[v1.ViewRequest]
    binding: Verified[v1.SubjectBinding]
    consent: Verified[v1.Consent]
    status: Verified[v1.ConsentStatus]


@dataclass(frozen=True, slots=True)
class Proofs:
    """What the log holds of the access."""

    intent: Logged
    release: Logged


@dataclass(frozen=True, slots=True)
class _Chain:
    """What the federation vouches for: the trust bundle, who took part, and how scores are pooled."""

    anchors: Anchors
    members: view_licences.Members
    calibration: OpenedCalibration | None


@dataclass(frozen=True, slots=True)
class VerifiedView:
    """A view and all it was built from, every part checked. Made by ``verify_view_bundle``."""

    signed: Verified[v1.View]
    sources: Sources
    proofs: Proofs
    members: view_licences.Members
    calibration: (
        OpenedCalibration | None
    )  # None where no full score is told and the bundle has none
    statements: dict[str, Verified[v1.ScoreStatement]]  # by provider; empty unless fully disclosed
    checks: tuple[Check, ...]
    bundle: v1.ViewBundle

    @property
    def view(self) -> v1.View:
        """The view itself."""
        return self.signed.message

    @property
    def consent(self) -> v1.Consent:
        """The terms on which the subject disclosed it."""
        return self.sources.consent.message

    @property
    def missing(self) -> list[v1.ProviderOutcome]:
        """The providers that did not answer, and why; the view is partial where there are any."""
        return [o for o in self.view.providers if o.kind not in ANSWERED]


def verify_view_bundle(
    bundle: v1.ViewBundle, anchors: Anchors, *, at: datetime | None = None
) -> VerifiedView:
    """Check everything that ``bundle`` claims; raise ``ViewNotVerified`` at the first that fails.

    Licences and keys must be in force at the time the view was made, the request fresh and the
    consent in force at the time of its receipt. With ``at``, a view from after that time is
    refused too.
    """
    run = Run(SHOWS)
    with run.check("form"):
        require_well_formed(bundle)
    with run.check("licences"):
        members = view_licences.open_members(bundle, anchors)
    with run.check("view"):
        signed = open_envelope(bundle.view, v1.View, members.exchange.keys, members.made_at)
        anchors.require_federation(signed.message.federation)
        view_licences.require_named(members, signed.message)
    with run.check("calibration") as shows:
        calibration = view_calibration.open_named(bundle, signed.message, members, anchors)
        shows.append(view_calibration.words_of(calibration, signed.message))
    with run.check("receipt"):
        recorded_at = view_rules.require_recorded_first(signed.message)
        view_rules.require_not_from_after(signed.message, at)
    sources = _open_sources(run, bundle, anchors, members, recorded_at)
    proofs = _open_proofs(run, bundle, anchors, signed, sources)
    released = proofs.release.record.release
    chain = _Chain(anchors, members, calibration)
    statements = _check_view(run, signed.message, released, sources, chain, bundle)
    passed = tuple(run.passed)
    return VerifiedView(signed, sources, proofs, members, calibration, statements, passed, bundle)


def _open_sources(
    run: "Run",
    bundle: v1.ViewBundle,
    anchors: Anchors,
    members: view_licences.Members,
    recorded_at: datetime,
) -> Sources:
    """Verify what the view rests on, each statement alone."""
    with run.check("request"):
        request = open_view_request(bundle.request, members.lender, anchors, recorded_at)
    with run.check("binding"):
        binding = open_binding(bundle.binding, anchors, recorded_at)
    with run.check("consent"):
        consent = open_consent(bundle.consent, binding, anchors, recorded_at)
        require_consent_in_force(consent.message, recorded_at)
    with run.check("consent status"):
        status = open_consent_status(
            bundle.consent_status, consent, members.exchange, members.made_at
        )
        view_rules.require_status_of(status.message, consent.message, binding.message)
    return Sources(request, binding, consent, status)


def _open_proofs(
    run: "Run",
    bundle: v1.ViewBundle,
    anchors: Anchors,
    signed: Verified[v1.View],
    sources: Sources,
) -> Proofs:
    """Verify that the log holds this access, with the same id, and this release of this view."""
    with run.check("log: access") as shows:
        intent = open_receipt(bundle.intent, anchors)
        require_intent_of(intent, sources.request)
        view_rules.require_logged_first(intent.entry, intent.record, signed.message)
        shows.append(in_log(intent, "the access is in the log"))
    with run.check("log: release") as shows:
        release = open_receipt(bundle.release, anchors)
        require_release_of(release, signed)
        shows.append(in_log(release, "this very view is in the log as released"))
    return Proofs(intent, release)


def in_log(logged: Logged, what: str) -> str:
    """Return what is shown of an entry: where it is, and who has seen that log."""
    seen = len(logged.checkpoint.cosignatures)
    witnesses = f", cosigned by {seen} witness{'es' if seen != 1 else ''}" if seen else ""
    return f"{what}: entry {logged.index} of {logged.checkpoint.size}{witnesses}"


def _check_view(
    run: "Run",
    view: v1.View,
    released: v1.AccessRelease,
    sources: Sources,
    chain: "_Chain",
    bundle: v1.ViewBundle,
) -> dict[str, Verified[v1.ScoreStatement]]:
    """Check that the view says what its sources say; return the providers' statements."""
    consent, members = sources.consent.message, chain.members
    with run.check("terms"):
        require_consent_covers(sources.consent, sources.request.message)
        require_releases_score(consent)
        view_rules.require_terms(view, sources.request.message, consent)
    with run.check("digests"):
        view_rules.require_digest("request", view.request_digest, sources.request.digest)
        view_rules.require_digest("consent", view.consent_digest, sources.consent.digest)
        view_rules.require_digest("binding", view.binding_digest, sources.binding.digest)
        view_rules.require_digest("status", view.consent_status_digest, sources.status.digest)
    with run.check("outcomes"):
        view_outcomes.require_outcomes(view, consent, members.providers)
        view_calibration.require_standings(view, chain.calibration, members)
    with run.check("statements"):
        statements = view_outcomes.open_statements(
            bundle, view, sources.request, members, chain.anchors
        )
    with run.check("score") as shows:
        shows.append(
            view_rules.require_score(view, chain.calibration, members.providers, statements)
        )
    with run.check("listings"):
        view_rules.require_listings(view, consent, released)
    with run.check("deletion date"):
        view_rules.require_delete_by(view, consent)
    return statements


class Run:
    """The checks that passed so far; ``shows`` says what each of them shows."""

    def __init__(self, shows: Mapping[str, str]) -> None:
        """Begin."""
        self._shows = shows
        self.passed: list[Check] = []

    @contextmanager
    def check(self, name: str) -> Iterator[list[str]]:
        """Count what is done under it as one check; a text appended replaces its usual one."""
        shows: list[str] = []
        passed = tuple(self.passed)
        try:
            with refusing_untrusted():
                yield shows
        except Refusal as refusal:
            detail = refusal.detail or Reason.Name(refusal.reason)
            raise ViewNotVerified(name, detail, refusal.reason, passed) from refusal
        except MismatchError as error:
            raise ViewNotVerified(name, str(error), Reason.REASON_UNSPECIFIED, passed) from error
        self.passed.append(Check(name, shows[0] if shows else self._shows[name]))
