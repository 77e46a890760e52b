"""``concordat-provider listings correct``: correct facts in the subject's favour."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from pathlib import Path
from typing import Annotated

import typer

from concordat.settings import SettingsError
from provider.commands.listings.options import (
    DEFAULT_WAIT,
    CreditorOption,
    JsonOption,
    ReferenceArgument,
    SubjectOption,
    WaitOption,
    hash_of,
    read_date,
    the_listing,
)
from provider.commands.listings.saying import Make, say
from provider.commands.shared import ConfigOption
from provider.listings.amounts import format_amount, read_amount
from provider.settings import ProviderSettings
from provider.store.listings import Listed


def correct(
    reference: ReferenceArgument,
    config: ConfigOption,
    amount: Annotated[
        str, typer.Option(help="What is owed, decimal, if it changes; not above what is on record.")
    ] = "",
    delinquent_since: Annotated[
        str, typer.Option(help="The date, if it changes; not after the one on record.")
    ] = "",
    evidence_file: Annotated[Path | None, typer.Option(help="The evidence for it.")] = None,
    evidence_hash: Annotated[str, typer.Option(help="Its SHA-256, instead.")] = "",
    creditor: CreditorOption = "",
    subject_ref: SubjectOption = "",
    wait: WaitOption = DEFAULT_WAIT,
    as_json: JsonOption = False,
) -> None:
    """Correct the amount or the date in the subject's favour; what is worse is withdrawn and filed anew.

    Lenders who were told of the listing hear of it.

    Exit codes: 0 it is sent or queued; 1 it was refused; 2 wrong usage.
    """

    def make(settings: ProviderSettings) -> Make:
        if not amount and not delinquent_since:
            raise SettingsError("give --amount, --delinquent-since, or both")
        evidence = hash_of(evidence_file, evidence_hash, "evidence")
        row = the_listing(settings, reference, creditor, subject_ref)
        minor, since = _facts(row, amount, delinquent_since)
        return lambda _, speaker: [
            (
                reference,
                speaker.correct(row, minor=minor, delinquent_since=since, evidence_hash=evidence),
            )
        ]

    say(config, make, wait, as_json=as_json)


def _facts(row: Listed, amount: str, delinquent_since: str) -> tuple[int, int]:
    """Return amount and date as they will be; raise ``SettingsError`` where one would get worse."""
    try:
        minor = read_amount(amount, row.currency) if amount else row.amount
    except ValueError as error:
        raise SettingsError(f"--amount: {amount!r} is no amount in {row.currency}") from error
    since = row.delinquent_since
    if delinquent_since:
        since = read_date(delinquent_since, "--delinquent-since")
    if minor > row.amount or since > row.delinquent_since:
        raise SettingsError(
            f"on record are {format_amount(row.amount, row.currency)} and an earlier or equal date: "
            "a correction puts the subject no worse; withdraw the listing and file anew"
        )
    return minor, since
