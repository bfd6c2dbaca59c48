"""How alembic reaches the hub's database: through the connection that `hub.migrations` opened.

There is no alembic.ini: `voxhub database upgrade` knows the database from `--data-dir` and
`VOXHUB_DATABASE_URL`, so there is no second place where its address could be written differently.
"""

from alembic import context

from hub.tables import Table

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    compare_type=True,
    # SQLite cannot alter most columns in place: alembic copies the table.
    render_as_batch=connection.dialect.name == "sqlite",
)
# The caller's transaction: a migration that fails half way leaves nothing.
with context.begin_transaction():
    context.run_migrations()
