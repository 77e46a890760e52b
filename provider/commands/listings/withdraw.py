"""``concordat-provider listings withdraw``: take a listing back."""

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
    the_listing,
)
from provider.commands.listings.saying import Make, say
from provider.commands.shared import ConfigOption
from provider.listings.events import WITHDRAWALS
from provider.settings import ProviderSettings


def withdraw(
    reference: ReferenceArgument,
    config: ConfigOption,
    code: Annotated[str, typer.Option(help="Why: " + ", ".join(WITHDRAWALS) + ".")],
    creditor: CreditorOption = "",
    subject_ref: SubjectOption = "",
    wait: WaitOption = DEFAULT_WAIT,
    as_json: JsonOption = False,
) -> None:
    """Take a listing back. Other sources of the same debt may still vouch for it.

    Exit codes: 0 it is sent or queued; 1 it was refused; 2 wrong usage.
    """

    def make(settings: ProviderSettings) -> Make:
        if code not in WITHDRAWALS:
            raise SettingsError(f"--code: {code!r} is none of {', '.join(WITHDRAWALS)}")
        row = the_listing(settings, reference, creditor, subject_ref)
        return lambda _, speaker: [(reference, speaker.withdraw(row.key, WITHDRAWALS[code]))]

    say(config, make, wait, as_json=as_json)
