"""``concordat-provider listings prolong``: a court's own order keeps an entry longer."""

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


def prolong(
    reference: ReferenceArgument,
    config: ConfigOption,
    until: Annotated[str, typer.Option(help="The new end: an ISO 8601 date or time.")],
    order_file: Annotated[Path | None, typer.Option(help="The order.")] = None,
    order_hash: Annotated[str, typer.Option(help="Its SHA-256, instead.")] = "",
    creditor: CreditorOption = "",
    subject_ref: SubjectOption = "",
    wait: WaitOption = DEFAULT_WAIT,
    as_json: JsonOption = False,
) -> None:
    """For a court: say that its own order keeps an entry longer, where the profile knows such orders.

    Exit codes: 0 it is sent or queued; 1 it was refused; 2 wrong usage.
    """

    def make(settings: ProviderSettings) -> Make:
        order = hash_of(order_file, order_hash, "order")
        end = read_date(until, "--until")
        row = the_listing(settings, reference, creditor, subject_ref)
        return lambda _, speaker: [(reference, speaker.prolong(row.key, order, end))]

    say(config, make, wait, as_json=as_json)
