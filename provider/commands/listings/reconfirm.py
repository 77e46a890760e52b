"""``concordat-provider listings reconfirm``: say that the facts still hold."""

from typing import Annotated

import typer

from concordat.settings import SettingsError
from concordat.v1 import DutyKind
from provider.commands.listings.options import (
    DEFAULT_WAIT,
    CreditorOption,
    JsonOption,
    SubjectOption,
    WaitOption,
    the_listing,
)
from provider.commands.listings.references import references_of
from provider.commands.listings.saying import Make, say
from provider.commands.shared import ConfigOption
from provider.listings.counter import Counter
from provider.listings.events import Speaker
from provider.listings.orders import EventOrder
from provider.settings import ProviderSettings


def reconfirm(
    config: ConfigOption,
    reference: Annotated[
        str, typer.Argument(metavar="[REFERENCE]", help="The debt's reference, as it was filed.")
    ] = "",
    due: Annotated[
        bool, typer.Option("--due", help="Reconfirm all that the exchange says is due.")
    ] = False,
    creditor: CreditorOption = "",
    subject_ref: SubjectOption = "",
    wait: WaitOption = DEFAULT_WAIT,
    as_json: JsonOption = False,
) -> None:
    """Say that the facts of a listing were checked and still hold: of REFERENCE, or of all that is due.

    A listing takes effect only where that was said within five days before.

    Exit codes: 0 all is sent or queued; 3 some was refused; 1 nothing was taken; 2 wrong usage.
    """

    def make(settings: ProviderSettings) -> Make:
        if bool(reference) == due:
            raise SettingsError("give exactly one of REFERENCE and --due")
        return _of_duties if due else _of_reference(settings, reference, creditor, subject_ref)

    say(config, make, wait, as_json=as_json)


def _of_reference(
    settings: ProviderSettings, reference: str, creditor: str, subject_ref: str
) -> Make:
    row = the_listing(settings, reference, creditor, subject_ref)
    return lambda _, speaker: [(reference, speaker.reconfirm(row.key))]


def _of_duties(counter: Counter, speaker: Speaker) -> list[tuple[str, EventOrder]]:
    keys = [
        (duty.subject_ref, duty.filing_id)
        for duty in counter.link.duties()
        if duty.kind == DutyKind.DUTY_KIND_RECONFIRM
    ]
    known = references_of(counter.settings, keys)
    return [(known.get(key, key[1].hex()), speaker.reconfirm(key)) for key in keys]
