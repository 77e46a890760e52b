"""Counts of scores by day and bin, what lenders reported of outcomes, and the level of each provider.

Counts alone: no subject, no lender with a score, no score. The tables are about providers; on a distributed
database they stay on one node. Each process counts in rows of its own, so that none waits for another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from concordat.clock import from_micros, to_micros
from exchange.schema import metadata

KEEP = timedelta(days=400)

Cell = tuple[int, str, int]
"""A calibration's version, a provider, and the bin of its baseline that a score lies in."""

score_count = Table(
    "score_count",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("calibration_version", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", String(64), primary_key=True),
    Column("bin", Integer, primary_key=True, autoincrement=False),  # of the baseline, from 0
    Column("process", String(32), primary_key=True),
    Column("scores", BigInteger, nullable=False),
)

outcome_count = Table(
    "outcome_count",
    metadata,
    Column("lender", String(64), primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("calibration_version", BigInteger, primary_key=True, autoincrement=False),
    Column("period_from", BigInteger, primary_key=True, autoincrement=False),
    Column("period_until", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("envelope", LargeBinary, nullable=False),  # the lender's signed OutcomeCounts
)

drift_level = Table(
    "drift_level",
    metadata,
    Column("calibration_version", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", String(64), primary_key=True),
    Column("level", Integer, nullable=False),  # DriftLevel
    Column("since", BigInteger, nullable=False),
)

_SCORES, _OUTCOMES, _LEVELS = score_count.c, outcome_count.c, drift_level.c
_COUNTED = (
    select(
        _SCORES.calibration_version,
        _SCORES.provider,
        _SCORES.bin,
        func.sum(_SCORES.scores).label("scores"),
    )
    .where(_SCORES.day >= bindparam("first"), _SCORES.day < bindparam("end"))
    .group_by(_SCORES.calibration_version, _SCORES.provider, _SCORES.bin)
)


def _upsert(table: Table, values: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """Return by dialect the statement that inserts a row, or changes the one of its key to ``values``."""
    statements = {}
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert)):
        statement: Any = insert(table)
        statements[name] = statement.on_conflict_do_update(
            index_elements=list(table.primary_key), set_=dict(values(statement.excluded))
        )
    return statements


_ADD = _upsert(score_count, lambda new: {"scores": _SCORES.scores + new.scores})
_PUT_LEVEL = _upsert(drift_level, lambda new: {"level": new.level, "since": new.since})
_REPORTED = ("period_until", "made_at", "received_at", "digest", "envelope")
_PUT_OUTCOMES = _upsert(outcome_count, lambda new: {name: new[name] for name in _REPORTED})


@dataclass(frozen=True, slots=True)
class Reported:
    """What a lender reported of one provider, calibration and period."""

    lender: str
    provider: str
    calibration_version: int
    period_from: datetime
    period_until: datetime
    made_at: datetime
    digest: bytes  # of the OutcomeCounts
    envelope: bytes


def day_of(at: datetime) -> int:
    """Return the day, counted from 1970, UTC."""
    return to_micros(at) // 86_400_000_000


def start_of_day(day: int) -> datetime:
    """Return the beginning of a day as ``day_of`` counts."""
    return from_micros(day * 86_400_000_000)


def add_scores(
    connection: Connection, process: str, counts: Mapping[tuple[int, Cell], int]
) -> None:
    """Add to what this process counted, by day and cell."""
    rows = [
        {
            "day": day,
            "calibration_version": version,
            "provider": provider,
            "bin": place,
            "process": process,
            "scores": scores,
        }
        for (day, (version, provider, place)), scores in sorted(counts.items())
    ]
    if rows:
        connection.execute(_ADD[connection.dialect.name], rows)


def counted(connection: Connection, first: int, end: int) -> dict[Cell, int]:
    """Return the scores of each cell on the days from ``first`` until before ``end``."""
    rows = connection.execute(_COUNTED, {"first": first, "end": end})
    return {(row.calibration_version, row.provider, row.bin): int(row.scores) for row in rows}


def reported(connection: Connection) -> list[Reported]:
    """Return all that lenders reported and that is kept."""
    return [_reported(row) for row in connection.execute(select(outcome_count))]


def reported_by(
    connection: Connection, lender: str, provider: str, version: int
) -> Sequence[Reported]:
    """Return what one lender reported of a provider under a calibration."""
    query = select(outcome_count).where(
        _OUTCOMES.lender == lender,
        _OUTCOMES.provider == provider,
        _OUTCOMES.calibration_version == version,
    )
    return [_reported(row) for row in connection.execute(query)]


def put_outcomes(connection: Connection, report: Reported, at: datetime) -> None:
    """Keep a report, in place of one of the same period."""
    row = {
        "lender": report.lender,
        "provider": report.provider,
        "calibration_version": report.calibration_version,
        "period_from": to_micros(report.period_from),
        "period_until": to_micros(report.period_until),
        "made_at": to_micros(report.made_at),
        "received_at": to_micros(at),
        "digest": report.digest,
        "envelope": report.envelope,
    }
    connection.execute(_PUT_OUTCOMES[connection.dialect.name], [row])


def levels(connection: Connection) -> dict[tuple[int, str], tuple[int, datetime]]:
    """Return each provider's level and since when, by calibration version and provider."""
    rows = connection.execute(select(drift_level))
    return {
        (row.calibration_version, row.provider): (row.level, from_micros(row.since)) for row in rows
    }


def put_level(
    connection: Connection, version: int, provider: str, level: int, since: datetime
) -> None:
    """Keep a provider's level."""
    row = {
        "calibration_version": version,
        "provider": provider,
        "level": level,
        "since": to_micros(since),
    }
    connection.execute(_PUT_LEVEL[connection.dialect.name], [row])


def forget(connection: Connection, at: datetime) -> None:
    """Delete what was counted or reported more than 400 days ago."""
    before = at - KEEP
    connection.execute(delete(score_count).where(_SCORES.day < day_of(before)))
    connection.execute(delete(outcome_count).where(_OUTCOMES.received_at < to_micros(before)))


def _reported(row: Any) -> Reported:
    return Reported(
        row.lender,
        row.provider,
        row.calibration_version,
        from_micros(row.period_from),
        from_micros(row.period_until),
        from_micros(row.made_at),
        bytes(row.digest),
        bytes(row.envelope),
    )
