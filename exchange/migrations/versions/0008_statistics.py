"""What the regulator was told of each period, and what is counted for it."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    pass
