"""`concordat view`: request a view, show one, verify one offline."""

from pathlib import Path
from typing import Annotated

import typer

from clients.cli import render
from clients.cli.console import (
    CODES,
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    explain,
    fail,
    failing,
    read_passphrase,
)
from clients.cli.view_json import check_facts, view_facts
from clients.sdk.client import LenderClient
from clients.sdk.errors import PartialView
from clients.sdk.identity import load_identity
from clients.sdk.permission_file import load_permission
from clients.sdk.views import LenderView
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.verify.bundle import dump_bundle, parse_bundle
from concordat.verify.view import ViewNotVerified, verify_view_bundle

app = typer.Typer(
    help="Request a view, show one, verify one offline.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)

BundleFile = Annotated[Path, typer.Argument(metavar="FILE", help="A view bundle (.cbundle).")]


@app.command(epilog=CODES)
def request(
    trust_bundle: TrustBundle,
    member: Annotated[
        Path, typer.Option(help="The lender's folder: signing.key, tls.crt, tls.key.")
    ],
    consent: Annotated[Path, typer.Option(help="What the subject handed over (.consent).")],
    out: Annotated[Path | None, typer.Option(help="Write the view bundle here.")] = None,
    accept_partial: Annotated[
        bool, typer.Option(help="Exit with 0 where a provider is missing.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.5, max=300, help="Time to answer in.")] = 10.0,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the exchange for one view, verify all of it, and show it."""
    with failing("the view was not obtained", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        permission = load_permission(consent)
        with LenderClient(anchors, identity) as client:
            view = client.request_view(permission, seconds=seconds)
        if out is not None:
            out.write_bytes(dump_bundle(view.bundle))
    _report(view, out, accept_partial=accept_partial, as_json=as_json)


def _report(view: LenderView, out: Path | None, *, accept_partial: bool, as_json: bool) -> None:
    """Print a view that was obtained; exit with 4 where it is partial and that was not accepted."""
    facts = {**view_facts(view.verified), "out": str(out) if out else None}
    if not as_json:
        render.print_view(console(), view.verified)
        if out is not None:
            console().print(f"Written to {out}; check it with: concordat view verify {out}")
    if view.missing and not accept_partial:
        code, reason, advice = explain(PartialView(view.missing))
        what = "providers are missing; --accept-partial takes the view as it is"
        fail(what, code, reason, advice, as_json=as_json, **facts)
    if as_json:
        echo_json(ok=True, **facts)


@app.command(epilog=CODES)
def verify(file: BundleFile, trust_bundle: TrustBundle, as_json: JsonOption = False) -> None:
    """Check a view offline, from the trust bundle alone: every signature, licence, digest, the score."""
    what = "the view does not verify"
    with failing(what, as_json=as_json):
        anchors = load_anchors(trust_bundle)
        bundle = parse_bundle(file.read_bytes())
    try:
        verified = verify_view_bundle(bundle, anchors, at=Clock().now())
    except ViewNotVerified as error:
        code, reason, advice = explain(error)
        if not as_json:
            console().print(render.checks(error.passed, error))
        checks = check_facts(error.passed, error)
        fail(what, code, reason, advice, as_json=as_json, file=str(file), checks=checks)
    if as_json:
        echo_json(ok=True, file=str(file), **view_facts(verified))
        return
    console().print(render.checks(verified.checks))
    console().print(f"ok: {file} verifies", style="green", markup=False)


@app.command(epilog=CODES)
def show(file: BundleFile, trust_bundle: TrustBundle, as_json: JsonOption = False) -> None:
    """Show a view from its file, after verifying it."""
    with failing("the view does not verify, so it is not shown", as_json=as_json):
        verified = verify_view_bundle(
            parse_bundle(file.read_bytes()), load_anchors(trust_bundle), at=Clock().now()
        )
    if as_json:
        echo_json(ok=True, file=str(file), **view_facts(verified))
    else:
        render.print_view(console(), verified)
