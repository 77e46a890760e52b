"""The log: queue, openings, state, tiles."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "log_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("record_id", sa.LargeBinary(16), nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("subject_ref", sa.LargeBinary(32), nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_opening",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("record_id", sa.LargeBinary(16), nullable=False),
        sa.Column("leaf_index", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("logged_at", sa.BigInteger, nullable=False),
        sa.Column("commitment", sa.LargeBinary(32), nullable=False),
        sa.Column("previous", sa.LargeBinary(32), nullable=False),
        sa.Column("link_salt", sa.LargeBinary(32), nullable=False),
        sa.Column("record_commitment", sa.LargeBinary(32), nullable=False),
        sa.Column("record", sa.LargeBinary),
        sa.Column("salt", sa.LargeBinary(32)),
        sa.Column("erased_under", sa.LargeBinary(16)),
    )
    op.create_index(
        "log_opening_by_record", "log_opening", ["subject_ref", "record_id"], unique=True
    )
    op.create_index("log_opening_by_index", "log_opening", ["leaf_index"])
    kept = sa.text("record IS NOT NULL")
    op.create_index(
        "log_opening_by_time",
        "log_opening",
        ["logged_at"],
        postgresql_where=kept,
        sqlite_where=kept,
    )
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("next_index", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary, nullable=False),
        sa.Column("latest_time", sa.BigInteger, nullable=False),
        sa.Column("unwitnessed_since", sa.BigInteger),
    )
    op.create_table(
        "log_tile",
        sa.Column("path", sa.String(64), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("log_tile", "log_state", "log_opening", "log_queue"):
        op.drop_table(table)
