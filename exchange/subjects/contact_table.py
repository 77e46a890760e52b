"""Where subjects want their notices besides the inbox."""

from sqlalchemy import Column, Connection, Integer, LargeBinary, String, Table, select

from exchange.schema import metadata

subject_contact = Table(
    "subject_contact",
    metadata,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("email", String(254), nullable=False),  # empty for none
    Column("language", String(35), nullable=False),
    Column("sequence", Integer, nullable=False),  # of the latest change
    Column("digest", LargeBinary(32), nullable=False),  # of that statement
    Column("envelope", LargeBinary, nullable=False),
)


def address_of(connection: Connection, subject_ref: bytes) -> tuple[str, str] | None:
    """Return a subject's e-mail address and language; None where it gave no address."""
    row = connection.execute(
        select(subject_contact.c.email, subject_contact.c.language).where(
            subject_contact.c.subject_ref == subject_ref
        )
    ).first()
    return (row.email, row.language) if row is not None and row.email else None
