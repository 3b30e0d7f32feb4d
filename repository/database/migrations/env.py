"""Alembic's environment: runs the migrations on the connection of `repository.database.engine.migrate`."""

from __future__ import annotations

from alembic import context

from repository.database.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
