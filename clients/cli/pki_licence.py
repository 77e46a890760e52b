"""`concordat pki licence` and `status`: what the roots say of a member."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from pathlib import Path
from typing import Annotated, cast

import typer

from clients.cli.pki_options import (
    DEFAULT_FOLDER,
    Folder,
    Json,
    PassphraseFile,
    RootKey,
    Unsigned,
    basis_of,
    profile_of,
    purpose_of,
    report,
    role_of,
    standing_of,
    told_plainly,
)
from clients.pki import LicenceSpec, Pki, PkiError, SigningProgress, read_scale
from clients.pki.files import read_passphrase, read_public_key
from concordat import v1
from concordat.trust.keys import Ed25519Signer
from concordat.trust.sealed import SealingKey

_OWN = v1.Profile.PROFILE_OWN
_JUDGES = {v1.Role.ROLE_REVIEWER, v1.Role.ROLE_APPEAL}


def licence(
    member_id: str,
    role: Annotated[
        list[int],
        typer.Option(
            parser=role_of,
            metavar="ROLE",
            help="provider, furnisher, court, lender, reviewer, appeal, regulator, registrar, "
            "witness or exchange.",
        ),
    ],
    folder: Folder = DEFAULT_FOLDER,
    legal_name: Annotated[str, typer.Option(help="Registered name; default the id.")] = "",
    endpoint: Annotated[str, typer.Option(help="host:port for members.")] = "",
    public_endpoint: Annotated[str, typer.Option(help="host:port for subjects.")] = "",
    purpose: Annotated[
        list[int] | None,
        typer.Option(
            parser=purpose_of,
            metavar="PURPOSE",
            help="Of a lender: credit-application, guarantor-check, account-review, "
            "deposit-waiver, fraud-flags.",
        ),
    ] = None,
    profile: Annotated[
        int,
        typer.Option(
            parser=profile_of,
            metavar="PROFILE",
            help="Whose time limits: eu, us, cn, in, uk.",
        ),
    ] = cast("int", "eu"),  # typer parses defaults too
    own_profile: Annotated[
        str, typer.Option(help="Name of a profile that the operator wrote, in place of --profile.")
    ] = "",
    furnishes: Annotated[
        list[int] | None,
        typer.Option(
            parser=basis_of,
            metavar="BASIS",
            help="Of a furnisher: loan, revolving-credit, service-contract, guarantee; else all that its "
            "roles allow.",
        ),
    ] = None,
    sealing_key: Annotated[
        str,
        typer.Option(
            metavar="HEX",
            help="Of a reviewer or appeal body: its X25519 public key; else that of the sealing.key in its "
            "folder here.",
        ),
    ] = "",
    approver: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.pub",
            help="Of a regulator: the public key (PEM) of an officer who approves case look-ups; any two approve "
            "one. Repeat for up to eight.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days it is in force.")] = 365,
    scale: Annotated[
        Path | None,
        typer.Option(
            help="Of a provider: score scale, JSON of v1.ScoreScale or an entry of providers.json."
        ),
    ] = None,
    unsigned: Unsigned = False,
    root_key: RootKey = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Issue a member's licence, signed by the threshold of roots; a new one replaces the old."""
    with told_plainly(as_json):
        pki = Pki.open(folder, read_passphrase(passphrase_file))
        spec = LicenceSpec(
            member_id=member_id,
            roles=cast("list[v1.Role.ValueType]", role),
            legal_name=legal_name,
            endpoint=endpoint,
            public_endpoint=public_endpoint,
            purposes=cast("list[v1.Purpose.ValueType]", purpose or []),
            profile=_OWN if own_profile else cast("v1.Profile.ValueType", profile),
            own_profile=own_profile,
            furnishes=cast("list[v1.ListingBasis.ValueType]", furnishes or []),
            sealing_key=_sealing_key(pki, member_id, role, sealing_key),
            approvers=[read_public_key(path) for path in approver or ()],
            days=days,
            score_scale=read_scale(scale, member_id) if scale else None,
        )
        if unsigned:
            progress = pki.draft_licence(spec, _root(pki, root_key, passphrase_file))
            return _report_draft(as_json, progress)
        envelope = pki.issue_licence(spec)
    version = v1.Licence.FromString(envelope.payload).version
    path = pki.member(member_id).licence
    report(
        as_json,
        f"Licensed {member_id}, version {version}: {path}",
        path=path,
        version=version,
        member_id=member_id,
    )
    return None


