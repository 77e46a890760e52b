"""`concordat wallet report`: all there is about you; your score first, why it is so, and what would lift it."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from clients.cli import own_report_words as said
from clients.cli.console import JsonOption, console, echo_json, failing, read_passphrase
from clients.cli.moments import moment
from clients.cli.render import band, interval_bar
from clients.cli.wallet_accesses import tell_broken
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, Language, PassphraseFile
from clients.cli.wallet_report_copy import Copy, facts_of, read_copy, write_copy
from clients.cli.wallet_report_text import section_parts
from clients.formats import written_in
from clients.language import marked, plural, tr
from clients.sdk.client import WalletClient
from clients.sdk.errors import AnswerNotVerified, ClientError
from clients.sdk.own_accesses import list_and_keep
from clients.sdk.subject_report import accesses_left_out
from clients.sdk.wallet_file import WalletFolder
from clients.wallet_report.score_section import COLUMNS, score_of
from clients.wallet_report.sections import document_of
from concordat.verify.history import HistoryBrokenError
from concordat.verify.own_view import VerifiedOwnView

_BAND_STYLES = {1: "bold green", 2: "green", 3: "yellow", 4: "dark_orange", 5: "red"}


def report(
    providers: Annotated[
        list[str] | None,
        typer.Option("--provider", help="Ask this provider; repeat for more. Else all are asked."),
    ] = None,
    score: Annotated[bool, typer.Option(help="Ask the providers for your score, too.")] = True,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write a copy here: FILE.html, a signed page that prints well, or else JSON, for programs."
        ),
    ] = None,
    copy: Annotated[
        Path | None,
        typer.Option("--from", help="Show a copy from --out again, checked offline; ask nobody."),
    ] = None,
    language: Annotated[
        Language | None,
        typer.Option(help="Of the text and of the page; that of a copy, else English."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, max=300, help="Time to answer in.")] = 10.0,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show all there is about you: your score and its reasons, listings, who looked, consents, your rights.

    You get all of it, frozen or not. That you looked stands among your accesses; no lender is told, and it
    moves no score. All is checked: the exchange's signature, each provider's, the score computed anew.
    """
    with failing("the report was not obtained", as_json=as_json):
        held = WalletFolder.open(wallet, read_passphrase(passphrase_file))
        if copy is not None:
            found = read_copy(copy, held.anchors)
            _require_own(found, held)
        else:
            found = _asked(held, providers or (), seconds, score=score, as_json=as_json)
        facts, spoken = facts_of(found), language or found.language
        if out is not None:
            write_copy(out, found, facts, spoken)
    if as_json:
        echo_json(ok=True, **facts, out=str(out) if out else None)
        return
    with written_in(spoken):
        for part in whole_parts(found):
            console().print(part)
    if out is not None:
        console().print(f"Written to {out}.")


def _asked(
    held: WalletFolder, providers: Sequence[str], seconds: float, *, score: bool, as_json: bool
) -> Copy:
    """Ask for all of it, and hold the accesses that it tells of against the person's entries in the log."""
    with held.locked(), WalletClient(held.anchors) as client:
        try:
            return whole_report(held, client, providers, seconds, score=score)
        except HistoryBrokenError as error:
            tell_broken(held, error, as_json=as_json)


def whole_report(
    held: WalletFolder,
    client: WalletClient,
    providers: Sequence[str],
    seconds: float,
    *,
    score: bool,
) -> Copy:
    """Return the report, held against the person's entries in the log; whoever calls holds the wallet's lock.

    Raises ``AnswerNotVerified`` where the report leaves an access out, and ``HistoryBrokenError``.
    """
    key = held.key()
    own = client.own_view(key, providers, seconds=seconds) if score else None
    report = client.report(key, own)
    listed = list_and_keep(client, held)
    if missing := accesses_left_out(report, listed.entries):
        raise AnswerNotVerified(
            f"the report leaves out entry {missing[0].index} of the log, an access to your data; show that, "
            "with what `concordat wallet accesses` says, to the regulator"
        )
    return Copy(own, report)


