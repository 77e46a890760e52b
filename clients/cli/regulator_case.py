"""`concordat regulator case`: look one named subject up, with two officers' approval and an end date."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, cast

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
from clients.cli.moments import moment
from clients.cli.pki_options import choice
from clients.cli.regulator_case_render import facts_of, print_page
from clients.durable import write_durably
from clients.pki.errors import PkiError
from clients.sdk.cases import CaseProposal, approve_case, case_of, propose_case
from clients.sdk.client import RegulatorClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import load_identity
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import CaseScope
from concordat.verify.case import APPROVERS_NEEDED, CaseAnswered

app = typer.Typer(
    help="Look one named subject up in a case: with a legal article, two approvers and an end date.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
_scope_of = choice(CaseScope.items(), "CASE_SCOPE_")
CaseFile = Annotated[Path, typer.Argument(metavar="FILE", help="The case, as propose wrote it.")]
Scopes = Annotated[
    list[int] | None,
    typer.Option(
        "--scope",
        parser=_scope_of,
        metavar="SCOPE",
        help="listings, accesses or consents; repeat for more. Default: all.",
    ),
]
_ALL = [scope for scope in CaseScope.values() if scope]


@app.command(epilog=CODES)
def propose(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the case is written.")],
    trust_bundle: TrustBundle,
    regulator: Annotated[str, typer.Option(help="The regulator's member id.")],
    subject: Annotated[
        str, typer.Option(metavar="HEX", help="The subject's reference, 32 bytes in hex.")
    ],
    article: Annotated[
        str,
        typer.Option(help='The legal article that it rests on, such as "Banking Act Art. 12(3)".'),
    ],
    reference: Annotated[
        str, typer.Option(help='The case\'s reference, such as "FR/2026-0117"; never used twice.')
    ],
    scope: Scopes = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days until the case ends.")] = 90,
    tell_in: Annotated[
        int,
        typer.Option(
            min=0, max=180, metavar="DAYS", help="Days until the subject is told; never later."
        ),
    ] = 30,
    as_json: JsonOption = False,
) -> None:
    """Write a case with no signature; two officers then approve it. Never overwrites a file."""
    with failing("no case was written", as_json=as_json):
        now = Clock().now()
        proposal = CaseProposal(
            subject_ref=_subject(subject),
            legal_article=article,
            case_reference=reference,
            scopes=cast("list[CaseScope.ValueType]", scope or _ALL),
            ends_at=now + timedelta(days=days),
            notice_at=now + timedelta(days=min(tell_in, days)),
        )
        case = propose_case(proposal, regulator, load_anchors(trust_bundle).federation, now)
        if file.exists():
            raise ClientError(f"{file} exists; name a new file")
        _write(file, case)
    if as_json:
        echo_json(ok=True, file=file, **_case_facts(case))
    else:
        _print_case(case)
        console().print(f"Wrote {file}. Next: concordat regulator case approve {file} --key ...")


@app.command(epilog=CODES)
def approve(
    file: CaseFile,
    key: Annotated[Path, typer.Option(help="The approving officer's key, such as approver-1.key.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: what it says was read already.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a case says, ask, and add one officer's signature. Needs no network."""
    with failing("the case was not approved", as_json=as_json):
        if as_json and not yes:
            raise ClientError("--json asks nothing: read it with show first, then add --yes")
        case = _read(file)
        if not as_json:
            _print_case(case)
        if not yes:
            typer.confirm("Approve this look at a person's records?", abort=True)
        approve_case(case, Ed25519Signer.load(key, read_passphrase(passphrase_file)))
        _write(file, case)
    signed = len(case.signatures)
    if as_json:
        echo_json(ok=True, file=file, **_case_facts(case))
        return
    enough = signed >= APPROVERS_NEEDED
    then = "next: concordat regulator case look-up" if enough else "another officer has to approve"
    console().print(f"{signed} of at least {APPROVERS_NEEDED} signatures; {then} {file}")


