"""Scores: how much of one was asked for, and of whom; how many fell where, and what became of them."""

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
    _count_drift()
    _keep_calibrations()
    _count_own_looks()


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


def _count_drift() -> None:
    op.create_table(
        "score_count",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("calibration_version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("bin", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("process", sa.String(32), primary_key=True),
        sa.Column("scores", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outcome_count",
        sa.Column("lender", sa.String(64), primary_key=True),
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("calibration_version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("period_from", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("period_until", sa.BigInteger, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "drift_level",
        sa.Column("calibration_version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )


def _keep_calibrations() -> None:
    op.create_table(
        "calibration",
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )


def _count_own_looks() -> None:
    op.create_table(
        "own_look",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("request_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("look_id", sa.LargeBinary(16), nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("answers", sa.Integer, nullable=False),
    )
    op.create_index("own_look_by_time", "own_look", ["recorded_at"])


def _terms(envelope: bytes) -> v1.Consent:
    return v1.Consent.FromString(v1.Envelope.FromString(bytes(envelope)).payload)
