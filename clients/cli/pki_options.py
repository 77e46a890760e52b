"""What the `concordat pki` commands share: options, choices from the protos, telling of errors."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.console import explain
from clients.pki import PkiError
from concordat import v1
from concordat.federation.anchors import TrustBundleError
from concordat.refusal import Refusal
from concordat.trust.errors import TrustError

REFUSED = 1
"""Exit code of a command that failed or refused; 0 is success and 2 a wrong command line."""

CODES = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage."

FAILURES = (PkiError, TrustError, TrustBundleError, Refusal, OSError)


def choice(values: Iterable[tuple[str, int]], prefix: str) -> Callable[[str], int]:
    """Return a parser of one value of a proto's enum, written like ``credit-application``."""
    names = {
        name.removeprefix(prefix).lower().replace("_", "-"): number
        for name, number in values
        if number
    }

    def parse(text: str) -> int:
        number = names.get(text.strip().lower().replace("_", "-"))
        if number is None:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(names)}")
        return number

    parse.__name__ = prefix.strip("_").lower()
    return parse


role_of = choice(v1.Role.items(), "ROLE_")
purpose_of = choice(v1.Purpose.items(), "PURPOSE_")
profile_of = choice(v1.Profile.items(), "PROFILE_")
basis_of = choice(v1.ListingBasis.items(), "LISTING_BASIS_")
standing_of = choice(v1.Standing.items(), "STANDING_")

DEFAULT_FOLDER = Path("pki")

Folder = Annotated[
    Path,
    typer.Option("--folder", "-f", envvar="CONCORDAT_PKI", help="The federation's folder."),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File whose first line opens the root keys and the CA's key."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
RootKey = Annotated[
    Path | None, typer.Option("--root-key", help="Root key to sign with; default roots/root-1.key.")
]
Unsigned = Annotated[
    bool,
    typer.Option(
        "--unsigned",
        help="Write a draft with one root's signature only; the others add theirs with `pki sign`.",
    ),
]


@contextmanager
def told_plainly(as_json: bool) -> Iterator[None]:
    """Turn a failure into one line that says what to do, and exit code 1."""
    try:
        yield
    except FAILURES as error:
        if as_json:
            _, reason, advice = explain(error)
            facts = {"ok": False, "error": str(error), "reason": reason, "advice": advice}
            typer.echo(json.dumps(facts))
        else:
            typer.echo(f"error: {error}", err=True)
        raise typer.Exit(REFUSED) from error


def report(as_json: bool, text: str, **facts: Any) -> None:
    """Print what was done."""
    typer.echo(json.dumps({"ok": True, **facts}, default=str) if as_json else text)
