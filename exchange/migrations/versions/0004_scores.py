"""Scores: how much of one was asked for, and of whom."""

import sqlalchemy as sa
from alembic import op

from concordat import v1
from exchange.limits.questions import question_of

revision = "0004"
down_revision = "0003"

_AT_ONCE = 1000


def upgrade() -> None:
    with op.batch_alter_table("access_entry") as batch:
        batch.add_column(sa.Column("threshold", sa.Integer, nullable=False, server_default="0"))
        batch.add_column(sa.Column("asked_of", sa.LargeBinary(32)))
    with op.batch_alter_table("access_entry") as batch:
        batch.alter_column("threshold", server_default=None)
    _keep_what_was_told(op.get_bind())
    asked = sa.text("asked_of IS NOT NULL")
    op.create_index(
        "access_entry_by_question",
        "access_entry",
        ["subject_ref", "lender", "recorded_at"],
        sqlite_where=asked,
        postgresql_where=asked,
    )


def _keep_what_was_told(connection: sa.Connection) -> None:
    """Take from the consents what lenders were told before it was kept with each access."""
    consents = connection.execute(
        sa.text("SELECT subject_ref, consent_id, envelope FROM consent"),
        execution_options={"yield_per": _AT_ONCE},
    )
    keep = sa.text(
        "UPDATE access_entry SET threshold = :threshold, asked_of = :asked_of "
        "WHERE subject_ref = :ref AND consent_id = :id AND counted AND disclosure <> 0"
    )
    for some in consents.partitions():
        rows = [
            {"ref": ref, "id": key, "threshold": asked.threshold, "asked_of": asked.asked_of}
            for ref, key, envelope in some
            if (asked := question_of(_terms(envelope))) is not None
        ]
        if rows:
            connection.execute(keep, rows)


def _terms(envelope: bytes) -> v1.Consent:
    return v1.Consent.FromString(v1.Envelope.FromString(bytes(envelope)).payload)
