"""``concordat-provider load``: take scores in from a file."""

import json
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.message import DecodeError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from concordat import v1
from concordat.federation.anchors import Anchors, load_anchors
from concordat.federation.directory import Member, open_licence, require_in_force
from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.rpc.tls import TlsIdentity
from concordat.settings import SettingsError
from concordat.store.group_commit import GroupCommit
from provider.commands.shared import (
    ERR,
    EXIT_FAILED,
    EXIT_OK,
    EXIT_SOME_REJECTED,
    OUT,
    ConfigOption,
    advising,
    complain,
    read_settings,
)
from provider.database import load_directory, own_database, start_clock
from provider.loading.files import FileDamagedError, ScoreFile, open_score_file
from provider.loading.identities import Registrar
from provider.loading.load import Tally
from provider.loading.load import load as load_rows
from provider.loading.rejects import RejectsFile
from provider.loading.rows import ADVICE, ColumnsRefused, RowRules
from provider.scores import Terms
from provider.settings import ProviderSettings


def load(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="CSV (may be gzipped) or Parquet.")
    ],
    config: ConfigOption,
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="Where rejected rows go, as line,reason; INPUT.rejects.csv if not given."
        ),
    ] = None,
    licence: Annotated[
        Path | None,
        typer.Option(help="This provider's licence, where the node has not heard of it yet."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Take in the valid rows of INPUT; list the others, by line and reason, in a rejects file.

    Columns: subject_ref (64 hex digits) or identity_number (looked up at the registrar); score;
    as_of (an ISO 8601 date or time); model_version; and, if you have them, reasons (codes separated
    by semicolons). Other columns refuse the whole file. A row older than what is stored changes
    nothing, so a file can be loaded twice.

    Exit codes: 0 all rows are in; 3 some were rejected; 1 none could be taken, or it was cut short;
    2 the settings or the file's columns are wrong, and nothing was read.
    """
    with advising():
        settings = read_settings(config)
        if settings.scores.source == "query":
            raise SettingsError("scores.source is 'query': scores are read in place, none to load")
        if settings.scores.source == "none":
            raise SettingsError("scores.source is 'none': this member has no scores")
        target = rejects or source.with_name(source.name + ".rejects.csv")
        tally, failure = _load(settings, source, target, licence)
    _report(tally, target, failure, as_json=as_json)
    raise typer.Exit(_exit_code(tally, failure))


def _load(
    settings: ProviderSettings, source: Path, rejects: Path, licence: Path | None
) -> tuple[Tally, str]:
    """Load the file; return the counts, and what cut it short, if anything did."""
    anchors = load_anchors(settings.trust_bundle)
    identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
    tally = Tally()
    with ExitStack() as stack:
        engine = stack.enter_context(own_database(settings.database))
        with engine.connect() as connection:
            at = start_clock(connection).now()
            members = load_directory(connection, anchors, at).members()
        own = _own_licence(settings.member_id, anchors, licence, members, at)
        file, rules = _opened(source, own, at)
        stack.callback(file.close)
        registrar = stack.enter_context(closing(Registrar(anchors, identity)))
        store = stack.enter_context(closing(GroupCommit(engine)))
        refused = stack.enter_context(closing(RejectsFile(rejects)))
        bar = stack.enter_context(progress())
        task = bar.add_task(source.name, total=file.size)
        try:
            load_rows(
                file,
                rules,
                store,
                tally,
                resolve=registrar.resolve,
                on_reject=refused.add,
                on_chunk=lambda: bar.update(task, completed=file.position()),
            )
        except (FileDamagedError, RemoteError, Refusal) as error:
            return tally, str(error)
        bar.update(task, completed=file.size)
    return tally, ""


def _own_licence(
    member_id: str, anchors: Anchors, path: Path | None, members: list[Member], at: datetime
) -> Member:
    """Return this provider's licence, which has the scale; raise ``SettingsError`` if there is none."""
    if path is None:
        own = next((member for member in members if member.member_id == member_id), None)
        if own is None:
            raise SettingsError(
                "this node has not heard of its licence yet, so the scale is not known: "
                "give it with --licence FILE, or run serve first"
            )
    else:
        try:
            own = open_licence(v1.Envelope.FromString(path.read_bytes()), anchors, at)
        except (OSError, DecodeError) as error:
            raise SettingsError(f"{path} is no licence (a serialised Envelope): {error}") from error
        if own.member_id != member_id:
            raise SettingsError(f"{path} is the licence of {own.member_id}, not of {member_id}")
    if own.scale is None:
        raise SettingsError(f"{member_id} is not licensed as a provider: its licence has no scale")
    require_in_force(own, at)
    return own


def _opened(source: Path, own: Member, at: datetime) -> tuple[ScoreFile, RowRules]:
    """Open the file and check its columns."""
    try:
        file = open_score_file(source)
    except (ColumnsRefused, FileDamagedError, OSError) as error:
        raise SettingsError(f"{source}: {error}") from error
    try:
        return file, RowRules(file.columns, Terms.of(own.licence.score_scale), at)
    except ColumnsRefused as error:
        file.close()
        raise SettingsError(f"{source}: {error}") from error


def _exit_code(tally: Tally, failure: str) -> int:
    if failure or not tally.loaded + tally.unchanged:
        return EXIT_FAILED
    return EXIT_SOME_REJECTED if tally.rejected else EXIT_OK


def progress() -> Progress:
    """Return a bar of a file's bytes, on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
    )


def _report(tally: Tally, rejects: Path, failure: str, *, as_json: bool) -> None:
    """Print what became of the rows."""
    rejected = sorted(tally.rejected.items())
    if failure:
        complain(f"cut short: {failure}. What was taken before stays; load the file again.")
    if as_json:
        counts = {"read": tally.read, "loaded": tally.loaded, "unchanged": tally.unchanged}
        by_reason = {reject.value: count for reject, count in rejected}
        typer.echo(json.dumps({**counts, "rejected": by_reason, "cut_short": failure}))
        return
    table = Table("rows", "count", "", box=None)
    table.add_row("read", f"{tally.read:,}")
    table.add_row("loaded", f"{tally.loaded:,}")
    table.add_row("unchanged", f"{tally.unchanged:,}", "the same as, or older than, what is stored")
    table.add_row("rejected", f"{tally.rejected.total():,}")
    for reject, count in rejected:
        table.add_row(f"  {reject.value}", f"{count:,}", ADVICE[reject])
    OUT.print(table)
    if rejected:
        OUT.print(f"rejected rows: {rejects}", highlight=False, soft_wrap=True)
