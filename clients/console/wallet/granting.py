"""A consent given: a form, then the notice in its own words, and only then the signature."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from starlette.responses import Response

from clients.cli.console import said
from clients.console.base import Action, Form, Page, PageRefused, Visit
from clients.console.base.catalogs import language_of
from clients.console.base.failures import unreadable
from clients.console.wallet.desk import Desk, keep, kept
from clients.language import marked, tr
from clients.sdk.errors import ClientError
from clients.sdk.notice import render_notice
from clients.sdk.own_consents import lawful_consent, put_on_record
from clients.sdk.terms import ConsentTerms
from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.purposes import PURPOSES
from concordat.statements import seal
from concordat.v1 import DataCategory, DisclosureKind, Role, Standing

_DRAFT_LIFE = timedelta(minutes=15)
_NOTICES = {"en": "en", "zh": "zh-Hans"}
_PERIODS = (v1.Period.PERIOD_MONTH, v1.Period.PERIOD_QUARTER, v1.Period.PERIOD_YEAR)
_PROFILES = (
    v1.Profile.PROFILE_EU,
    v1.Profile.PROFILE_UK,
    v1.Profile.PROFILE_US,
    v1.Profile.PROFILE_CN,
    v1.Profile.PROFILE_IN,
)
# What is said of terms that no consent may have, where they are checked: here to be translated.
UNLAWFUL = (
    marked("the purpose does not cover these categories of data"),
    marked("the purpose allows a threshold disclosure only"),
    marked("an account review is periodic, at most quarterly"),
    marked("of less than the full score, the lender is never one of the providers"),
)
Choices = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Draft:
    """What was previewed, unsigned: what is signed is this and nothing else."""

    consent: v1.Consent


class GrantPages:
    """The form, the preview, the signature."""

    def __init__(self, desk: Desk) -> None:
        """Sign with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages; they come before those of single consents."""
        return [
            Page("/consents/new", self.fill_in),
            Action("/consents/preview", self.preview),
            Action("/consents/sign", self.sign),
        ]

    def fill_in(self, visit: Visit) -> Response:
        """Show the form, with the members that can be named in it."""
        with self._desk.open() as desk:
            members = desk.client.members()
            now = desk.now
        active = [
            member
            for member, standing in members
            if standing == Standing.STANDING_ACTIVE and member.not_before <= now < member.not_after
        ]
        names = {
            role: [(m.member_id, m.licence.legal_name) for m in active if role in m.roles]
            for role in (Role.ROLE_LENDER, Role.ROLE_PROVIDER)
        }
        return visit.page(
            "grant.html",
            lenders=names[Role.ROLE_LENDER],
            providers=names[Role.ROLE_PROVIDER],
            purposes=_choices(PURPOSES, v1.Purpose.Name, "PURPOSE_"),
            categories=_choices(DataCategory.values()[1:], DataCategory.Name, "DATA_CATEGORY_"),
            disclosures=_disclosures(),
            periods=[("", tr("once, ever")), *_choices(_PERIODS, v1.Period.Name, "PERIOD_")],
            profiles=[
                (str(each), v1.Profile.Name(each).removeprefix("PROFILE_")) for each in _PROFILES
            ],
        )

    def preview(self, visit: Visit) -> Response:
        """Show the notice of what was filled in; nothing is signed yet."""
        terms = terms_of(visit.form, _NOTICES[language_of(visit.request)])
        held = self._desk.held
        if not terms.providers and DataCategory.DATA_CATEGORY_SCORE in terms.categories:
            raise ClientError(tr("A score is asked of providers: choose at least one."))
        providers = terms.providers
        if DataCategory.DATA_CATEGORY_SCORE not in terms.categories:
            providers = [held.anchors.bundle.exchange_id]
        consent = lawful_consent(
            replace(terms, providers=providers),
            held.anchors.federation,
            held.key().subject_ref,
            self._desk.clock.now(),
        )
        keep(visit, Draft(consent))
        return visit.page("preview.html", notice=render_notice(consent), consent=consent)

    def sign(self, visit: Visit) -> Response:
        """Sign the very consent that was previewed, and put it on record."""
        draft = kept(visit, Draft)
        if draft is None or draft.consent.consent_id.hex() != visit.form.one("consent"):
            raise out_of_date()
        consent = draft.consent
        if self._desk.clock.now() - from_timestamp(consent.valid_from) > _DRAFT_LIFE:
            raise out_of_date()
        with self._desk.open() as desk:
            put_on_record(self._desk.held, desk.client, seal(consent, desk.store.key.signer))
        visit.session.kept.pop(Draft.__name__, None)
        notice = tr(
            "Granted. Hand the file below to the lender; you can pause or revoke it at any time."
        )
        return visit.go(f"/consents/{consent.consent_id.hex()}", notice=notice)


def out_of_date() -> PageRefused:
    """Return that what is to be signed is not what was previewed last."""
    advice = marked("Nothing was signed. Fill in the form again, and sign what it then shows.")
    return PageRefused(409, marked("That is not what you read last"), advice)


def terms_of(form: Form, language: str) -> ConsentTerms:
    """Return what a form says; raise ``PageRefused`` for what it cannot say, and ``ClientError``."""
    period = form.number("period")
    frequency = None
    if period:
        uses = max(form.number("uses", 1), 1)
        per = cast("v1.Period.ValueType", known(_PERIODS, period))
        frequency = v1.Frequency(uses=uses, period=per)
    recipient = form.one("recipient")
    if not recipient:
        raise ClientError(tr("Choose the lender that the consent is for."))
    kind = form.number("disclosure", DisclosureKind.DISCLOSURE_KIND_BAND)
    is_threshold = kind == DisclosureKind.DISCLOSURE_KIND_THRESHOLD
    return ConsentTerms(
        recipient=recipient,
        providers=form.all("provider"),
        categories=_categories(form.all("category")),
        purpose=cast("v1.Purpose.ValueType", known(PURPOSES, form.number("purpose"))),
        disclosure=cast("DisclosureKind.ValueType", known(DisclosureKind.values(), kind)),
        threshold=form.number("threshold") if is_threshold else 0,
        frequency=frequency,
        max_uses=max(form.number("max_uses", 1), 1),
        valid_days=min(max(form.number("valid_days", 7), 1), 366),
        data_life_days=min(max(form.number("data_life_days", 30), 1), 3650),
        profile=cast(
            "v1.Profile.ValueType", known(_PROFILES, form.number("profile", v1.Profile.PROFILE_EU))
        ),
        language=language,
    )


def _categories(values: list[str]) -> list[DataCategory.ValueType]:
    found = sorted({int(each) for each in values if each.isascii() and each.isdigit()})
    if not found:
        raise ClientError(tr("Choose what is shared."))
    return [
        cast("DataCategory.ValueType", known(DataCategory.values(), number)) for number in found
    ]


def known(numbers: Iterable[int], number: int) -> int:
    """Return a number that a form chose from a list; raise ``PageRefused`` where the list has it not."""
    if not number or number not in numbers:
        raise unreadable()
    return number


def _choices(numbers: Iterable[int], name: Callable[[Any], str], prefix: str) -> Choices:
    return [(str(number), said(name(number), prefix)) for number in numbers]


def _disclosures() -> Choices:
    kinds = DisclosureKind
    return [
        (str(kinds.DISCLOSURE_KIND_BAND), tr("its band, A to E, alone")),
        (
            str(kinds.DISCLOSURE_KIND_THRESHOLD),
            tr("only whether it reaches the points below: yes or no"),
        ),
        (str(kinds.DISCLOSURE_KIND_FULL), tr("all of it, with what each provider says")),
    ]
