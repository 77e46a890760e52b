"""Where subjects want their notices besides the inbox."""

from collections.abc import Iterable

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, bindparam, select

from concordat import v1
from exchange.schema import metadata
from exchange.vault.columns import subject_ref
from exchange.vault.sealing import unseal_many

subject_contact = Table(
    "subject_contact",
    metadata,
    subject_ref(primary_key=True),
    Column("sequence", Integer, nullable=False),  # of the latest change
    Column("digest", LargeBinary(32), nullable=False),  # of that statement
    Column("envelope", LargeBinary, nullable=False),  # sealed: address and language stand in it
)

_CONTACTS = select(subject_contact.c.subject_ref, subject_contact.c.envelope).where(
    subject_contact.c.subject_ref.in_(bindparam("refs", expanding=True))
)


def contacts_of(connection: Connection, refs: Iterable[bytes]) -> dict[bytes, v1.ContactChange]:
    """Return the latest contact of each subject that ever gave one; its address is empty for none."""
    rows = connection.execute(_CONTACTS, {"refs": list(set(refs))}).all()
    opened = unseal_many(connection, [(row.subject_ref, row.envelope) for row in rows])
    return {
        row.subject_ref: v1.ContactChange.FromString(v1.Envelope.FromString(raw).payload)
        for row, raw in zip(rows, opened, strict=True)
        if raw is not None
    }


def address_of(connection: Connection, subject_ref: bytes) -> tuple[str, str] | None:
    """Return a subject's e-mail address and language; None where it gave no address."""
    contact = contacts_of(connection, [subject_ref]).get(subject_ref)
    return (contact.email, contact.language) if contact is not None and contact.email else None
