"""Running ``listings file``: one debt or many, handed in, delivered, and counted."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.rpc.tls import TlsIdentity
from concordat.settings import SettingsError
from provider.commands.listings.options import hash_file
from provider.commands.listings.wording import reason_name
from provider.commands.load import progress
from provider.listings.counter import Counter, NotTakenInError
from provider.listings.file_rows import Desk, Tally
from provider.listings.filings import Filer
from provider.listings.rejects import ADVICE, RowRejected
from provider.listings.rows import EXPECTED, DebtRows
from provider.loading.csv_file import CsvFile
from provider.loading.files import FileDamagedError
from provider.loading.identities import Registrar
from provider.loading.rejects import RejectsFile
from provider.loading.rows import ColumnsRefused
from provider.settings import ProviderSettings
from provider.store.outbox import Delivery

Options = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of everything."""

    tally: Tally
    sent: int
    queued: int
    refused: dict[str, int]  # by the exchange, by reason
    cut_short: str
    trouble: str


def file_one(
    settings: ProviderSettings,
    counter: Counter,
    filer: Filer,
    options: Mapping[str, str],
    wait: float,
) -> Result:
    """File the debt of the options; raise ``SettingsError`` where it is none."""
    with ExitStack() as stack:
        desk = _desk(stack, settings, counter, filer, None)
        try:
            rules = DebtRows([], options, lambda path: hash_file(Path(path)))
            row = rules.parse([])
        except (ColumnsRefused, RowRejected) as error:
            raise SettingsError(_advised(error)) from error
        tally = Tally(read=1)
        desk.file_lines([(1, row)], tally, by_identity=rules.by_identity)
        return _delivered(counter, tally, None, "", wait)


def file_many(
    settings: ProviderSettings,
    counter: Counter,
    filer: Filer,
    csv: Path,
    target: Path,
    options: Mapping[str, str],
    wait: float,
) -> Result:
    """File a file of debts."""
    with ExitStack() as stack:
        try:
            source = CsvFile(csv, EXPECTED)
            stack.callback(source.close)
            folder = csv.parent
            rules = DebtRows(source.columns, options, lambda path: hash_file(folder / path))
        except (ColumnsRefused, FileDamagedError, OSError) as error:
            raise SettingsError(f"{csv}: {error}") from error
        refused = stack.enter_context(closing(RejectsFile(target)))
        desk = _desk(stack, settings, counter, filer, refused)
        bar = stack.enter_context(progress())
        task = bar.add_task(csv.name, total=source.size)
        tally, failure = Tally(), ""
        try:
            desk.file(source, rules, tally, lambda: bar.update(task, completed=source.position()))
        except (FileDamagedError, RemoteError, Refusal, NotTakenInError) as error:
            failure = str(error)
        return _delivered(counter, tally, refused, failure, wait)


def _desk(
    stack: ExitStack,
    settings: ProviderSettings,
    counter: Counter,
    filer: Filer,
    refused: RejectsFile | None,
) -> Desk:
    identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
    registrar = stack.enter_context(closing(Registrar(counter.anchors, identity)))
    return Desk(
        filer=filer,
        resolve=registrar.resolve,
        hand_in=counter.hand_in,
        on_reject=refused.add if refused else _told_in_the_table,
        now=counter.clock.now,
    )


def _delivered(
    counter: Counter, tally: Tally, rejects: RejectsFile | None, failure: str, wait: float
) -> Result:
    """Wait for the exchange's answers; count them, and put what it refused into the rejects file too."""
    keys = [key for _, key in tally.queued]
    counter.deliver(keys, wait)
    said = counter.said(keys)
    sent, queued = 0, 0
    refused: dict[str, int] = {}
    for line, key in tally.queued:
        post = said[key][0]
        if post.state == Delivery.SENT:
            sent += 1
        elif post.state == Delivery.REFUSED:
            name = reason_name(post.reason)
            refused[name] = refused.get(name, 0) + 1
            if rejects is not None:
                rejects.add_text(line, name)
        else:
            queued += 1
    return Result(tally, sent, queued, refused, failure, counter.trouble)


def _told_in_the_table(_line: int, _why: StrEnum) -> None:
    pass


def _advised(error: ColumnsRefused | RowRejected) -> str:
    if isinstance(error, RowRejected):
        return f"{error.reject.value}: {ADVICE[error.reject]}"
    return str(error).replace("columns ", "options ", 1)