def _sealing_key(pki: Pki, member_id: str, roles: list[int], given: str) -> bytes:
    """Return the key that evidence is sealed to; empty for whoever gets none."""
    if not _JUDGES.intersection(roles):
        if given:
            raise PkiError("a sealing key goes with the roles reviewer and appeal")
        return b""
    if given:
        try:
            return bytes.fromhex(given)
        except ValueError as error:
            raise PkiError("--sealing-key is 32 bytes in hex") from error
    path = pki.member(member_id).sealing_key
    if not path.exists():
        raise PkiError(
            f"{member_id} has no key to seal evidence to; make one with: concordat pki sealing-key "
            f"{member_id}, or name its own with --sealing-key"
        )
    return SealingKey.load(path, None).public_key


def sealing_key(
    member_id: str,
    folder: Folder = DEFAULT_FOLDER,
    member_passphrase_file: Annotated[
        Path | None, typer.Option(help="Encrypt the key with its first line.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the key that opens evidence sealed to a reviewer or an appeal body. Never overwrites one."""
    with told_plainly(as_json):
        pki = Pki.open(folder)
        public_key = pki.add_sealing_key(member_id, read_passphrase(member_passphrase_file)).hex()
    path = pki.member(member_id).sealing_key
    report(
        as_json,
        f"Made {path}.\nNext: concordat pki licence {member_id} --role reviewer --sealing-key {public_key}",
        path=path,
        public_key=public_key,
        member_id=member_id,
    )


def status(
    member_id: str,
    standing: Annotated[
        int,
        typer.Argument(
            parser=standing_of, metavar="STANDING", help="active, suspended or revoked."
        ),
    ],
    legal_basis: Annotated[str, typer.Option(help="The provision it rests on.")],
    folder: Folder = DEFAULT_FOLDER,
    unsigned: Unsigned = False,
    root_key: RootKey = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Suspend, reinstate or revoke a member. A revocation is never undone."""
    chosen = cast("v1.Standing.ValueType", standing)
    with told_plainly(as_json):
        pki = Pki.open(folder, read_passphrase(passphrase_file))
        if unsigned:
            root = _root(pki, root_key, passphrase_file)
            return _report_draft(as_json, pki.draft_status(member_id, chosen, legal_basis, root))
        envelope = pki.status(member_id, chosen, legal_basis)
    sequence = v1.LicenceStatus.FromString(envelope.payload).sequence
    path = pki.status_path(member_id, sequence)
    report(
        as_json,
        f"{member_id} is {v1.Standing.Name(chosen).removeprefix('STANDING_').lower()}: {path}",
        path=path,
        sequence=sequence,
        member_id=member_id,
    )
    return None


def _root(pki: Pki, root_key: Path | None, passphrase_file: Path | None) -> Ed25519Signer:
    path = root_key or pki.folder / "roots" / "root-1.key"
    return Ed25519Signer.load(path, read_passphrase(passphrase_file))


def _report_draft(as_json: bool, progress: SigningProgress) -> None:
    report(
        as_json,
        f"{progress.path}: {progress.signed} of {progress.needed} signatures.\n"
        f"Next, at another root's: concordat pki sign {progress.path} --root-key ... "
        "--trust-bundle ...",
        path=progress.path,
        signed=progress.signed,
        needed=progress.needed,
    )
