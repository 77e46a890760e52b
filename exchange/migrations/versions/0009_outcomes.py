"""What lenders said came of accesses, and changes that they subscribe to."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    pass
