"""Case look-ups, and notices that are due."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "case_budget",
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("look_ups", sa.Integer, nullable=False),
    )
    op.create_table(
        "case_file",
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("case_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("regulator", sa.String(64), nullable=False),
        sa.Column("case_reference", sa.String(40), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
    )
    op.create_index("case_file_by_reference", "case_file", ["regulator", "case_reference"])
    op.create_index("case_file_by_id", "case_file", ["case_id"])
    _remember_look_ups()
    _owe_notices()


def _remember_look_ups() -> None:
    op.create_table(
        "case_look_up",
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("look_up_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("regulator", sa.String(64), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("record_id", sa.LargeBinary(16), nullable=False),
        sa.Column("looked_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("month", sa.Integer, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("released", sa.Boolean, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
    )
    op.create_index("case_look_up_by_id", "case_look_up", ["regulator", "look_up_id"])
    op.create_index("case_look_up_by_time", "case_look_up", ["looked_at"])


def _owe_notices() -> None:
    op.create_table(
        "case_notice",
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("record_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("notice", sa.LargeBinary),
    )
    op.create_index("case_notice_by_message", "case_notice", ["subject_ref", "sequence"])
    waiting = sa.text("delivered_at IS NULL")
    op.create_index(
        "case_notice_due",
        "case_notice",
        ["due_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
