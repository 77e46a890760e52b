"""What subjects have put up: freezes and fraud alerts."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Connection, Integer, LargeBinary, Table, bindparam, select

from exchange.schema import metadata
from exchange.vault.columns import subject_ref

subject_flag = Table(
    "subject_flag",
    metadata,
    subject_ref(primary_key=True),
    Column("frozen", Boolean, nullable=False),
    Column("fraud_alert", Boolean, nullable=False),
    Column("sequence", Integer, nullable=False),  # of the latest change
    Column("digest", LargeBinary(32), nullable=False),  # of that statement
    Column("envelope", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Flags:
    """What one subject has put up."""

    frozen: bool = False
    fraud_alert: bool = False
    sequence: int = 0
    digest: bytes = b""


NO_FLAGS = Flags()

_FLAGS = select(
    subject_flag.c.subject_ref,
    subject_flag.c.frozen,
    subject_flag.c.fraud_alert,
    subject_flag.c.sequence,
    subject_flag.c.digest,
).where(subject_flag.c.subject_ref.in_(bindparam("refs", expanding=True)))


def flags_of(connection: Connection, refs: Iterable[bytes]) -> dict[bytes, Flags]:
    """Return the flags of each subject that ever changed one."""
    rows = connection.execute(_FLAGS, {"refs": list(set(refs))})
    return {
        row.subject_ref: Flags(row.frozen, row.fraud_alert, row.sequence, row.digest)
        for row in rows
    }
