"""`concordat wallet grant`: the notice shown, the consent signed, put on record and handed over."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from clients.cli.console import (
    Exit,
    JsonOption,
    console,
    echo_json,
    fail,
    failing,
    read_passphrase,
)
from clients.cli.pki_options import choice, profile_of, purpose_of
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.sdk.client import WalletClient
from clients.sdk.notice import render_notice
from clients.sdk.own_consents import lawful_consent, put_on_record
from clients.sdk.permission_file import dump_permission
from clients.sdk.terms import ConsentTerms
from clients.sdk.views import Permission
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.clock import Clock
from concordat.statements import seal

_disclosure = choice(v1.DisclosureKind.items(), "DISCLOSURE_KIND_")
_period = choice(v1.Period.items(), "PERIOD_")
category_of = choice(v1.DataCategory.items(), "DATA_CATEGORY_")


def grant(
    recipient: Annotated[str, typer.Option(help="member id of the one lender.")],
    provider: Annotated[
        list[str] | None,
        typer.Option(help="member id of a provider to ask for a score; repeat for more."),
    ] = None,
    purpose: Annotated[
        str,
        typer.Option(
            help="credit-application, guarantor-check, account-review, deposit-waiver, fraud-flags."
        ),
    ] = "credit-application",
    share: Annotated[
        list[int] | None,
        typer.Option(
            "--data",
            parser=category_of,
            metavar="DATA",
            help="What is shared: score, listings or flags; repeat for more. Else the score, or of "
            "fraud-flags the flags.",
        ),
    ] = None,
    disclosure: Annotated[str, typer.Option(help="full, band or threshold.")] = "full",
    threshold: Annotated[int, typer.Option(help="Points, with --disclosure threshold.")] = 0,
    uses: Annotated[int, typer.Option(min=0, help="Uses in any --per; 0: once, ever.")] = 0,
    per: Annotated[str, typer.Option(help="day, week, month, quarter or year.")] = "month",
    max_uses: Annotated[int, typer.Option(min=1, help="Uses in all, with --uses.")] = 1,
    valid_days: Annotated[int, typer.Option(min=1, max=366, help="Days it can be used.")] = 7,
    data_life_days: Annotated[
        int, typer.Option(min=1, max=3650, help="Days the lender may keep a view.")
    ] = 30,
    profile: Annotated[str, typer.Option(help="Whose time limits: eu, us, cn, in, uk.")] = "eu",
    language: Annotated[str, typer.Option(help="Of the notice: en or zh-Hans.")] = "en",
    out: Annotated[Path | None, typer.Option(help="Write what to hand to the lender here.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Consent to one disclosure: read the notice, sign it, put it on record at the exchange."""
    use = cast("v1.Purpose.ValueType", purpose_of(purpose))
    categories = _categories(use, share)
    _require_providers(categories, provider)
    terms = ConsentTerms(
        recipient=recipient,
        providers=provider or (),
        categories=categories,
        purpose=use,
        disclosure=cast("v1.DisclosureKind.ValueType", _disclosure(disclosure)),
        threshold=threshold,
        frequency=_frequency(uses, per),
        max_uses=max_uses,
        valid_days=valid_days,
        data_life_days=data_life_days,
        profile=cast("v1.Profile.ValueType", profile_of(profile)),
        language=language,
    )
    with failing("the consent was not granted", as_json=as_json):
        held = WalletFolder.open(wallet, read_passphrase(passphrase_file))
        key = held.key()
        if not terms.providers:
            terms = replace(terms, providers=[held.anchors.bundle.exchange_id])
        consent = lawful_consent(terms, held.anchors.federation, key.subject_ref, Clock().now())
        envelope = seal(consent, key.signer)
    _agree(render_notice(consent), yes=yes, as_json=as_json)
    with failing("the consent was not granted", as_json=as_json):
        with held.locked(), WalletClient(held.anchors) as client:
            put_on_record(held, client, envelope)
        if out is not None:
            out.write_bytes(dump_permission(Permission(envelope, key.binding)))
    _report(consent, out, as_json=as_json)


def _categories(
    purpose: v1.Purpose.ValueType, share: list[int] | None
) -> list[v1.DataCategory.ValueType]:
    if share:
        return cast("list[v1.DataCategory.ValueType]", sorted(set(share)))
    flags_only = purpose == v1.Purpose.PURPOSE_FRAUD_FLAGS
    return [
        v1.DataCategory.DATA_CATEGORY_FLAGS if flags_only else v1.DataCategory.DATA_CATEGORY_SCORE
    ]


def _require_providers(
    categories: list[v1.DataCategory.ValueType], provider: list[str] | None
) -> None:
    """Refuse a score that nobody is asked for, and providers that are asked for none."""
    scored = v1.DataCategory.DATA_CATEGORY_SCORE in categories
    if scored and not provider:
        raise typer.BadParameter("a score is asked of providers: name each with --provider")
    if provider and not scored:
        raise typer.BadParameter("without --data score no provider is asked: leave --provider out")


def _frequency(uses: int, per: str) -> v1.Frequency | None:
    period = cast("v1.Period.ValueType", _period(per))
    return v1.Frequency(uses=uses, period=period) if uses else None


def _agree(notice: str, *, yes: bool, as_json: bool) -> None:
    """Show the notice and ask; exit unless the person agrees. The notice goes beside any JSON."""
    typer.echo(notice, err=as_json)
    if yes or typer.confirm("Do you agree?", err=as_json):
        return
    advice = "nothing was signed over; run the command again if you change your mind"
    fail("you did not agree", Exit.REFUSED, "NOT_AGREED", advice, as_json=as_json)


def _report(consent: v1.Consent, out: Path | None, *, as_json: bool) -> None:
    consent_id = consent.consent_id.hex()
    if as_json:
        facts: dict[str, Any] = {
            "consent_id": consent_id,
            "notice_hash": consent.notice_hash,
            "out": str(out) if out else None,
        }
        echo_json(ok=True, **facts)
        return
    console().print(f"Granted: {consent_id}", markup=False)
    if out is not None:
        console().print(f"Hand {out} to {consent.recipient}.", markup=False)
    console().print(f"To take it back: concordat wallet revoke {consent_id}", markup=False)