def _require_own(found: Copy, held: WalletFolder) -> None:
    """Raise ``ClientError`` for a copy of somebody else's, which is nobody's own report here."""
    if found.subject_ref != held.key().subject_ref:
        raise ClientError(
            "the copy is about another person than this wallet's; open it with that wallet"
        )


def whole_parts(found: Copy) -> Iterator[RenderableType]:
    """Yield the report as a person would like to read it: the score, then all the rest."""
    if found.own_view is not None:
        yield from report_parts(found.own_view)
    if found.report is not None:
        document = document_of(found.report)
        yield from section_parts(document.rest)
        who, when = found.report.exchange.member_id, moment(found.report.report.as_of)
        yield Text(tr("Signed by {who}, as of {when}.", who=who, when=when), "green")


def report_parts(verified: VerifiedOwnView) -> list[RenderableType]:
    """Return the report as a person would like to read it."""
    parts: list[RenderableType] = [_headline(verified)]
    if verified.missing:
        parts.append(_missing(verified))
    parts.append(_providers(verified))
    if costs := said.costs_of(verified):
        parts += _section(tr("Why it is not higher"), costs)
    score, lift = verified.score, said.lift_for(verified)
    if lift is not None:
        lines = said.lift_lines(verified, lift)
        parts += _section(said.lift_title(lift), lines)
    elif score is not None:
        parts.append(Text(tr("No band is better than yours.")))
    parts.append(Text(f"\n{tr(said.NO_PROMISE)}"))
    verified_here = plural(
        "Verified offline from the trust bundle: {number} check passed.",
        "Verified offline from the trust bundle: {number} checks passed.",
        len(verified.checks),
    )
    parts.append(Text(verified_here, "green"))
    return parts


def _headline(verified: VerifiedOwnView) -> Panel:
    score = verified.score
    title = tr("Your score (PARTIAL)") if verified.missing else tr("Your score")
    if score is None:
        partial = marked("No score: a provider is missing.")
        why = partial if verified.missing else marked("No score: no provider has one that counts.")
        return Panel(Text(tr(why), style="bold"), title=title)
    share = said.percent(score.default_ppm)
    line = Text.assemble(
        (plural("{number} point", "{number} points", score.points), "bold"),
        "   ",
        (tr("band {band}", band=band(score.band)), _BAND_STYLES[score.band]),
        "   ",
        tr("{percent} probability of default", percent=share),
    )
    meaning = [Text(text, style="dim") for text in said.meaning_of(verified, score)]
    style = "yellow" if verified.missing else "green"
    return Panel(Group(line, Text(interval_bar(score)), *meaning), title=title, border_style=style)


def _missing(verified: VerifiedOwnView) -> Text:
    names = ", ".join(outcome.provider for outcome in verified.missing)
    return Text(
        tr(
            "Missing: {names}. That moved the score neither way; with what is missing it may be another.",
            names=names,
        ),
        style="yellow",
    )


def _providers(verified: VerifiedOwnView) -> Table:
    """Return a line a provider, adding up to the score."""
    score = verified.score
    table = Table(*(tr(column) for column in COLUMNS))
    table.columns[3].justify = "right"
    if score is not None:
        base = str(score.base_points)
        table.add_row(tr("nothing known"), "", "", base, tr("where everyone starts"), "")
    for part in said.parts_of(verified):
        table.add_row(
            part.name,
            score_of(part),
            part.scale,
            "" if part.points is None else f"{part.points:+d}",
            part.says,
            "\n".join(said.given([reason]) for reason in part.reasons),
        )
    if score is not None:
        table.add_section()
        table.add_row(tr("unified score"), "", "", str(score.points), "", "")
    return table


def _section(title: str, lines: list[str]) -> list[RenderableType]:
    return [Text(f"\n{title}", style="bold"), *(Text(f"• {line}") for line in lines)]
