"""What is kept of a subject, sealed under a key of its own; references keyed."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass
