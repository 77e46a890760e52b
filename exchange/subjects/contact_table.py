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

_OF = subject_contact.c.subject_ref.in_(bindparam("refs", expanding=True))
_CONTACTS = select(subject_contact.c.subject_ref, subject_contact.c.envelope).where(_OF)
_ON_RECORD = select(subject_contact.c.sequence, subject_contact.c.envelope).where(_OF)


def contacts_of(connection: Connection, refs: Iterable[bytes]) -> dict[bytes, v1.ContactChange]:
    """Return the latest contact of each subject that ever gave one; its address is empty for none."""
    rows = connection.execute(_CONTACTS, {"refs": list(set(refs))}).all()
    opened = unseal_many(connection, [(row.subject_ref, row.envelope) for row in rows])
    return {
        row.subject_ref: v1.ContactChange.FromString(v1.Envelope.FromString(raw).payload)
        for row, raw in zip(rows, opened, strict=True)
        if raw is not None
    }


def contact_on_record(connection: Connection, subject_ref: bytes) -> tuple[int, v1.Envelope | None]:
    """Return the latest change of a subject's contact: its sequence, and what it signed; 0 and None for none."""
    row = connection.execute(_ON_RECORD, {"refs": [subject_ref]}).one_or_none()
    if row is None:
        return 0, None
    (raw,) = unseal_many(connection, [(subject_ref, row.envelope)])
    return row.sequence, None if raw is None else v1.Envelope.FromString(raw)


def address_of(connection: Connection, subject_ref: bytes) -> tuple[str, str] | None:
    """Return a subject's e-mail address and language; None where it gave no address."""
    contact = contacts_of(connection, [subject_ref]).get(subject_ref)
    return (contact.email, contact.language) if contact is not None and contact.email else None
