"""`concordat member`: list the members; as a regulator, submit licences, statuses and calibrations."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from clients.cli.console import (
    CODES,
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
    words,
)
from clients.pki.files import read_envelope
from clients.sdk.client import MemberClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import load_identity
from concordat import v1
from concordat.federation.anchors import load_anchors
from concordat.federation.directory import Member
from concordat.trust.envelope import payload_type_of

app = typer.Typer(
    help="List the members; submit licences, statuses and calibrations.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)


@app.command("list", epilog=CODES)
def list_members(trust_bundle: TrustBundle, as_json: JsonOption = False) -> None:
    """List all members, each verified against the root keys."""
    with failing("the members were not obtained", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        with MemberClient(anchors) as client:
            members = client.members()
    if as_json:
        echo_json(ok=True, members=[_facts(*entry) for entry in members])
        return
    table = Table("member", "legal name", "roles", "standing", "version", "in force until")
    for member, standing in members:
        facts = _facts(member, standing)
        style = "" if facts["standing"] == "active" else "red"
        table.add_row(
            member.member_id,
            member.licence.legal_name,
            ", ".join(_roles(member)),
            str(facts["standing"]),
            str(member.licence.version),
            f"{member.not_after:%Y-%m-%d}",
            style=style,
        )
    console().print(table)


@app.command(epilog=CODES)
def submit(
    file: Annotated[
        Path,
        typer.Argument(help="A licence, a status or a calibration that the roots signed (.env)."),
    ],
    trust_bundle: TrustBundle,
    member: Annotated[
        Path, typer.Option(help="The regulator's folder: tls.crt, tls.key, signing.key.")
    ],
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Put a root-signed licence, status or calibration in force at the exchange. Repeating changes nothing."""
    with failing(f"{file} was not submitted", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        envelope = read_envelope(file)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        with MemberClient(anchors, identity) as client:
            facts = _submit(client, envelope, file)
    if as_json:
        echo_json(ok=True, file=str(file), **facts)
    else:
        about = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        console().print(f"Submitted: {file}, {about}.", markup=False)


def _submit(client: MemberClient, envelope: v1.Envelope, file: Path) -> dict[str, object]:
    """Submit a statement by its kind; return what it is about."""
    if envelope.payload_type == payload_type_of(v1.Licence):
        client.submit_licence(envelope)
        return {"member_id": v1.Licence.FromString(envelope.payload).member_id}
    if envelope.payload_type == payload_type_of(v1.LicenceStatus):
        client.submit_status(envelope)
        return {"member_id": v1.LicenceStatus.FromString(envelope.payload).member_id}
    if envelope.payload_type == payload_type_of(v1.Calibration):
        client.submit_calibration(envelope)
        return {"calibration_version": v1.Calibration.FromString(envelope.payload).version}
    raise ClientError(f"{file} is neither a licence, a licence status nor a calibration")


def _roles(member: Member) -> list[str]:
    return [words(v1.Role.Name(role), "ROLE_") for role in member.licence.roles]


def _facts(member: Member, standing: v1.Standing.ValueType) -> dict[str, object]:
    """Return the JSON of a member; its keys stay as they are."""
    return {
        "member_id": member.member_id,
        "legal_name": member.licence.legal_name,
        "roles": _roles(member),
        "standing": words(v1.Standing.Name(standing), "STANDING_"),
        "version": member.licence.version,
        "not_before": member.not_before.isoformat(),
        "not_after": member.not_after.isoformat(),
        "endpoint": member.licence.endpoint,
        "public_endpoint": member.licence.public_endpoint,
        "licence_digest": member.licence_digest.hex(),
    }
