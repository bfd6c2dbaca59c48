"""The first tables."""

from alembic import op

from hub.tables import Table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    Table.metadata.create_all(op.get_bind())


def downgrade() -> None:
    Table.metadata.drop_all(op.get_bind())
