"""``concordat-provider listings settle``: say that a debt was paid."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from pathlib import Path
from typing import Annotated

import typer

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
from provider.settings import ProviderSettings


def settle(
    reference: ReferenceArgument,
    config: ConfigOption,
    paid_on: Annotated[str, typer.Option(help="When it was paid: an ISO 8601 date or time.")],
    receipt_file: Annotated[Path | None, typer.Option(help="The receipt.")] = None,
    receipt_hash: Annotated[str, typer.Option(help="Its SHA-256, instead.")] = "",
    creditor: CreditorOption = "",
    subject_ref: SubjectOption = "",
    wait: WaitOption = DEFAULT_WAIT,
    as_json: JsonOption = False,
) -> None:
    """Say that a debt was paid; a source reports it within three working days.

    Exit codes: 0 it is sent or queued; 1 it was refused; 2 wrong usage.
    """

    def make(settings: ProviderSettings) -> Make:
        receipt = hash_of(receipt_file, receipt_hash, "receipt")
        paid_at = read_date(paid_on, "--paid-on")
        row = the_listing(settings, reference, creditor, subject_ref)
        return lambda _, speaker: [(reference, speaker.settle(row.key, receipt, paid_at))]

    say(config, make, wait, as_json=as_json)
