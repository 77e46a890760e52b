"""Reports, erasure requests and bindings pushed by the registrar."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    pass
