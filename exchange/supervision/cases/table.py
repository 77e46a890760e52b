"""Cases that were looked up in, look-ups that may still be repeated, notices, and the month's budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from concordat import v1
from concordat.clock import to_micros
from exchange.schema import metadata
from exchange.supervision.cases.rules import KnownCase
from exchange.vault.columns import subject_ref
from exchange.vault.sealing import seal, unseal

# One row a month. Whoever decides about a case holds the month's row, so that one decides at a time.
case_budget = Table(
    "case_budget",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),  # 202606 for June 2026, UTC
    Column("look_ups", Integer, nullable=False),
)

# Each case that was let in: so that its reference and id stand for one subject, and one set of terms, for ever.
case_file = Table(
    "case_file",
    metadata,
    subject_ref(primary_key=True),
    Column("case_id", LargeBinary(16), primary_key=True),
    Column("regulator", String(64), nullable=False),
    Column("case_reference", String(40), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Index("case_file_by_reference", "regulator", "case_reference"),
    Index("case_file_by_id", "case_id"),
)

# Kept for a day: a request lives for minutes.
case_look_up = Table(
    "case_look_up",
    metadata,
    subject_ref(primary_key=True),
    Column("look_up_id", LargeBinary(16), primary_key=True),
    Column("regulator", String(64), nullable=False),
    Column("request_digest", LargeBinary(32), nullable=False),
    Column("record_id", LargeBinary(16), nullable=False),  # of its sealed entry
    Column("looked_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("month", Integer, nullable=False),  # whose budget it is in
    Column("counted", Boolean, nullable=False),  # False while no custodian held its notice
    Column("released", Boolean, nullable=False),
    Column("answer", LargeBinary, nullable=False),  # LookUpCaseResponse, sealed
    Index("case_look_up_by_id", "regulator", "look_up_id"),
    Index("case_look_up_by_time", "looked_at"),
)

# What a subject is owed: by when, and what it was told.
case_notice = Table(
    "case_notice",
    metadata,
    subject_ref(primary_key=True),
    Column("record_id", LargeBinary(16), primary_key=True),  # of the sealed entry
    Column("due_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    Column("sequence", BigInteger),  # of the inbox message; NULL before
    Column("notice", LargeBinary),  # the signed CaseNotice, sealed; NULL before
    Index("case_notice_by_message", "subject_ref", "sequence"),
)
Index(
    "case_notice_due",
    case_notice.c.due_at,
    sqlite_where=text("delivered_at IS NULL"),
    postgresql_where=text("delivered_at IS NULL"),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A look-up on record: what is answered once it is in the log and its notice is held."""

    subject_ref: bytes
    look_up_id: bytes
    record_id: bytes
    looked_at: int
    due_at: int
    month: int
    released: bool
    response: v1.LookUpCaseResponse
    again: bool = False  # asked for with the bytes of one that was on record before


def hold_month(connection: Connection, month: int) -> int:
    """Return how many look-ups were counted in a month; nobody else decides until the transaction ends."""
    query = select(case_budget.c.look_ups).where(case_budget.c.month == month).with_for_update()
    spent = connection.execute(query).scalar_one_or_none()
    if spent is None:
        connection.execute(insert(case_budget).values(month=month, look_ups=0))
    return spent or 0


def count(connection: Connection, month: int, by: int) -> None:
    """Count a look-up in its month, or with -1 take it out again."""
    query = update(case_budget).where(case_budget.c.month == month)
    connection.execute(query.values(look_ups=case_budget.c.look_ups + by))


def known_cases(connection: Connection, case: v1.CaseRequest) -> list[KnownCase]:
    """Return the cases of this id, and of this regulator with this reference."""
    query = select(case_file).where(
        or_(
            case_file.c.case_id == case.case_id,
            (case_file.c.regulator == case.regulator)
            & (case_file.c.case_reference == case.case_reference),
        )
    )
    return [
        KnownCase(row.case_id, row.regulator, row.case_reference, row.subject_ref, row.digest)
        for row in connection.execute(query)
    ]


def begin(
    connection: Connection, case: v1.CaseRequest, digest: bytes, begun: datetime, ends: datetime
) -> None:
    """Put a case on record."""
    connection.execute(
        insert(case_file).values(
            subject_ref=case.subject_ref,
            case_id=case.case_id,
            regulator=case.regulator,
            case_reference=case.case_reference,
            digest=digest,
            begun_at=to_micros(begun),
            ends_at=to_micros(ends),
        )
    )


def seen(connection: Connection, regulator: str, look_up_id: bytes) -> Row[Any] | None:
    """Return the look-up that a regulator used an id for; None where it was not used lately."""
    query = select(case_look_up).where(
        case_look_up.c.regulator == regulator, case_look_up.c.look_up_id == look_up_id
    )
    return connection.execute(query).first()


