"""Many decisions in a lender's own CSV file: closed columns, and a line that cannot be used holds up no other."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clients.sdk.errors import ClientError
from clients.sdk.outcome_events import Decision
from concordat.v1 import DecisionReason, OutcomeKind, ReviewerRole

COLUMNS = (
    "access_id",
    "subject_ref",
    "answer_digest",
    "outcome",
    "reasons",
    "reviewer",
    "decided_at",
    "sequence",
)
_BYTES = {"access_id": 16, "subject_ref": 32, "answer_digest": 32}
_MOST_SEQUENCE = 2**32 - 1
_NOBODY = ReviewerRole.REVIEWER_ROLE_UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: the decision, or why there is none."""

    number: int
    cells: Mapping[str, str]
    decision: Decision | None
    error: str = ""


class _Unusable(ValueError):  # noqa: N818 - told with its line
    pass


def read_decisions(path: Path) -> list[Line]:
    """Read a file; raise ``ClientError`` for other columns than ``COLUMNS``, as they might name people.

    Ids in hex; `outcome`, `reasons` (with spaces between) and `reviewer` by the names of the protos' enums in
    lower case, such as `not-granted` and `score-band`; `decided_at` as in `2027-01-31T10:00:00+00:00`;
    `reviewer` empty where no person reviewed the decision, `sequence` empty for 1.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise ClientError(
                    f"{path}: the first line must be {','.join(COLUMNS)}, and no other column may be there"
                )
            return [_line(rows.line_num, row) for row in rows]
    except UnicodeDecodeError as error:
        raise ClientError(f"{path} is not UTF-8; save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise ClientError(f"{path} is no CSV: {error}; save it as CSV in UTF-8") from error


def _line(number: int, row: Mapping[str | None, str | None]) -> Line:
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    if None in row:
        return Line(number, cells, None, "there are more cells than columns")
    try:
        return Line(number, cells, _decision(cells))
    except _Unusable as error:
        return Line(number, cells, None, str(error))


def _decision(cells: Mapping[str, str]) -> Decision:
    access_id, subject_ref, digest = (_hex(cells, name) for name in _BYTES)
    return Decision(
        access_id,
        subject_ref,
        digest,
        outcome_named(cells["outcome"]),
        _moment(cells["decided_at"]),
        [reason_named(name) for name in cells["reasons"].split()],
        reviewer_named(cells["reviewer"]) if cells["reviewer"] else _NOBODY,
        _sequence(cells["sequence"]),
    )


def _hex(cells: Mapping[str, str], name: str) -> bytes:
    try:
        value = bytes.fromhex(cells[name])
    except ValueError:
        value = b""
    if len(value) != _BYTES[name] or len(cells[name]) != 2 * _BYTES[name]:
        raise _Unusable(f"{name} must be {2 * _BYTES[name]} digits in hex")
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Unusable("decided_at must be a time such as 2027-01-31T10:00:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _sequence(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_SEQUENCE):
        raise _Unusable("sequence must be a whole number from 1 on")
    return int(text or 1)


# Names, as people write them ----------------------------------------------------------------------


def outcome_named(name: str) -> OutcomeKind.ValueType:
    """Return an outcome by its name, such as `not-granted`; raise ``ValueError`` where there is none."""
    return OutcomeKind.Value(_full("OUTCOME_KIND_", name, OUTCOMES))


def reason_named(name: str) -> DecisionReason.ValueType:
    """Return a reason by its name, such as `score-band`; raise ``ValueError`` where there is none."""
    return DecisionReason.Value(_full("DECISION_REASON_", name, REASONS))


def reviewer_named(name: str) -> ReviewerRole.ValueType:
    """Return a reviewer's role by its name, such as `credit-officer`; raise ``ValueError`` where there is none."""
    return ReviewerRole.Value(_full("REVIEWER_ROLE_", name, REVIEWERS))


def plain(name: str, prefix: str) -> str:
    """Return an enum value's name as it is written in files and on command lines."""
    return name.removeprefix(prefix).lower().replace("_", "-")


OUTCOMES = [plain(name, "OUTCOME_KIND_") for name in OutcomeKind.keys()[1:]]
REASONS = [plain(name, "DECISION_REASON_") for name in DecisionReason.keys()[1:]]
REVIEWERS = [plain(name, "REVIEWER_ROLE_") for name in ReviewerRole.keys()[1:]]


def _full(prefix: str, name: str, known: list[str]) -> str:
    if name not in known:
        raise _Unusable(f"{name!r} is none of {', '.join(known)}")
    return prefix + name.upper().replace("-", "_")
