"""Alembic's environment; the connection is handed over by ``concordat.store.engine``."""

from alembic import context

from exchange.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
