"""Options and small steps that the ``listings`` commands share."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from concordat import v1
from concordat.settings import SettingsError
from concordat.store.reading import opened_to_read
from provider.listings.debts import DebtKey, load_or_make_debt_key
from provider.listings.filings import ATTESTED, attestation
from provider.listings.rejects import ADVICE, RowRejected
from provider.listings.rows import read_reference
from provider.loading.times import read_micros
from provider.settings import ProviderSettings
from provider.store import listings
from provider.store.listings import Listed

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
WaitOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="Wait for the exchange's answer until nothing has happened for this many seconds.",
    ),
]
AttestOption = Annotated[
    str,
    typer.Option(
        help="What this member vouches for; all four, said each time: " + ",".join(ATTESTED) + "."
    ),
]
ReferenceArgument = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="The debt's reference, as it was filed.")
]
CreditorOption = Annotated[
    str, typer.Option(help="Original creditor, where several debts have this reference.")
]
SubjectOption = Annotated[
    str, typer.Option("--subject-ref", help="The debtor, where a debt has several: 64 hex digits.")
]
DEFAULT_WAIT = 10.0


def read_attestation(said: str) -> v1.Attestation:
    """Return what is attested; raise ``SettingsError`` unless all of it is."""
    try:
        found = attestation(said)
    except ValueError as error:
        raise SettingsError(f"--attest: {error}") from error
    if not (found.accurate and found.adult and found.unsecured and found.not_frozen):
        raise SettingsError(
            f"--attest {','.join(ATTESTED)}: a debt of which not all four hold may not be listed"
        )
    return found


def the_debt_key(settings: ProviderSettings) -> DebtKey:
    """Return the node's debt key, made on first use; raise ``KeyFileError`` where it is not the right one."""
    with opened_to_read(settings.database) as connection:
        own = listings.one_of(connection, settings.member_id)
    return load_or_make_debt_key(settings.listings.debt_key, settings.member_id, own)[0]


def the_listing(
    settings: ProviderSettings, reference: str, creditor: str, subject_ref: str
) -> Listed:
    """Return the latest row of a reference; raise ``SettingsError`` where there is none, or several.

    One debt of several debtors has a listing for each of them.
    """
    with opened_to_read(settings.database) as connection:
        rows = listings.by_reference(connection, require_reference(reference))
    rows = [
        row
        for row in rows
        if creditor in ("", row.creditor) and subject_ref.lower() in ("", row.subject_ref.hex())
    ]
    if not rows:
        raise SettingsError(f"nothing with the reference {reference!r} was filed here")
    if len(creditors := sorted({row.creditor for row in rows})) > 1:
        raise SettingsError(
            f"several creditors have a debt {reference!r}: say which with --creditor "
            f"({', '.join(creditors)})"
        )
    if len(refs := sorted({row.subject_ref.hex() for row in rows})) > 1:
        raise SettingsError(
            f"several debtors have the debt {reference!r}: say which with --subject-ref "
            f"({', '.join(refs)})"
        )
    return rows[-1]


def require_reference(text: str) -> str:
    """Return a reference; raise ``SettingsError`` where it can be none."""
    try:
        return read_reference(text)
    except RowRejected as error:
        raise SettingsError(f"a reference is {ADVICE[error.reject]}") from error


def hash_of(file: Path | None, digits: str, what: str) -> bytes:
    """Return a SHA-256 given as a file or as 64 hex digits, exactly one of them."""
    if (file is None) == (not digits):
        raise SettingsError(f"give exactly one of --{what}-file and --{what}-hash")
    if file is not None:
        try:
            return hash_file(file)
        except OSError as error:
            raise SettingsError(f"cannot read {file}: {error.strerror}") from error
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        found = b""
    if len(found) != hashlib.sha256().digest_size or len(digits) != 2 * len(found):
        raise SettingsError(f"--{what}-hash: a SHA-256 is 64 hex digits")
    return found


def hash_file(path: Path) -> bytes:
    """Return the SHA-256 of a file; raise ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def read_date(text: str, option: str) -> int:
    """Return an ISO 8601 date or time in microseconds; raise ``SettingsError`` where it is none."""
    try:
        return read_micros(text)
    except ValueError as error:
        raise SettingsError(
            f"{option}: {text!r} is no ISO 8601 date or time from 1970 on"
        ) from error
