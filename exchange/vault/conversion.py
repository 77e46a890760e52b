"""Sealing what a version before 0.5 kept of people in the clear; once, while ``init`` migrates.

Names and columns are those of that schema, read as they lie there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Table, bindparam, func, select, tuple_, update

from concordat import v1
from exchange.vault.cipher import vault_of
from exchange.vault.sealing import seal_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row

_AT_ONCE = 500
_PLAIN_BYTES = 32

_SEALED: dict[str, tuple[str, ...]] = {
    "access_entry": (),
    "consent": ("envelope",),
    "consent_event": ("envelope",),
    "filing_seen": (),
    "inbox_message": ("text",),
    "listing": ("words",),
    "listing_debt": (),
    "listing_source": (),
    "listing_step": ("envelope",),
    "listing_told": (),
    "log_opening": ("record", "salt"),
    "log_queue": ("record",),
    "notice_mail": ("evidence", "failure"),
    "own_look": (),
    "retraction": ("envelope", "acknowledgement"),
    "sealed_attachment": ("sealed",),
    "subject_binding": ("envelope",),
    "subject_contact": ("envelope",),
    "subject_flag": ("envelope",),
}
CONVERTED = tuple(_SEALED)
"""The tables in which something was in the clear."""


def convert(connection: Connection) -> None:
    """Key every reference and seal what belongs to it, a page at a time.

    Raises ``KeyringError`` where there is something to seal and the database was opened without a keyring.
    """
    for name, columns in _SEALED.items():
        table = Table(name, MetaData(), autoload_with=connection)
        for rows in _pages(connection, table):
            _convert(connection, table, columns, rows)


def _pages(connection: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    """Return the rows of people that are not converted, by their keys; those that are lie apart by length."""
    key = list(table.primary_key.columns)
    in_the_clear = func.length(table.c.subject_ref) == _PLAIN_BYTES
    after: tuple[Any, ...] | None = None
    while True:
        query = select(table).where(in_the_clear).order_by(*key).limit(_AT_ONCE)
        if after is not None:
            query = query.where(tuple_(*key) > tuple_(*after))
        rows = connection.execute(query).all()
        if not rows:
            return
        yield rows
        after = tuple(getattr(rows[-1], column.name) for column in key)


def _convert(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row[Any]]
) -> None:
    vault = vault_of(connection)
    said = [
        (row.subject_ref, _bytes(table, column, row))
        for row in rows
        for column in columns
        if getattr(row, column) is not None
    ]
    sealed = iter(seal_many(connection, said))
    values = [
        {f"key_{column.name}": getattr(row, column.name) for column in table.primary_key.columns}
        | {"new_subject_ref": vault.keyed(row.subject_ref)}
        | {
            f"new_{column}": None if getattr(row, column) is None else next(sealed)
            for column in columns
        }
        for row in rows
    ]
    statement = update(table).where(
        *(column == bindparam(f"key_{column.name}") for column in table.primary_key.columns)
    )
    named: dict[str, Any] = {
        column: bindparam(f"new_{column}") for column in ("subject_ref", *columns)
    }
    connection.execute(statement.values(**named), values)


def _bytes(table: Table, column: str, row: Row[Any]) -> bytes:
    """Return what is to be sealed: what lies there, except that words were two columns."""
    raw = bytes(getattr(row, column))
    if (table.name, column) != ("listing", "words"):
        return raw
    words = v1.SubjectWords(text=raw.decode(), language=row.words_language)
    return words.SerializeToString()
