"""Issuing enrolment codes: what the operator does once a person has shown who they are."""

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from concordat.settings import SettingsError
from concordat.v1 import IdentitySuite
from registrar.codes import EnrolmentCodes
from registrar.derivation import KeyedHashDerivation

COLUMNS = ("identity_number", "enrolment_code", "expires_at")


class IdentityMalformedError(Exception):
    """What was given is no identity number; the text does not repeat it."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Makes codes from the derivation key alone: it runs beside a serving registrar."""

    derivation: KeyedHashDerivation
    codes: EnrolmentCodes

    def issue(self, identity_number: str, expires_at: datetime) -> str:
        """Return a fresh code; raise ``IdentityMalformedError``."""
        subject_ref = self.derivation.evaluate(
            IdentitySuite.IDENTITY_SUITE_KEYED_HASH, identity_number.encode()
        )
        if not subject_ref:
            raise IdentityMalformedError("this is no identity number of the registrar's form")
        return self.codes.issue(subject_ref, expires_at)


def issue_many(
    issuer: Issuer, numbers: Iterable[str], expires_at: datetime, out: TextIO
) -> Iterator[int]:
    """Write a CSV row for each identity number and yield how many are written so far.

    Raises ``IdentityMalformedError`` naming the line of the first that is none.
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line, number in enumerate(numbers, 1):
        try:
            code = issuer.issue(number, expires_at)
        except IdentityMalformedError as error:
            raise IdentityMalformedError(f"line {line}: {error}") from error
        writer.writerow((number, code, expires_at.isoformat(timespec="minutes")))
        yield line


def read_numbers(path: Path) -> list[str]:
    """Return the identity numbers of a file, one a line; blank lines are passed over."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8") from error
    return [line.strip() for line in lines if line.strip()]


def open_secret_file(path: Path) -> TextIO:
    """Create a file for its owner alone; raise ``SettingsError`` rather than overwrite one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise SettingsError(f"{path} exists; name another file") from error
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")
