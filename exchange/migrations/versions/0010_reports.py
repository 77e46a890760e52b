"""Reports given, erasures done, and how far the registrar's new bindings were taken in."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "report_given",
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("request_digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("given_at", sa.BigInteger, nullable=False),
    )
    op.create_index("report_given_by_time", "report_given", ["given_at"])
    op.create_table(
        "erasure_done",
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("request_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("done_at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.LargeBinary, nullable=False),
    )
    op.create_index("erasure_done_by_time", "erasure_done", ["done_at"])
    cursor = op.create_table(
        "binding_cursor",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(
        cursor, [{"id": 1, "sequence": 0}]
    )  # there from the start, so that it can be locked


def downgrade() -> None:
    for table in ("binding_cursor", "erasure_done", "report_given"):
        op.drop_table(table)
