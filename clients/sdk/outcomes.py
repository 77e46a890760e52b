"""A lender's side of drift: what became of its credits, counted by bins of each provider's scores.

Only counts leave the house. Which view led to which credit, and what became of it, the lender knows by itself.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from clients.sdk.errors import ClientError
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.pooling.baseline import bin_of, edges_of
from concordat.statements import seal
from concordat.verify.view import VerifiedView

SMALLEST_CELL = 10  # subjects; the exchange's own bound may be higher, and then it says so
COLUMNS = ("view_id", "outcome")
_ID_BYTES = 16
_OUTCOMES = {"1": True, "0": False}


class OutcomesMalformed(ClientError):  # noqa: N818 - read as a finding
    """A file of outcomes cannot be used; the text names the line and says what to do."""


@dataclass(frozen=True, slots=True)
class Period:
    """Views made from ``start`` on and before ``end``."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


class _Table(NamedTuple):
    """What is counted together: one lender's views, by one calibration, of one provider's scores."""

    calibration_version: int
    provider: str
    federation: str
    lender: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What is to be reported of one provider under one calibration; None where every bin is too small."""

    provider: str
    calibration_version: int
    counts: v1.OutcomeCounts | None
    left_out: int  # subjects in bins that are too small to be told


def read_outcomes(path: Path) -> dict[bytes, bool]:
    """Read a lender's own file: CSV with `view_id` (hex) and `outcome` (1: defaulted, 0: did not).

    Returns whether the credit of each view defaulted. Raises ``OutcomesMalformed`` for other columns, as they
    might name people, another value, or two outcomes of one view.
    """
    with path.open(newline="", encoding="utf-8-sig") as file, _readable(path):
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise OutcomesMalformed(
                f"{path}: the first line must be {','.join(COLUMNS)}, and no other column may be there"
            )
        found: dict[bytes, bool] = {}
        for row in rows:
            view_id, outcome = _row(path, rows.line_num, row)
            if found.setdefault(view_id, outcome) != outcome:
                raise OutcomesMalformed(
                    f"{path}, line {rows.line_num}: another outcome of this view stands above"
                )
    return found


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise ``OutcomesMalformed`` for what is no CSV in UTF-8."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise OutcomesMalformed(f"{path} is not UTF-8; save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise OutcomesMalformed(f"{path} is no CSV: {error}; save it as CSV in UTF-8") from error


def _row(path: Path, line: int, row: Mapping[str, str | None]) -> tuple[bytes, bool]:
    text, outcome = row["view_id"] or "", _OUTCOMES.get(row["outcome"] or "")
    try:
        view_id = bytes.fromhex(text)
    except ValueError:
        view_id = b""
    if len(view_id) != _ID_BYTES or outcome is None or None in row:
        raise OutcomesMalformed(
            f"{path}, line {line}: write the id of a view (32 digits in hex) and 1 for a default, 0 for none"
        )
    return view_id, outcome


def scores_of(view: v1.View) -> dict[str, int]:
    """Return each provider's score that counted in a view; empty unless it tells the full score."""
    outcome = view.WhichOneof("outcome")
    answer = view.partial if outcome == "partial" else view.complete
    return {each.provider: each.score for each in answer.full.contributions if not each.no_record}


def count_outcomes(
    views: Iterable[VerifiedView],
    outcomes: Mapping[bytes, bool],
    period: Period,
    at: datetime,
    smallest_cell: int = SMALLEST_CELL,
) -> list[Counted]:
    """Count outcomes by calibration, provider and bin of the provider's scores; what is to be signed.

    Counted are views with the full score, made in ``period``, whose outcome is known; each once. Bins with fewer
    than ``smallest_cell`` subjects are left out. Raises ``ValueError`` for a period that is not over at ``at``.
    """
    if not period.start < period.end <= at:
        raise ValueError("a period ends after it begins, and not in the future")
    tables: dict[_Table, dict[int, list[int]]] = {}
    for verified in {each.view.view_id: each for each in views}.values():
        defaulted = outcomes.get(verified.view.view_id)
        if defaulted is not None and from_timestamp(verified.view.issued_at) in period:
            for table, place in _places(verified):
                cell = tables.setdefault(table, {}).setdefault(place, [0, 0])
                cell[0] += 1
                cell[1] += defaulted
    return [
        _counted(table, cells, period, at, smallest_cell) for table, cells in sorted(tables.items())
    ]


def _places(verified: VerifiedView) -> Iterator[tuple[_Table, int]]:
    """Yield where the scores of a view are counted: the table of each provider, and the bin."""
    if verified.calibration is None:
        return
    view, version = verified.view, verified.calibration.version
    edges = edges_of(verified.calibration.message)
    for provider, score in scores_of(view).items():
        if provider in edges:
            table = _Table(version, provider, view.federation, view.lender)
            yield table, bin_of(edges[provider], score)


def _counted(
    table: _Table, cells: Mapping[int, list[int]], period: Period, at: datetime, smallest: int
) -> Counted:
    told = [
        v1.OutcomeBin(bin=place, subjects=subjects, defaults=defaults)
        for place, (subjects, defaults) in sorted(cells.items())
        if subjects >= smallest
    ]
    left_out = sum(subjects for subjects, _ in cells.values() if subjects < smallest)
    counts = v1.OutcomeCounts(
        federation=table.federation,
        lender=table.lender,
        provider=table.provider,
        calibration_version=table.calibration_version,
        period_from=to_timestamp(period.start),
        period_until=to_timestamp(period.end),
        bins=told,
        made_at=to_timestamp(at),
    )
    return Counted(table.provider, table.calibration_version, counts if told else None, left_out)


def report_outcomes(
    identity: MemberIdentity, book: MemberBook, counts: v1.OutcomeCounts
) -> Flow[bool]:
    """Sign counts and hand them in; return whether they replace earlier ones of the same period."""
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.SupervisionService/ReportOutcomeCounts",
        v1.ReportOutcomeCountsRequest(counts=seal(counts, identity.signer)),
        v1.ReportOutcomeCountsResponse,
    )
    answer = yield from ask(call, v1.ReportOutcomeCountsResponse)
    return answer.replaced
