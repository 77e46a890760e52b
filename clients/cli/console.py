"""What the commands share: options, exit codes, and telling of failures in one style, never a traceback."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import grpc
import typer
from rich.console import Console

from clients.cli.moments import duration
from clients.language import tr
from clients.pki.errors import PkiError
from clients.sdk.errors import AnswerNotVerified, ClientError, PartialView
from concordat.federation.anchors import TrustBundleError
from concordat.refusal import Refusal
from concordat.rpc.errors import CATALOG, RemoteError, name_of
from concordat.rpc.tls import TlsFileError
from concordat.trust.errors import KeyFileError, StatementMalformedError, TrustError
from concordat.v1 import Reason
from concordat.verify.bundle import BundleMalformedError
from concordat.verify.view import ViewNotVerified

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TrustBundle = Annotated[
    Path,
    typer.Option(
        "--trust-bundle",
        "-t",
        envvar="CONCORDAT_TRUST_BUNDLE",
        help="The federation's trust bundle.",
    ),
]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File whose first line opens the signing key.")
]


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    REFUSED = 1  # refused by a peer, or not verified
    USAGE = 2  # wrong command line, or a local file that cannot be used
    UNREACHABLE = 3
    PARTIAL = 4  # a partial view where that was not accepted


CODES = "Exit codes: 0 ok, 1 refused or not verified, 2 usage, 3 unreachable, 4 partial view not accepted."

_NOT_NOW = {
    Reason.REASON_UNAVAILABLE,
    Reason.REASON_DIRECTORY_STALE,
    Reason.REASON_DEADLINE_TOO_SHORT,
    Reason.REASON_LOG_UNAVAILABLE,
    Reason.REASON_LOG_UNWITNESSED,
}
_NO_ANSWER = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
_LOCAL = (ClientError, PkiError, TrustBundleError, TlsFileError, KeyFileError, OSError)
FAILURES = (RemoteError, BundleMalformedError, ViewNotVerified, Refusal, TrustError, *_LOCAL)


_EXPLAINED: tuple[tuple[type[Exception], Exit, str], ...] = (
    (PartialView, Exit.PARTIAL, "VIEW_PARTIAL"),
    (ViewNotVerified, Exit.REFUSED, "VIEW_NOT_VERIFIED"),
    (BundleMalformedError, Exit.REFUSED, "BUNDLE_MALFORMED"),
    (AnswerNotVerified, Exit.REFUSED, "ANSWER_NOT_VERIFIED"),
    (StatementMalformedError, Exit.USAGE, "STATEMENT_MALFORMED"),
)


@contextmanager
def failing(what: str, *, as_json: bool) -> Iterator[None]:
    """Tell of a failure under it: ``what`` failed, the reason, what to do; then exit with its code."""
    try:
        yield
    except FAILURES as error:
        code, reason, advice = explain(error)
        fail(what, code, reason, advice, as_json=as_json)


def fail(
    what: str, code: Exit, reason: str, advice: str, *, as_json: bool, **facts: Any
) -> NoReturn:
    """Tell of a failure and exit; ``facts`` go into the JSON."""
    if as_json:
        echo_json(ok=False, error=what, reason=reason, advice=advice, **facts)
    else:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"error: {what}", style="bold red", markup=False)
        console.print(f"reason: {reason}", markup=False)
        console.print(f"advice: {advice}", markup=False)
    raise typer.Exit(code)


def stop_with(what: str, error: Exception, after: str = "", *, as_json: bool) -> NoReturn:
    """Tell of a failure of this machine's own processes, with the ends of their logs, and exit with 1."""
    text = "\n".join([str(error), *getattr(error, "__notes__", [])])
    name = type(error).__name__
    if as_json:
        echo_json(ok=False, error=what, reason=name, advice=text)
    else:
        told = f"{what}: {name}: {text}\n{after}".rstrip()
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print(told, style="red", markup=False)
    raise typer.Exit(Exit.REFUSED) from error


def new_folder(folder: Path | None) -> None:
    """Refuse a folder that holds anything: keys of one federation must not mix with another's."""
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty; name a new folder")


def explain(error: Exception) -> tuple[Exit, str, str]:
    """Return a failure's exit code, its reason code and what to do about it."""
    match error:
        case RemoteError():
            return _explain_remote(error)
        case Refusal():
            return Exit.REFUSED, name_of(error.reason), CATALOG[error.reason].message
        case ViewNotVerified() if error.reason:
            return Exit.REFUSED, name_of(error.reason), f"{error}; do not rely on this view"
    for kind, code, reason in _EXPLAINED:
        if isinstance(error, kind):
            return code, reason, str(error)
    return Exit.USAGE, "LOCAL", str(error)


def _explain_remote(error: RemoteError) -> tuple[Exit, str, str]:
    if error.reason:
        code = Exit.UNREACHABLE if error.reason in _NOT_NOW else Exit.REFUSED
        wait = error.retry_after
        later = f" Try again in {duration(wait)}." if wait else ""
        return code, name_of(error.reason), error.message + later
    if error.code in _NO_ANSWER:
        advice = f"check the endpoint in the trust bundle and that the peer runs ({error.message})"
        return Exit.UNREACHABLE, error.code.name, advice
    return Exit.REFUSED, error.code.name, error.message


def echo_json(**content: Any) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(content, indent=2, default=_plain, ensure_ascii=False))


def console() -> Console:
    """Return where people read."""
    return Console(file=sys.stdout, highlight=False, markup=False)  # texts come from others


def read_passphrase(path: Path | None) -> bytes | None:
    """Return the first line of a passphrase file, or None for no file; raise ``ClientError``."""
    if path is None:
        return None
    lines = path.read_bytes().splitlines()
    if not lines or not lines[0]:
        raise ClientError(f"the first line of {path} is empty; put the passphrase there")
    return lines[0]


def words(name: str, prefix: str) -> str:
    """Return an enum value's name as a person would write it."""
    return name.removeprefix(prefix).lower().replace("_", " ")


def said(name: str, prefix: str) -> str:
    """Return an enum value's name as a person would say it, in the language spoken."""
    return tr(words(name, prefix))


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