@app.command(epilog=CODES)
def show(file: CaseFile, as_json: JsonOption = False) -> None:
    """Show what a case says and who has signed it; nothing is verified or sent."""
    with failing("the case was not read", as_json=as_json):
        case = _read(file)
        facts = _case_facts(case)
    if as_json:
        echo_json(ok=True, file=file, **facts)
    else:
        _print_case(case)


@app.command("look-up", epilog=CODES)
def look_up(
    file: CaseFile,
    trust_bundle: TrustBundle,
    member: Annotated[
        Path, typer.Option(help="The regulator's folder: signing.key, tls.crt, tls.key.")
    ],
    scope: Scopes = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Look the case's subject up. Logged and sealed now; told to the subject by the case's date.

    Each page of each scope is a look-up in the month's budget of all regulators. Refused attempts are logged
    and told too. Pages that came before a failure are not shown, yet count and are told.
    """
    with failing("the look-up did not come to its end", as_json=as_json):
        case = _read(file)
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        wanted = cast("list[CaseScope.ValueType]", scope or list(case_of(case).scopes))
        with RegulatorClient(anchors, identity) as client:
            answers = [answer for each in wanted for answer in _pages(client, case, each)]
    told = moment(case_of(case).notice_at)
    if as_json:
        echo_json(ok=True, told_by=told, answers=[facts_of(answer) for answer in answers])
        return
    for answer in answers:
        print_page(answer)
    console().print(f"The subject is told by {told}.")


def _pages(
    client: RegulatorClient, case: v1.Envelope, scope: CaseScope.ValueType
) -> list[CaseAnswered]:
    """Return every page of a scope."""
    pages = [client.look_up(case, scope)]
    while pages[-1].answer.cursor:
        pages.append(client.look_up(case, scope, pages[-1].answer.cursor))
    return pages


def _subject(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise PkiError("--subject is 32 bytes in hex") from error


def _read(path: Path) -> v1.Envelope:
    """Read a case, signed or not yet; raise ``ClientError``."""
    raw = path.read_bytes()
    try:
        case = v1.Envelope.FromString(raw)
    except Exception as error:
        raise ClientError(f"{path} holds no case (a serialised envelope)") from error
    case_of(case)
    return case


def _write(path: Path, case: v1.Envelope) -> None:
    write_durably(path, case.SerializeToString())


def _case_facts(case: v1.Envelope) -> dict[str, Any]:
    """Return the JSON of a case; its keys stay as they are."""
    said = case_of(case)
    return {
        "case_id": said.case_id,
        "regulator": said.regulator,
        "subject_ref": said.subject_ref,
        "legal_article": said.legal_article,
        "case_reference": said.case_reference,
        "scopes": [_scope_name(scope) for scope in said.scopes],
        "issued_at": moment(said.issued_at),
        "ends_at": moment(said.ends_at),
        "notice_at": moment(said.notice_at),
        "signed_by": [each.keyid for each in case.signatures],
        "signatures_needed": APPROVERS_NEEDED,
    }


def _print_case(case: v1.Envelope) -> None:
    facts = _case_facts(case)
    table = Table(show_header=False)
    for label, value in (
        ("case", f"{facts['case_reference']} of {facts['regulator']}"),
        ("legal article", facts["legal_article"]),
        ("subject", facts["subject_ref"].hex()),
        ("looks at", ", ".join(facts["scopes"])),
        ("issued", facts["issued_at"]),
        ("ends", facts["ends_at"]),
        ("the subject is told by", facts["notice_at"]),
        ("signed by keys", ", ".join(facts["signed_by"]) or "nobody yet"),
    ):
        table.add_row(label, value)
    console().print(table)


def _scope_name(scope: CaseScope.ValueType) -> str:
    return words(CaseScope.Name(scope), "CASE_SCOPE_")
