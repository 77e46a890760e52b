"""The log's receipt of each access."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("access", sa.Column("receipt", sa.LargeBinary))


def downgrade() -> None:
    op.drop_column("access", "receipt")
