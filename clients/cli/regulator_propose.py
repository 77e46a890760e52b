"""`concordat regulator propose`: write what roots are to sign: a licence, a renewal, a suspension."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from clients.cli.console import CODES, JsonOption, TrustBundle, console, echo_json, failing
from clients.cli.pki_options import basis_of, profile_of, purpose_of, role_of
from clients.cli.regulator_changes import draft_facts, print_draft
from clients.pki import LicenceSpec, PkiError, read_scale
from clients.pki.drafts import read_draft, signatures_of, write_draft
from clients.pki.files import read_public_key
from clients.pki.proposals import InForce, new_licence, new_status, renewal
from clients.pki.signing import RootStatement
from clients.sdk.client import MemberClient
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors, load_anchors
from concordat.v1 import Standing

app = typer.Typer(
    help="Write a draft for roots to sign: licence, renew, suspend, reinstate or revoke a member.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
MemberId = Annotated[str, typer.Argument(metavar="MEMBER", help="The member's id.")]
Out = Annotated[Path, typer.Option(help="Folder that the draft is written to.", file_okay=False)]
Basis = Annotated[str, typer.Option(help='The provision it rests on, such as "Order 631 art. 41".')]
Days = Annotated[int, typer.Option(min=1, max=3650, help="Days from now until it ends.")]
Make = Callable[[InForce, Anchors, datetime], RootStatement]
_HERE = Path()


@app.command(epilog=CODES)
def licence(
    member_id: MemberId,
    trust_bundle: TrustBundle,
    key: Annotated[
        Path, typer.Option(metavar="FILE.pub", help="The member's public signing key (PEM).")
    ],
    role: Annotated[
        list[int],
        typer.Option(
            parser=role_of,
            metavar="ROLE",
            help="provider, furnisher, court, lender, reviewer, appeal, regulator, registrar, "
            "witness or exchange; repeat for more.",
        ),
    ],
    legal_name: Annotated[str, typer.Option(help="Its registered name.")],
    endpoint: Annotated[str, typer.Option(help="host:port for members.")] = "",
    public_endpoint: Annotated[str, typer.Option(help="host:port for subjects.")] = "",
    purpose: Annotated[
        list[int] | None,
        typer.Option(
            parser=purpose_of,
            metavar="PURPOSE",
            help="Of a lender: credit-application, guarantor-check, account-review, "
            "deposit-waiver, fraud-flags; repeat for more.",
        ),
    ] = None,
    profile: Annotated[
        int,
        typer.Option(
            parser=profile_of, metavar="PROFILE", help="Whose time limits: eu, us, cn, in, uk."
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
            help="Of a furnisher: loan, revolving-credit, service-contract, guarantee; else all.",
        ),
    ] = None,
    sealing_key: Annotated[
        str, typer.Option(metavar="HEX", help="Of a reviewer or appeal body: its X25519 key.")
    ] = "",
    approver: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.pub",
            help="Of a regulator: the public key (PEM) of an officer who approves case look-ups; repeat "
            "for more.",
        ),
    ] = None,
    scale: Annotated[
        Path | None, typer.Option(help="Of a provider: its score scale, JSON of v1.ScoreScale.")
    ] = None,
    days: Days = 365,
    out: Out = _HERE,
    as_json: JsonOption = False,
) -> None:
    """Propose a new member's licence, or other terms for a member; all terms are named anew."""

    def make(now: InForce, anchors: Anchors, at: datetime) -> RootStatement:
        spec = LicenceSpec(
            member_id=member_id,
            roles=cast("list[v1.Role.ValueType]", role),
            legal_name=legal_name,
            endpoint=endpoint,
            public_endpoint=public_endpoint,
            purposes=cast("list[v1.Purpose.ValueType]", purpose or []),
            profile=v1.Profile.PROFILE_OWN
            if own_profile
            else cast("v1.Profile.ValueType", profile),
            own_profile=own_profile,
            furnishes=cast("list[v1.ListingBasis.ValueType]", furnishes or []),
            sealing_key=_hex(sealing_key),
            approvers=[read_public_key(path) for path in approver or ()],
            days=days,
            score_scale=read_scale(scale, member_id) if scale else None,
        )
        return new_licence(now, spec, read_public_key(key), anchors, at)

    _propose(member_id, trust_bundle, out, make, as_json=as_json)


@app.command(epilog=CODES)
def renew(
    member_id: MemberId,
    trust_bundle: TrustBundle,
    days: Days = 365,
    out: Out = _HERE,
    as_json: JsonOption = False,
) -> None:
    """Propose the licence in force anew, with a later end and nothing else changed."""
    make: Make = lambda now, _, at: renewal(now, days, at)  # noqa: E731 - as the others
    _propose(member_id, trust_bundle, out, make, as_json=as_json)


@app.command(epilog=CODES)
def suspend(
    member_id: MemberId,
    trust_bundle: TrustBundle,
    legal_basis: Basis,
    out: Out = _HERE,
    as_json: JsonOption = False,
) -> None:
    """Propose to suspend a member: it may not take part until it is reinstated."""
    make = _status(Standing.STANDING_SUSPENDED, legal_basis)
    _propose(member_id, trust_bundle, out, make, as_json=as_json)


@app.command(epilog=CODES)
def reinstate(
    member_id: MemberId,
    trust_bundle: TrustBundle,
    legal_basis: Basis,
    out: Out = _HERE,
    as_json: JsonOption = False,
) -> None:
    """Propose to end a member's suspension."""
    make = _status(Standing.STANDING_ACTIVE, legal_basis)
    _propose(member_id, trust_bundle, out, make, as_json=as_json)


@app.command(epilog=CODES)
def revoke(
    member_id: MemberId,
    trust_bundle: TrustBundle,
    legal_basis: Basis,
    out: Out = _HERE,
    as_json: JsonOption = False,
) -> None:
    """Propose to revoke a member, for ever: no later status undoes it."""
    make = _status(Standing.STANDING_REVOKED, legal_basis)
    _propose(member_id, trust_bundle, out, make, as_json=as_json)


def _status(standing: Standing.ValueType, legal_basis: str) -> Make:
    return lambda now, anchors, at: new_status(now, standing, legal_basis, anchors, at)


def _propose(member_id: str, trust_bundle: Path, out: Path, make: Make, *, as_json: bool) -> None:
    """Fetch what is in force of a member, verified, and write a draft of what ``make`` makes of it."""
    with failing("nothing was proposed", as_json=as_json):
        anchors, at = load_anchors(trust_bundle), Clock().now()
        with MemberClient(anchors) as client:
            client.members()
            now = InForce.of(client.book.directory, member_id)
        path = write_draft(out, make(now, anchors, at), now)
        draft = read_draft(path, anchors, at)
        found = signatures_of(draft.envelope, anchors, at)
    if as_json:
        echo_json(ok=True, **draft_facts(draft, found))
        return
    print_draft(draft, found, anchors)
    console().print(
        f"Wrote {path}. Next, at {found.needed} of the roots, offline, with the .before file beside it:\n"
        f"  concordat regulator sign {path} --root-key KEY"
    )


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise PkiError("--sealing-key is 32 bytes in hex") from error
