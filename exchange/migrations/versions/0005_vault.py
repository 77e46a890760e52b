"""What is kept of a subject, sealed under a key of its own; references keyed.

What an older version kept in the clear is sealed here: that takes the keyring, which ``init`` has.
"""

import sqlalchemy as sa
from alembic import op

from exchange.vault.conversion import CONVERTED, convert

revision = "0005"
down_revision = "0004"

_KEYED = sa.LargeBinary(48)


def upgrade() -> None:
    _keep_keys()
    with op.batch_alter_table("log_queue") as batch:
        batch.add_column(sa.Column("sealed_for", _KEYED))
    with op.batch_alter_table("log_opening") as batch:
        batch.add_column(sa.Column("sealed_for", _KEYED))
        batch.alter_column("salt", existing_type=sa.LargeBinary(32), type_=sa.LargeBinary)
    _as_bytes("listing", "words", sa.String(2000))
    _as_bytes("inbox_message", "text", sa.String(8000), nullable=False)
    _as_bytes("notice_mail", "failure", sa.String(200))
    convert(op.get_bind())
    with op.batch_alter_table("listing") as batch:
        batch.drop_column("words_language")
    with op.batch_alter_table("subject_contact") as batch:  # the statement says them
        batch.drop_column("email")
        batch.drop_column("language")
    if op.get_bind().dialect.name == "postgresql":
        _write_anew()


def _write_anew() -> None:
    """Write the tables into new files: rows as they were, and dropped columns, lie on in the old ones."""
    for table in CONVERTED:
        op.alter_column(
            table,
            "subject_ref",
            existing_type=_KEYED,
            type_=_KEYED,
            postgresql_using="subject_ref || ''::bytea",  # an expression: only that writes rows anew
        )


def _keep_keys() -> None:
    op.create_table(
        "subject_key",
        sa.Column("subject_ref", _KEYED, primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("wrapping_key", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
    op.create_index("subject_key_by_wrapping_key", "subject_key", ["wrapping_key"])
    op.create_table(
        "keyring_mark",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reference", _KEYED, nullable=False),
        sa.Column("least_wrapping_key", sa.Integer, nullable=False),
    )


def _as_bytes(table: str, column: str, was: sa.String, *, nullable: bool = True) -> None:
    with op.batch_alter_table(table) as batch:
        batch.alter_column(
            column,
            existing_type=was,
            existing_nullable=nullable,
            type_=sa.LargeBinary,
            postgresql_using=f"convert_to({column}, 'UTF8')",
        )
