"""API keys have a rate and a quota"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("rate", sa.String(32), nullable=True))
    op.add_column("api_keys", sa.Column("quota", sa.String(32), nullable=True))


def downgrade() -> None:
    op.drop_column("api_keys", "quota")
    op.drop_column("api_keys", "rate")
