"""Bindings that took over from others have a number of their own, by which exchanges hear of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("binding") as batch:
        batch.add_column(sa.Column("sequence", sa.BigInteger))
    connection = op.get_bind()
    later = connection.execute(
        sa.text(
            "SELECT subject_ref, version FROM binding WHERE version > 1 "
            "ORDER BY bound_at, subject_ref, version"
        )
    ).all()
    for sequence, row in enumerate(later, 1):
        connection.execute(
            sa.text(
                "UPDATE binding SET sequence = :sequence "
                "WHERE subject_ref = :subject AND version = :version"
            ),
            {"sequence": sequence, "subject": row.subject_ref, "version": row.version},
        )
    op.create_index("binding_by_sequence", "binding", ["sequence"], unique=True)


def downgrade() -> None:
    op.drop_index("binding_by_sequence", "binding")
    with op.batch_alter_table("binding") as batch:
        batch.drop_column("sequence")