def taken_of(connection: Connection, row: Row[Any]) -> Taken | None:
    """Return a look-up with its answer; None where its subject's records were erased."""
    answer = unseal(connection, row.subject_ref, row.answer)
    if answer is None:
        return None
    return Taken(
        row.subject_ref,
        row.look_up_id,
        row.record_id,
        row.looked_at,
        row.due_at,
        row.month,
        row.released,
        v1.LookUpCaseResponse.FromString(answer),
        again=True,
    )


def add(connection: Connection, taken: Taken, regulator: str, request_digest: bytes) -> None:
    """Put a look-up on record, counted and not released."""
    connection.execute(
        insert(case_look_up).values(
            subject_ref=taken.subject_ref,
            look_up_id=taken.look_up_id,
            regulator=regulator,
            request_digest=request_digest,
            record_id=taken.record_id,
            looked_at=taken.looked_at,
            due_at=taken.due_at,
            month=taken.month,
            counted=True,
            released=False,
            answer=seal(connection, taken.subject_ref, taken.response.SerializeToString()),
        )
    )


def release(connection: Connection, taken: Taken, response: v1.LookUpCaseResponse) -> None:
    """Keep what goes out, for those who ask again."""
    answer = seal(connection, taken.subject_ref, response.SerializeToString())
    _set(connection, taken, {"released": True, "answer": answer})


def is_counted(connection: Connection, taken: Taken) -> bool:
    """Tell whether a look-up is in its month's budget."""
    query = select(case_look_up.c.counted).where(
        case_look_up.c.subject_ref == taken.subject_ref,
        case_look_up.c.look_up_id == taken.look_up_id,
    )
    return bool(connection.execute(query).scalar_one_or_none())


def set_counted(connection: Connection, taken: Taken) -> None:
    """Say that a look-up is in its month's budget."""
    _set(connection, taken, {"counted": True})


def take_out(connection: Connection, taken: Taken) -> bool:
    """Say that a look-up is not in its month's budget, unless it was released; return whether that is a change."""
    waits = (case_look_up.c.counted.is_(True), case_look_up.c.released.is_(False))
    return _set(connection, taken, {"counted": False}, *waits) > 0


def _set(connection: Connection, taken: Taken, values: Mapping[str, object], *where: Any) -> int:
    return connection.execute(
        update(case_look_up)
        .where(
            case_look_up.c.subject_ref == taken.subject_ref,
            case_look_up.c.look_up_id == taken.look_up_id,
            *where,
        )
        .values(**values)
    ).rowcount


def forget(connection: Connection, before: datetime) -> None:
    """Delete the look-ups from before a time: nobody can repeat them any more."""
    connection.execute(delete(case_look_up).where(case_look_up.c.looked_at < to_micros(before)))


def owe(connection: Connection, ref: bytes, record_id: bytes, due: datetime) -> None:
    """Put on record that a subject is to be told of a sealed entry by a time."""
    connection.execute(
        insert(case_notice).values(subject_ref=ref, record_id=record_id, due_at=to_micros(due))
    )


def due(connection: Connection, at: datetime, most: int) -> Sequence[Row[bytes, bytes]]:
    """Return the notices that are due at ``at`` and not delivered, the longest due first."""
    query = (
        select(case_notice.c.subject_ref, case_notice.c.record_id)
        .where(case_notice.c.delivered_at.is_(None), case_notice.c.due_at <= to_micros(at))
        .order_by(case_notice.c.due_at)
        .limit(most)
    )
    return connection.execute(query).all()


def claim(connection: Connection, ref: bytes, record_id: bytes, at: datetime) -> bool:
    """Mark a notice delivered; return False where another process did."""
    return _notice_set(
        connection,
        ref,
        record_id,
        {"delivered_at": to_micros(at)},
        case_notice.c.delivered_at.is_(None),
    )


def told(
    connection: Connection, ref: bytes, record_id: bytes, sequence: int, notice: v1.Envelope
) -> None:
    """Keep what a subject was told, and in which message."""
    sealed = seal(connection, ref, notice.SerializeToString())
    _notice_set(connection, ref, record_id, {"sequence": sequence, "notice": sealed})


def _notice_set(
    connection: Connection, ref: bytes, record_id: bytes, values: Mapping[str, object], *where: Any
) -> bool:
    done = connection.execute(
        update(case_notice)
        .where(case_notice.c.subject_ref == ref, case_notice.c.record_id == record_id, *where)
        .values(**values)
    )
    return done.rowcount > 0


def notices_of(
    connection: Connection, ref: bytes, sequences: Sequence[int]
) -> dict[int, v1.Envelope]:
    """Return the signed notices of a subject's messages, by place; without those that were erased."""
    query = select(case_notice.c.sequence, case_notice.c.notice).where(
        case_notice.c.subject_ref == ref, case_notice.c.sequence.in_(sequences)
    )
    opened = (
        (row.sequence, unseal(connection, ref, row.notice)) for row in connection.execute(query)
    )
    return {place: v1.Envelope.FromString(raw) for place, raw in opened if raw is not None}
