"""Alembic's entry point; ``concordat.store.engine`` hands over the connection."""

from alembic import context

from witness.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
