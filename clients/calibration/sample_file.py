"""A sample of scores with their outcomes, read from CSV.

One row a subject, in any order, with no identity: a column for each provider, named by its member_id
(empty: it has no record of the subject), `outcome` (1 defaulted, 0 did not), and columns `group:NAME`
of groups to audit (empty: not stated), which no model reads.
"""

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from clients.calibration.columns import LONGEST_NAME, OUTCOME, Columns, read_header
from clients.calibration.errors import SampleInvalid
from concordat.pooling.fit import Sample

LEAST_OF_EACH: Final = 50
"""Subjects that defaulted, and that did not, without which nothing is fitted."""

MOST_GROUPS: Final = 16
"""Groups under one attribute: more of them would be small enough to tell persons."""

_WHOLE = re.compile(r"-?[0-9]{1,9}")

Ends = tuple[int, int]
"""Lowest and highest score of a scale."""


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A sample, and the SHA-256 of the file's bytes as they lie (compressed, where they are)."""

    sample: Sample
    sha256: bytes


def read_sample(path: Path, scales: Mapping[str, Ends]) -> SampleFile:
    """Read `path`, CSV with a header in UTF-8, compressed if it ends in `.gz`.

    Args:
        path: the file.
        scales: ends of the scale of every provider that may have a column.

    Raises:
        SampleInvalid: naming the column or line, and what to do.
    """
    content = _content(path)
    text = io.StringIO(_text(path, content), newline="")
    rows = _rows(text)
    header = next(rows, (1, []))[1]
    columns = read_header(header, scales)
    return SampleFile(_sample(columns, rows, scales), hashlib.sha256(content).digest())


def require_enough(sample: Sample) -> None:
    """Raise `SampleInvalid` where a fit to so few outcomes would tell of chance."""
    defaults = int(sample.outcomes.sum())
    for count, what in (
        (defaults, "defaulted"),
        (sample.outcomes.size - defaults, "did not default"),
    ):
        if count < LEAST_OF_EACH:
            raise SampleInvalid(
                f"{count} subjects {what}; at least {LEAST_OF_EACH} are needed. Gather more outcomes, or "
                "declare a calibration from the licences: concordat calibrate declare"
            )
    for place, provider in enumerate(sample.providers):
        if np.isnan(sample.scores[:, place]).all():
            raise SampleInvalid(f"no row has a score of {provider}; leave its column out")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SampleInvalid(f"cannot read {path}: {error.strerror}") from error


def _text(path: Path, content: bytes) -> str:
    try:
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise SampleInvalid(f"{path} is damaged, or no gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise SampleInvalid(
            f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error


def _rows(text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold anything, each with its line, from 1."""
    reader = csv.reader(text, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise SampleInvalid(
            f"line {reader.line_num}: {error}; quote what holds a comma or a quote"
        ) from error


def _sample(
    columns: Columns, rows: Iterator[tuple[int, list[str]]], scales: Mapping[str, Ends]
) -> Sample:
    scores: list[list[float]] = []
    outcomes: list[bool] = []
    groups: dict[str, list[str]] = {attribute: [] for attribute in columns.groups}
    for line, row in rows:
        if len(row) != columns.count:
            raise SampleInvalid(f"line {line}: {len(row)} cells; the header has {columns.count}")
        scores.append(_scores(columns, row, line, scales))
        outcomes.append(_outcome(row[columns.outcome], line))
        for attribute, place in columns.groups.items():
            groups[attribute].append(_group(row[place], line))
    return Sample(
        providers=tuple(columns.providers),
        scores=np.array(scores, np.float64).reshape(len(scores), len(columns.providers)),
        outcomes=np.array(outcomes, np.bool_),
        groups={attribute: _coarse(attribute, names) for attribute, names in groups.items()},
    )


def _scores(
    columns: Columns, row: Sequence[str], line: int, scales: Mapping[str, Ends]
) -> list[float]:
    cells = [(provider, row[place]) for provider, place in columns.providers.items()]
    if not any(cell for _, cell in cells):
        raise SampleInvalid(f"line {line}: no provider has a score; leave the row out")
    return [_score(cell, provider, line, scales) if cell else np.nan for provider, cell in cells]


def _score(cell: str, provider: str, line: int, scales: Mapping[str, Ends]) -> float:
    lowest, highest = scales[provider]
    if not _WHOLE.fullmatch(cell):
        raise SampleInvalid(
            f"line {line}, {provider}: {cell[:20]!r} is no whole number; leave it empty where the "
            "provider has no record"
        )
    if not lowest <= int(cell) <= highest:
        raise SampleInvalid(
            f"line {line}, {provider}: {cell} is outside its scale, {lowest} to {highest}; correct it, or "
            "read the licence that was in force when it was stated"
        )
    return float(cell)


def _outcome(cell: str, line: int) -> bool:
    if cell not in {"0", "1"}:
        raise SampleInvalid(
            f"line {line}, {OUTCOME}: {cell[:20]!r}; write 1 where the subject defaulted, else 0, and "
            "leave out whoever's outcome is not known"
        )
    return cell == "1"


def _group(cell: str, line: int) -> str:
    if len(cell) > LONGEST_NAME or not cell.isprintable():
        raise SampleInvalid(f"line {line}: a group's name has at most {LONGEST_NAME} characters")
    return cell


def _coarse(attribute: str, names: list[str]) -> npt.NDArray[np.str_]:
    different = len(set(names) - {""})
    if different > MOST_GROUPS:
        raise SampleInvalid(
            f"column group:{attribute} has {different} different groups; give at most {MOST_GROUPS}: "
            "small ones tell persons. Band ages, join regions"
        )
    return np.array(names, np.str_)
