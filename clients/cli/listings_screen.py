"""`concordat listings screen`: a portfolio checked in packed batches, each answer verified, results as CSV."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from clients.cli.console import (
    Exit,
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
)
from clients.cli.lender_options import LenderFolder
from clients.cli.listing_json import in_view_facts
from clients.cli.pki_options import purpose_of
from clients.sdk.client import LenderClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import load_identity
from clients.sdk.screening import BATCH, Screened, ScreenedBatch
from clients.sdk.streaming import ViewRefused
from concordat import v1
from concordat.federation.anchors import load_anchors
from concordat.rpc.errors import name_of
from concordat.verify.screen_answer import ScreenedSubject, VerifiedScreening

COLUMNS = ("subject_ref", "consent_id")
RESULT_COLUMNS = (
    *COLUMNS,
    "result",
    "reason",
    "fraud_alert",
    "listings",
    "details",
    "answer_digest",
    "access_id",
)
_SIZES = {"subject_ref": 32, "consent_id": 16}


def screen(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", help="Columns subject_ref and consent_id, in hex."),
    ],
    trust_bundle: TrustBundle,
    member: LenderFolder,
    out: Annotated[Path, typer.Option(help="Write the results here, one line a subject.")],
    answers: Annotated[
        Path | None, typer.Option(help="Keep the signed answers in this folder.")
    ] = None,
    purpose: Annotated[
        str, typer.Option(help="The consents' purpose; one that allows a periodic consent.")
    ] = "account-review",
    batch: Annotated[int, typer.Option(min=1, max=BATCH, help="Subjects a message.")] = BATCH,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Screen a portfolio: each subject by its own periodic consent, a thousand a message.

    A subject that is refused is a result like any other. Exits with 1 where a whole message was refused or
    its answer does not verify; the results written before stand.
    """
    use = cast("v1.Purpose.ValueType", purpose_of(purpose))
    counts: Counter[str] = Counter()
    with failing(f"{file} was not screened", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        total = sum(
            1 for _ in read_subjects(file)
        )  # before anybody is asked: a bad line is told first
        if answers is not None:
            answers.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (
            LenderClient(anchors, identity) as client,
            _opened(out) as results,
            _progress(shown=not as_json) as progress,
        ):
            task = progress.add_task("screening", total=total)
            screened = client.screen_listings(read_subjects(file), use, batch=batch)
            for number, done in enumerate(screened):
                _write(results, done, counts)
                if answers is not None and isinstance(done.result, VerifiedScreening):
                    _keep(answers, number, done.result)
                progress.advance(task, len(done.subjects))
    _report(counts, total, out, as_json=as_json)
    if counts["not verified"] or counts["message refused"]:
        raise typer.Exit(Exit.REFUSED)


def read_subjects(path: Path) -> Iterator[Screened]:
    """Yield the file's subjects, strictly; raise ``ClientError`` that names the line that is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise ClientError(f"{path}: the first line names the columns {', '.join(COLUMNS)}")
            for row in reader:
                ref, consent = (_hex(row[c], c, path, reader.line_num) for c in COLUMNS)
                yield Screened(ref, consent)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ClientError(f"{path} is no CSV file: {error}") from error


def _hex(text: str | None, column: str, path: Path, line: int) -> bytes:
    size = _SIZES[column]
    try:
        value = bytes.fromhex((text or "").strip())
    except ValueError:
        value = b""
    if len(value) != size:
        raise ClientError(f"{path}, line {line}: {column} is not {size} bytes in hex")
    return value


def _opened(path: Path) -> IO[str]:
    file = path.open("w", encoding="utf-8", newline="")
    csv.writer(file).writerow(RESULT_COLUMNS)
    return file


def _write(results: IO[str], done: ScreenedBatch, counts: Counter[str]) -> None:
    """Write the lines of one message, and count them."""
    writer = csv.writer(results)
    match done.result:
        case VerifiedScreening():
            digest = done.result.signed.digest
            for subject in done.result.subjects:
                writer.writerow(_line(subject, digest))
                counts["refused" if subject.refusal else "answered"] += 1
                counts["with listings"] += bool(subject.listings.listings)
                counts["with fraud alert"] += subject.fraud_alert
        case ViewRefused():
            _write_all(writer, done, "message refused", name_of(done.result.reason), counts)
        case _:
            _write_all(writer, done, "not verified", str(done.result), counts)
    results.flush()


def _write_all(
    writer: Any, done: ScreenedBatch, result: str, reason: str, counts: Counter[str]
) -> None:
    for subject in done.subjects:
        ids = (subject.subject_ref.hex(), subject.consent_id.hex())
        writer.writerow([*ids, result, reason, "", "", "", "", ""])
        counts[result] += 1


def _line(subject: ScreenedSubject, digest: bytes) -> list[object]:
    details = [in_view_facts(shown) for shown in subject.listings.listings]
    refused = bool(subject.refusal)
    return [
        subject.subject_ref.hex(),
        subject.consent_id.hex(),
        "refused" if refused else "answered",
        name_of(subject.refusal) if refused else "",
        "" if refused else str(subject.fraud_alert).lower(),
        "" if refused else len(details),
        json.dumps(details, ensure_ascii=False) if details else "",
        digest.hex(),
        subject.access_id.hex(),
    ]


def _keep(folder: Path, number: int, screening: VerifiedScreening) -> None:
    name = f"{number:06}-{screening.signed.digest.hex()[:16]}.env"
    (folder / name).write_bytes(screening.envelope.SerializeToString())


def _progress(*, shown: bool) -> Progress:
    return Progress(
        "[progress.description]{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not shown,
    )


def _report(counts: Counter[str], total: int, out: Path, *, as_json: bool) -> None:
    names = ("answered", "refused", "message refused", "not verified", "with listings")
    facts = {name.replace(" ", "_"): counts[name] for name in (*names, "with fraud alert")}
    failed = bool(counts["not verified"] or counts["message refused"])
    if as_json:
        echo_json(ok=not failed, subjects=total, **facts, out=str(out))
        return
    told = ", ".join(f"{counts[name]:,} {name}" for name in (*names, "with fraud alert"))
    console().print(f"{total:,} subjects: {told}.")
    if failed:
        console().print("Screen again what was not answered; see the results.", style="bold red")
    console().print(f"Written to {out}.")
