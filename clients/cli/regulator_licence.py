"""`concordat regulator sign`, `show`, `submit` and `members`: licensing by k of n roots, each offline."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
    words,
)
from clients.cli.moments import moment
from clients.cli.regulator_changes import draft_facts, print_draft, signed_words
from clients.pki.drafts import read_draft, require_complete, require_signable, signatures_of
from clients.pki.errors import PkiError
from clients.pki.signing import save_signed
from clients.sdk.client import MemberClient
from clients.sdk.identity import load_identity
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.federation.directory import Member
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import Standing

DraftFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A draft, as propose wrote it, or a complete one.")
]
RegulatorFolder = Annotated[
    Path, typer.Option("--member", help="The regulator's folder: tls.crt, tls.key, signing.key.")
]
_SOON = 30  # days


def sign(
    file: DraftFile,
    trust_bundle: TrustBundle,
    root_key: Annotated[Path, typer.Option(help="Your root key.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: what it changes was read already.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a draft changes, ask, and add your root's signature. Needs no network."""
    with failing(f"{file} was not signed", as_json=as_json):
        if as_json and not yes:
            raise PkiError("--json asks nothing: read it with show first, then add --yes")
        anchors, at = load_anchors(trust_bundle), Clock().now()
        draft = read_draft(file, anchors, at)
        signer = Ed25519Signer.load(root_key, read_passphrase(passphrase_file))
        signed = require_signable(draft, signer, anchors, at)
        if not as_json:
            print_draft(draft, signatures_of(draft.envelope, anchors, at), anchors)
        if not yes:
            typer.confirm("Sign this, as a root of the federation?", abort=True)
        progress = save_signed(signed, file, anchors, at)
        found = signatures_of(signed, anchors, at)
    if as_json:
        facts = {**draft_facts(draft, found), "file": str(progress.path)}
        echo_json(ok=True, **facts)
        return
    next_ = (
        f"Next: concordat regulator submit {progress.path} --member FOLDER"
        if progress.complete
        else "Pass it on to the next root, with its .before file."
    )
    console().print(f"{progress.path}: {signed_words(found, anchors)}\n{next_}")


def show(file: DraftFile, trust_bundle: TrustBundle, as_json: JsonOption = False) -> None:
    """Show what a draft or a complete statement changes, and whose signatures it bears."""
    with failing(f"{file} was not shown", as_json=as_json):
        anchors, at = load_anchors(trust_bundle), Clock().now()
        draft = read_draft(file, anchors, at)
        found = signatures_of(draft.envelope, anchors, at)
    if as_json:
        echo_json(ok=True, **draft_facts(draft, found))
    else:
        print_draft(draft, found, anchors)


def submit(
    file: DraftFile,
    trust_bundle: TrustBundle,
    member: RegulatorFolder,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Put what enough roots signed in force at the exchange. Repeating changes nothing."""
    with failing(f"{file} was not submitted", as_json=as_json):
        anchors, at = load_anchors(trust_bundle), Clock().now()
        draft = read_draft(file, anchors, at)
        require_complete(draft, anchors, at)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        with MemberClient(anchors, identity) as client:
            if isinstance(draft.statement, v1.Licence):
                client.submit_licence(draft.envelope)
            else:
                client.submit_status(draft.envelope)
        found = signatures_of(draft.envelope, anchors, at)
    if as_json:
        echo_json(ok=True, **draft_facts(draft, found))
    else:
        console().print(f"In force: {file}, of {draft.statement.member_id}.")


def members(trust_bundle: TrustBundle, as_json: JsonOption = False) -> None:
    """List the members with standing, days left and last status; licences that end soonest first."""
    with failing("the members were not obtained", as_json=as_json):
        anchors, at = load_anchors(trust_bundle), Clock().now()
        with MemberClient(anchors) as client:
            known = client.members()
            statuses = _statuses(client.book.directory.status_envelopes())
    rows = [_facts(*each, statuses.get(each[0].member_id), at) for each in _sorted(known)]
    if as_json:
        echo_json(ok=True, members=rows)
        return
    table = Table("member", "name", "may act as", "standing", "ends", "days left", "last status")
    for row in rows:
        table.add_row(
            row["member_id"],
            row["legal_name"],
            ", ".join(row["roles"]),
            row["standing"],
            row["not_after"][:10],
            str(row["days_left"]),
            _last(row),
            style=_style(row),
        )
    console().print(table)


def _sorted(
    known: list[tuple[Member, Standing.ValueType]],
) -> list[tuple[Member, Standing.ValueType]]:
    """Return members whose licence ends soonest first, the revoked ones last: nothing is to be renewed."""
    return sorted(known, key=lambda each: (each[1] == Standing.STANDING_REVOKED, each[0].not_after))


def _statuses(envelopes: list[v1.Envelope]) -> dict[str, v1.LicenceStatus]:
    found = (v1.LicenceStatus.FromString(envelope.payload) for envelope in envelopes)
    return {status.member_id: status for status in found}


def _facts(
    member: Member, standing: Standing.ValueType, status: v1.LicenceStatus | None, at: datetime
) -> dict[str, Any]:
    """Return the JSON of a member; its keys stay as they are."""
    last = None
    if status is not None:
        last = {
            "standing": words(Standing.Name(status.standing), "STANDING_"),
            "sequence": status.sequence,
            "decided_at": moment(status.decided_at),
            "legal_basis": status.legal_basis,
        }
    return {
        "member_id": member.member_id,
        "legal_name": member.licence.legal_name,
        "roles": [words(v1.Role.Name(role), "ROLE_") for role in member.licence.roles],
        "standing": words(Standing.Name(standing), "STANDING_"),
        "version": member.licence.version,
        "not_after": member.not_after.isoformat(),
        "days_left": max(0, (member.not_after - at).days),
        "last_status": last,
    }


def _last(row: dict[str, Any]) -> str:
    last = row["last_status"]
    if last is None:
        return ""
    return f"{last['standing']} {last['decided_at'][:10]}, {last['legal_basis']}"


def _style(row: dict[str, Any]) -> str:
    if row["standing"] != "active":
        return "red"
    return "yellow" if row["days_left"] < _SOON else ""
