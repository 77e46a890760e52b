"""What the witness remembers, in SQL. Every function runs inside the caller's transaction."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from witness.rules import NOTHING_KEPT, Kept, Suspicion
from witness.schema import evidence, latest

# Of each kind, about each log. Strangers can make the witness see failing proofs, and a log that forks
# can fork at will: the first few tell all, and the disk must not fill up.
MOST_EVIDENCE = 1000

_LATEST = select(
    latest.c.size, latest.c.root, latest.c.note, latest.c.cosignature, latest.c.cosigned_at
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two checkpoints that one log signed; ``kept_note`` is None where the other speaks against itself."""

    kind: Suspicion
    kept_note: bytes | None
    offered_note: bytes
    seen_at: int  # POSIX seconds


def latest_of(connection: Connection, origin: str, *, to_change: bool = False) -> Kept:
    """Return the latest checkpoint cosigned of a log; ``NOTHING_KEPT`` if there is none.

    ``to_change`` holds the row until the transaction ends, against other processes.
    """
    query = _LATEST.where(latest.c.origin == origin)
    found = connection.execute(query.with_for_update() if to_change else query).one_or_none()
    return Kept(*found) if found else NOTHING_KEPT


def keep_latest(connection: Connection, origin: str, kept: Kept, before: Kept) -> None:
    """Put ``kept`` in the place of ``before``, which ``latest_of`` returned in this transaction.

    Raises ``IntegrityError`` where another process kept the log's first checkpoint meanwhile.
    """
    row = {
        "size": kept.size,
        "root": kept.root,
        "note": kept.note,
        "cosignature": kept.cosignature,
        "cosigned_at": kept.cosigned_at,
    }
    if before == NOTHING_KEPT:
        connection.execute(insert(latest).values(origin=origin, **row))
    else:
        connection.execute(update(latest).where(latest.c.origin == origin).values(row))


def latest_cosigned_at(connection: Connection) -> int:
    """Return the time of the latest cosignature, of whatever log; 0 if there is none."""
    return connection.execute(select(func.max(latest.c.cosigned_at))).scalar_one() or 0


def keep_evidence(connection: Connection, origin: str, found: Evidence) -> bool:
    """Keep evidence about a log; return False if it was known, or enough of its kind is."""
    about = (evidence.c.origin == origin) & (evidence.c.kind == found.kind)
    digest = _digest(origin, found)
    known = connection.execute(select(evidence.c.seen_at).where(evidence.c.digest == digest))
    count = connection.execute(select(func.count()).select_from(evidence).where(about))
    if known.first() is not None or count.scalar_one() >= MOST_EVIDENCE:
        return False
    connection.execute(
        insert(evidence).values(
            digest=digest,
            origin=origin,
            kind=found.kind.value,
            kept_note=found.kept_note,
            offered_note=found.offered_note,
            seen_at=found.seen_at,
        )
    )
    return True


def evidence_about(connection: Connection, origin: str) -> list[Evidence]:
    """Return what was kept about a log, oldest first."""
    query = (
        select(evidence.c.kind, evidence.c.kept_note, evidence.c.offered_note, evidence.c.seen_at)
        .where(evidence.c.origin == origin)
        .order_by(evidence.c.seen_at, evidence.c.digest)
    )
    return [Evidence(Suspicion(kind), *rest) for kind, *rest in connection.execute(query)]


def _digest(origin: str, found: Evidence) -> bytes:
    parts = (origin.encode(), found.kind.encode(), found.kept_note or b"", found.offered_note)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
