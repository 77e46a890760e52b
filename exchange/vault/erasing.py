"""Erasing by forgetting a key: what is to stay is sealed under a new one first, and nothing else ever opens.

Whoever erases deletes the rows that go, and calls ``forget`` in the same transaction. What was deleted may
lie on in free pages, a write-ahead log, or a copy of the database: its key does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, LargeBinary, Table, bindparam, or_, select, update

from exchange.schema import metadata
from exchange.vault import keys
from exchange.vault.cipher import vault_of
from exchange.vault.columns import SubjectRef
from exchange.vault.table import subject_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Row

    from exchange.vault.keys import DataKey


def forget(connection: Connection, subject_ref: bytes) -> int:
    """Replace a subject's key, and seal what is still on record under the new one; return how many records.

    Found is whatever the old key sealed, in any table that has a ``SubjectRef``. Where nothing is left, there
    is no key any more either. Until the transaction ends nobody seals anything for the subject.
    """
    replaced = keys.replace(connection, subject_ref)
    if replaced is None:
        return 0
    old, new = replaced
    resealed = sum(_reseal(connection, table, old, new) for table in _tables())
    if not resealed:
        keys.remove(connection, new)
    vault_of(connection).erasures += 1
    return resealed


def _tables() -> Iterator[Table]:
    for table in metadata.sorted_tables:
        if table is not subject_key and _of(table, SubjectRef) and _sealable(table):
            yield table


def _sealable(table: Table) -> list[Column[Any]]:
    """Return the columns that have room for what was sealed: no ids, no digests."""
    return [
        column
        for column in _of(table, LargeBinary)
        if (getattr(column.type, "length", None) or keys.SEAL_BYTES) >= keys.SEAL_BYTES
    ]


def _of(table: Table, kind: type[Any]) -> list[Column[Any]]:
    return [column for column in table.columns if isinstance(column.type, kind)]


def _reseal(connection: Connection, table: Table, old: DataKey, new: DataKey) -> int:
    """Seal what the old key sealed in a table anew; return how many records that were."""
    key = list(table.primary_key.columns)
    binary = _sealable(table)
    is_about = or_(*(column == old.subject_ref for column in _of(table, SubjectRef)))
    query = select(*key, *(column for column in binary if column not in key)).where(is_about)
    rows = connection.execute(query.with_for_update()).all()
    found = 0
    for column in binary:
        values = [
            _values(key, row, new.seal(old.unseal(raw)))
            for row in rows
            if (raw := getattr(row, column.name)) is not None and raw.startswith(old.header)
        ]
        if values:
            connection.execute(_set(table, column), values)
        found += len(values)
    return found


def _values(key: list[Column[Any]], row: Row[Any], sealed: bytes) -> dict[str, object]:
    return {
        **{f"key_{column.name}": getattr(row, column.name) for column in key},
        "new_sealed": sealed,
    }


def _set(table: Table, column: Column[Any]) -> Any:
    is_row = (each == bindparam(f"key_{each.name}") for each in table.primary_key.columns)
    return update(table).where(*is_row).values({column: bindparam("new_sealed")})
