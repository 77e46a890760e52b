"""``concordat-provider listings file``: file one debt, or a file of them."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import sys
from pathlib import Path
from typing import Annotated

import typer

from provider.commands.listings.file_report import exit_code, report
from provider.commands.listings.file_run import file_many, file_one
from provider.commands.listings.options import (
    DEFAULT_WAIT,
    AttestOption,
    JsonOption,
    WaitOption,
    read_attestation,
    the_debt_key,
)
from provider.commands.shared import ConfigOption, advising, read_settings
from provider.listings import rejects as row_rejects
from provider.listings.counter import Counter
from provider.listings.filings import Filer


def file(
    config: ConfigOption,
    attest: AttestOption,
    csv: Annotated[Path | None, typer.Option(help="A file of debts, CSV, may be gzipped.")] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rejected rows go, as line,reason; FILE.rejects.csv if not given."),
    ] = None,
    subject_ref: Annotated[str, typer.Option(help="The debtor, 64 hex digits.")] = "",
    identity_number: Annotated[
        str,
        typer.Option(
            help="The debtor's identity number, looked up at the registrar; - reads a line of standard input."
        ),
    ] = "",
    reference: Annotated[str, typer.Option(help="This member's reference of the debt.")] = "",
    debt_token: Annotated[
        str, typer.Option(help="The token that came with another creditor's debt; - as above.")
    ] = "",
    kind: Annotated[
        str, typer.Option(help=", ".join(row_rejects.KINDS) + "; debt if not given.")
    ] = "",
    basis: Annotated[str, typer.Option(help=", ".join(row_rejects.BASES) + ".")] = "",
    amount: Annotated[str, typer.Option(help="What is owed, decimal, such as 1234.50.")] = "",
    amount_minor: Annotated[str, typer.Option(help="What is owed in minor units, instead.")] = "",
    currency: Annotated[str, typer.Option(help="ISO 4217 code: the profile's.")] = "",
    delinquent_since: Annotated[
        str,
        typer.Option(help="First day of the delinquency that was never cured; an ISO 8601 date."),
    ] = "",
    evidence_file: Annotated[
        str, typer.Option(help="The evidence, of which the hash is filed.")
    ] = "",
    evidence_hash: Annotated[str, typer.Option(help="Its SHA-256, instead.")] = "",
    late: Annotated[
        str,
        typer.Option(
            help="Why it is filed more than 90 days late: "
            + ", ".join(code for code in row_rejects.LATE_CODES if code)
            + "."
        ),
    ] = "",
    source_ends_at: Annotated[
        str, typer.Option(help="Of a judgment: when the public register stops showing it.")
    ] = "",
    reinsert: Annotated[
        bool,
        typer.Option(
            "--reinsert",
            help="Certify that debts which had a listing before were checked anew; the evidence is new.",
        ),
    ] = False,
    wait: WaitOption = DEFAULT_WAIT,
    as_json: JsonOption = False,
) -> None:
    """File one debt by its options, or with --csv those of a file, for whose missing columns options stand.

    Columns are named as the options, with underscores: subject_ref (64 hex digits) or identity_number
    (looked up at the registrar); reference (this member's own), or debt_token for another creditor's debt,
    or both; amount (decimal) or amount_minor; currency; delinquent_since (an ISO 8601 date);
    evidence_hash (SHA-256, 64 hex digits) or evidence_file (relative to the file); and, where needed, kind,
    basis, late, source_ends_at. Other columns refuse the whole file.

    A debt that is filed already with the same facts is left as it is, so a file can be filed twice. What
    is taken in is durable and is sent until the exchange has answered, by this command while it waits and
    by the node.

    Exit codes: 0 all is sent or queued; 3 some was rejected or refused; 1 nothing was taken, or it was cut
    short; 2 wrong usage, and nothing was read.
    """
    options = {
        "subject_ref": subject_ref,
        "identity_number": _given(identity_number),
        "reference": reference,
        "debt_token": _given(debt_token),
        "kind": kind,
        "basis": basis,
        "amount": amount,
        "amount_minor": amount_minor,
        "currency": currency,
        "delinquent_since": delinquent_since,
        "evidence_file": evidence_file,
        "evidence_hash": evidence_hash,
        "late": late,
        "source_ends_at": source_ends_at,
    }
    with advising(as_json=as_json):
        vouched = read_attestation(attest)
        settings = read_settings(config)
        with Counter.opened(settings) as counter:
            filer = Filer(
                settings.member_id,
                counter.anchors.federation,
                the_debt_key(settings),
                vouched,
                reinsert,
            )
            if csv is None:
                result, target = file_one(settings, counter, filer, options, wait), None
            else:
                target = rejects or csv.with_name(csv.name + ".rejects.csv")
                result = file_many(settings, counter, filer, csv, target, options, wait)
    report(result, target, as_json=as_json)
    raise typer.Exit(exit_code(result))


def _given(value: str) -> str:
    """Return an option's value, or for - a line of standard input, where no list of processes shows it."""
    return sys.stdin.readline().rstrip("\r\n") if value == "-" else value
