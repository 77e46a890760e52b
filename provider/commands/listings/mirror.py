"""``concordat-provider listings mirror``: keep a court's listings the same as its public register."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import json
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

import typer
from rich.markup import escape

from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.rpc.tls import TlsIdentity
from concordat.settings import SettingsError
from concordat.store.engine import StoreError
from provider.commands.listings.options import (
    AttestOption,
    JsonOption,
    read_attestation,
    the_debt_key,
)
from provider.commands.shared import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_SOME_REJECTED,
    OUT,
    ConfigOption,
    advising,
    complain,
    read_settings,
)
from provider.listings.counter import Counter
from provider.listings.filings import Filer
from provider.listings.mirror_run import Mirror, Mirrored, Rules
from provider.listings.mirror_run import as_json as mirrored_json
from provider.listings.mirror_sync import NotSyncedError
from provider.listings.register import RegisterRefused
from provider.listings.rejects import LATE_CODES
from provider.loading.identities import Registrar
from provider.node import stop_signal
from provider.settings import ProviderSettings

MOST_NAMED = 20
_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FAILURES = (RegisterRefused, NotSyncedError, RemoteError, Refusal, StoreError)


def mirror(
    register: Annotated[
        str, typer.Argument(metavar="REGISTER", help="CSV file, folder of them, or https URL.")
    ],
    config: ConfigOption,
    attest: AttestOption,
    every: Annotated[
        str, typer.Option(help="Go on until SIGTERM, once in this time: 30m, 1h.", metavar="TIME")
    ] = "",
    oldest: Annotated[
        str, typer.Option(help="An extract older than this is not used.", metavar="TIME")
    ] = "6h",
    most_removals: Annotated[
        float,
        typer.Option(
            min=0,
            max=100,
            help="Percent of the listings that may be gone at once; more is not believed.",
        ),
    ] = 10.0,
    late: Annotated[
        str,
        typer.Option(
            help="Late-filing code of entries of more than 90 days that bring none: "
            + ", ".join(code for code in LATE_CODES if code)
            + "."
        ),
    ] = "",
    reinsert: Annotated[
        bool,
        typer.Option(
            "--reinsert",
            help="Certify that entries which return, or got worse, were checked anew, and file them.",
        ),
    ] = False,
    end_line: Annotated[
        bool, typer.Option("--end-line/--no-end-line", help="Whether extracts have an end line.")
    ] = True,
    wait: Annotated[
        float,
        typer.Option(
            min=0, help="Wait for the exchange until nothing happened for so many seconds."
        ),
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Compare a court's public register with its listings; file, correct and withdraw until both are the same.

    REGISTER has the columns of the command file, one judgment a row; delinquent_since is the day of entry,
    source_ends_at when the register stops showing it, evidence may be left out. Its last line is
    #end,ROWS or #end,ROWS,TIME (when it was read; else the file's own time). Of a folder the newest .csv or
    .csv.gz is taken.

    Nothing is changed, and nothing is said to the exchange, where the extract is old, cut off, can't be
    read to the last line, or lacks too many entries at once. A day after the last sync the exchange shows
    the court's listings to nobody.

    Exit codes: 0 both are the same; 3 they are, but some entries are not listed, or more mildly; 1 they
    are not, or it is not known; 2 wrong usage. With --every: 0 once it is stopped.
    """
    with advising(as_json=as_json):
        job = _Job(
            settings=read_settings(config),
            attest=attest,
            reinsert=reinsert,
            rules=Rules(read_span(oldest, "--oldest"), most_removals, late, end_line, wait),
        )
        if late not in LATE_CODES:
            raise SettingsError(
                f"--late: {late!r} is none of {', '.join(filter(None, LATE_CODES))}"
            )
        read_attestation(attest)
        pause = read_span(every, "--every") if every else None
        stop = stop_signal() if pause else threading.Event()
        while True:
            code = _once(job, register, as_json=as_json)
            if pause is None:
                raise typer.Exit(code)
            if stop.wait(pause.total_seconds()):
                return


def read_span(text: str, option: str) -> timedelta:
    """Return a length of time such as 90s, 30m, 1h or 2d; raise ``SettingsError`` where it is none."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise SettingsError(f"{option}: {text!r} is no length of time such as 90s, 30m, 1h or 2d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@dataclass(slots=True)
class _Job:
    """What every run needs; the subjects found out are remembered, so that each is looked up once."""

    settings: ProviderSettings
    attest: str
    reinsert: bool
    rules: Rules
    known: dict[bytes, bytes] = field(default_factory=dict)

    def run(self, register: str) -> Mirrored:
        """Mirror once."""
        settings = self.settings
        with ExitStack() as stack:
            counter = stack.enter_context(Counter.opened(settings))
            identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
            registrar = stack.enter_context(closing(Registrar(counter.anchors, identity)))
            filer = Filer(
                settings.member_id,
                counter.anchors.federation,
                the_debt_key(settings),
                read_attestation(self.attest),
                self.reinsert,
            )
            resolve = self._remembering(registrar.resolve)
            return Mirror(counter, filer, resolve, self.rules).run(register)

    def _remembering(
        self, resolve: Callable[[Sequence[bytes]], list[bytes]]
    ) -> Callable[[Sequence[bytes]], list[bytes]]:
        def remembered(identities: Sequence[bytes]) -> list[bytes]:
            new = list(dict.fromkeys(one for one in identities if one not in self.known))
            self.known.update(zip(new, resolve(new) if new else [], strict=True))
            return [self.known[identity] for identity in identities]

        return remembered


def _once(job: _Job, register: str, *, as_json: bool) -> int:
    """Run once, and say what it came to; return the exit code."""
    try:
        mirrored = job.run(register)
    except _FAILURES as error:
        complain(f"not synced: {error}", as_json=as_json)
        return EXIT_FAILED
    _report(mirrored, as_json=as_json)
    return EXIT_SOME_REJECTED if mirrored.unlisted or mirrored.milder else EXIT_OK


def _report(mirrored: Mirrored, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"ok": True, **mirrored_json(mirrored)}))
        return
    OUT.print(
        f"synced: {mirrored.synced:,} of {mirrored.entries:,} entries are listed, shown until "
        f"{mirrored.live_until:%Y-%m-%d %H:%M} UTC; {mirrored.filed:,} filed, {mirrored.corrected:,} "
        f"corrected, {mirrored.removed:,} withdrawn, {mirrored.replaced:,} replaced",
        highlight=False,
        soft_wrap=True,
    )
    for what, references in (("not listed", mirrored.unlisted), ("milder", mirrored.milder)):
        if references:
            shown = ", ".join(references[:MOST_NAMED]) + (
                ", …" if len(references) > MOST_NAMED else ""
            )
            OUT.print(
                f"{what} ({len(references):,}): {escape(shown)}", highlight=False, soft_wrap=True
            )
