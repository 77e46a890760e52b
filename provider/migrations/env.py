"""Alembic's environment; the connection is handed over by ``concordat.store.engine``."""

from alembic import context

from provider.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
