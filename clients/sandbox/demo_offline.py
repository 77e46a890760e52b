"""What the demo leaves behind, and its verification when nothing runs any more."""

import hashlib
import shutil
from pathlib import Path

from rich.console import Console

from clients.cli import render
from clients.sandbox.processes import SandboxError
from clients.sdk import LenderView
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.verify.bundle import MAGIC, BundleMalformedError, dump_bundle, parse_bundle
from concordat.verify.view import ViewNotVerified, verify_view_bundle

VIEW, TRUST_BUNDLE, README = "view.cbundle", "trust-bundle.json", "README.md"

_README = f"""# What the demo left

- `{VIEW}`: one view, with everything that it was made from
- `log/`: the transparency log, as any web server could serve it
- `{TRUST_BUNDLE}`: the federation's trust bundle; it comes from the regulator, never from the exchange

No process needs to run to check it:

    concordat view verify {VIEW} --trust-bundle {TRUST_BUNDLE}
    concordat view show {VIEW} --trust-bundle {TRUST_BUNDLE}
    concordat log audit log --trust-bundle {TRUST_BUNDLE}

Change any byte of `{VIEW}` and it is refused, with the check that failed. The keys behind it were
thrown away with the demo.
"""


def leave(folder: Path, view: LenderView, trust_bundle: Path) -> None:
    """Write the view, the trust bundle and how to check them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VIEW).write_bytes(dump_bundle(view.bundle))
    shutil.copyfile(trust_bundle, folder / TRUST_BUNDLE)
    (folder / README).write_text(_README, "utf-8")


def verify(console: Console, folder: Path) -> None:
    """Verify what ``leave`` wrote, and show that a change of one bit is found out."""
    anchors = load_anchors(folder / TRUST_BUNDLE)
    raw = (folder / VIEW).read_bytes()
    verified = verify_view_bundle(parse_bundle(raw), anchors, at=Clock().now())
    console.print(render.checks(verified.checks))
    console.print(f"{folder / VIEW} ({len(raw):,} bytes) verifies", style="green")
    changed = _flipped(raw)
    try:
        parse_bundle(changed)
    except BundleMalformedError as error:
        _refused(console, "one bit of it changed", error)
    else:
        raise SandboxError("a damaged file was read")
    try:
        verify_view_bundle(parse_bundle(_checksummed(changed)), anchors)
    except (BundleMalformedError, ViewNotVerified) as error:
        _refused(console, "and its checksum made to fit again", error)
    else:
        raise SandboxError("a changed view was verified")


def _flipped(raw: bytes) -> bytes:
    """Return the file with one bit changed in its middle."""
    place = len(raw) // 2
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def _checksummed(raw: bytes) -> bytes:
    body = raw[len(MAGIC) + 65 :]
    return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _refused(console: Console, what: str, error: Exception) -> None:
    console.print(f"{what}: [red]refused[/]: {error}", highlight=False)
