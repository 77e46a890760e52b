"""What the `concordat log` commands share: whose log, where it is, and telling of what is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.auditor.errors import (
    AuditorError,
    EntryNotFound,
    LogUnreadable,
    LogWrong,
    ProofWrong,
)
from clients.auditor.evidence import keep_evidence
from clients.auditor.policy import LogTrust
from clients.cli.console import Exit, fail, failing
from clients.sdk.errors import ClientError
from concordat.federation.anchors import load_anchors
from concordat.trust.checkpoint import SignedCheckpoint
from concordat.trust.errors import MalformedNoteError
from concordat.trust.note import COSIGNATURE_V1, ED25519, VerifierKey

LOG_CODES = (
    "Exit codes: 0 ok, 1 the log or the proof is wrong, 2 usage, or a local file that cannot be used, "
    "3 the log cannot be read."
)

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="The log: an HTTP(S) prefix or a directory. Default: the trust bundle's log_url.",
        show_default=False,
    ),
]
Bundle = Annotated[
    Path | None,
    typer.Option(
        "--trust-bundle",
        "-t",
        envvar="CONCORDAT_TRUST_BUNDLE",
        help="The federation's trust bundle, which names the log's key and witnesses.",
    ),
]
LogKey = Annotated[
    str | None,
    typer.Option(metavar="VKEY", help="In place of a trust bundle: the log's key, name+hash+key."),
]
Witness = Annotated[
    list[str] | None,
    typer.Option(metavar="VKEY", help="With --log-key: a witness's key. Repeatable."),
]
Quorum = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Witnesses that must have cosigned. Default: the trust bundle's; every --witness.",
        show_default=False,
    ),
]
Evidence = Annotated[
    Path | None,
    typer.Option(help="Where something is wrong, write what shows it to evidence-<n> in here."),
]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose log it is, and where the trust bundle says that it is read."""

    trust: LogTrust
    url: str = ""

    def source(self, given: str | None) -> str:
        """Return where to read; raise ``ClientError`` where nothing says."""
        if not (given or self.url):
            raise ClientError("nothing says where the log is; give its URL or directory")
        return given or self.url


def whose_log(
    bundle: Path | None, log_key: str | None, witness: list[str] | None, quorum: int | None
) -> Whose:
    """Return whose log the options name; raise ``ClientError`` or ``TrustBundleError``."""
    if log_key is None:
        if witness:
            raise ClientError("--witness goes with --log-key; a trust bundle names its own")
        if bundle is None:
            raise ClientError("nothing says whose log it is; give --trust-bundle or --log-key")
        anchors = load_anchors(bundle)
        trust = LogTrust.of(anchors)
        return Whose(_with_quorum(trust, quorum), anchors.bundle.log_url)
    log = _key(log_key, ED25519, "--log-key")
    witnesses = tuple(_key(text, COSIGNATURE_V1, "--witness") for text in witness or ())
    return Whose(_with_quorum(LogTrust(log, witnesses, len(witnesses)), quorum))


def _with_quorum(trust: LogTrust, quorum: int | None) -> LogTrust:
    if quorum is None:
        return trust
    if quorum > len(trust.witnesses):
        raise ClientError(f"--quorum {quorum} of {len(trust.witnesses)} witnesses is never reached")
    return LogTrust(trust.log, trust.witnesses, quorum)


def _key(text: str, algorithm: int, option: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except MalformedNoteError as error:
        raise ClientError(f"{option} {text!r} is no verifier key: {error}") from error
    if key.algorithm != algorithm:
        raise ClientError(f"{option} is a key of type {key.algorithm}, not {algorithm}")
    return key


@contextmanager
def auditing(what: str, *, evidence: Path | None, as_json: bool) -> Iterator[None]:
    """Tell of a failure under it: ``what`` failed, where and why; then exit with its code."""
    try:
        with failing(what, as_json=as_json):
            yield
    except AuditorError as error:
        facts = finding(error, evidence)
        if facts["evidence"] and not as_json:
            typer.echo(f"evidence: {facts['evidence']}", err=True)
        fail(what, exit_of(error), error.reason, facts.pop("advice"), as_json=as_json, **facts)


def exit_of(error: AuditorError) -> Exit:
    """Return the exit code of a finding."""
    if isinstance(error, LogWrong | ProofWrong | EntryNotFound):
        return Exit.REFUSED
    return Exit.UNREACHABLE if isinstance(error, LogUnreadable) else Exit.USAGE


def finding(error: AuditorError, evidence: Path | None) -> dict[str, Any]:
    """Return the JSON of a finding, once its evidence is written: ``advice``, ``where``, ``evidence``."""
    try:
        kept = keep_evidence(evidence, error) if evidence else None
    except OSError as failure:  # must not hide the finding itself
        return {"advice": str(error), "where": error.where, "evidence": f"not written: {failure}"}
    return {"advice": str(error), "where": error.where, "evidence": str(kept) if kept else None}


def checkpoint_facts(checkpoint: SignedCheckpoint) -> dict[str, Any]:
    """Return the JSON of a checkpoint: ``origin``, ``size``, ``root`` and ``witnesses``."""
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "witnesses": [
            {"name": each.name, "cosigned_at": from_seconds(each.at)}
            for each in checkpoint.cosignatures
        ],
    }


def from_seconds(seconds: float) -> str:
    """Return POSIX seconds as a time in UTC, or as they are where no calendar reaches."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s after 1970"
